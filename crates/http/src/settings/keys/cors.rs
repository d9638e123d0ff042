//! `[cors]`.

use crate::settings::Kind;
use crate::settings::key::{Holds, Section, key};

pub(super) const CORS: Section = Section {
    name: "cors",
    text: "Which pages of other hosts may ask. None, while there are no origins.",
    holds: Holds::Keys(&[
        key!(
            "origins",
            Kind::List,
            LIVE,
            config.cors.origins,
            "Origins such as https://app.example, or * for all."
        ),
        key!(
            "credentials",
            Kind::Switch,
            LIVE,
            config.cors.credentials,
            "Whether requests come with cookies; not with *."
        ),
        key!(
            "methods",
            Kind::List,
            LIVE,
            config.cors.methods,
            "Methods that pages may use. Empty: all that there are."
        ),
        key!(
            "headers",
            Kind::List,
            LIVE,
            config.cors.headers,
            "Headers that pages may send beyond the usual ones."
        ),
        key!(
            "max_age",
            Kind::Number {
                least: 0,
                most: 86_400,
                unit: "seconds"
            },
            LIVE,
            config.cors.max_age,
            "How long browsers remember what they may do."
        ),
    ]),
};
