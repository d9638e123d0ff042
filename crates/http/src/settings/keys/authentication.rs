//! `[authentication]`.

use crate::settings::Kind;
use crate::settings::key::{Holds, Section, key};

pub(super) const AUTHENTICATION: Section = Section {
    name: "authentication",
    text: "Who must say a name.",
    holds: Holds::Keys(&[
        key!(
            "require_valid_user",
            Kind::Switch,
            LIVE,
            config.authentication.require_valid_user,
            "Refuse every request without a name, but for /_session."
        ),
        key!(
            "require_valid_user_except_for_up",
            Kind::Switch,
            LIVE,
            config.authentication.require_valid_user_except_for_up,
            "With it, /_up answers anyone."
        ),
    ]),
};
