//! `[sessions]`.

use crate::settings::Kind;
use crate::settings::field::SAME_SITES;
use crate::settings::key::{Holds, Section, key};

pub(super) const SESSIONS: Section = Section {
    name: "sessions",
    text: "Cookies of /_session.",
    holds: Holds::Keys(&[
        key!(
            "seconds",
            Kind::Number {
                least: 1,
                most: 31_536_000,
                unit: "seconds"
            },
            LIVE,
            config.authentication.sessions.seconds,
            "How long a session lasts without a request."
        ),
        key!(
            "secret",
            Kind::Secret,
            LIVE,
            config.authentication.sessions.secret,
            "What cookies are signed with; nodes with the same secret take each other's. Without it one is made, and kept."
        ),
        key!(
            "former_secrets",
            Kind::Secrets,
            LIVE,
            config.authentication.sessions.former_secrets,
            "Secrets of before, whose cookies are good until they run out."
        ),
        key!(
            "persistent",
            Kind::Switch,
            LIVE,
            config.authentication.sessions.persistent,
            "Whether cookies outlive the browser."
        ),
        key!(
            "same_site",
            Kind::OneOf(SAME_SITES),
            LIVE,
            config.authentication.sessions.same_site,
            "Whether browsers send cookies along with other sites' requests: never, when a link is followed, or always (over \
             TLS only)."
        ),
        key!(
            "domain",
            Kind::Text,
            LIVE,
            config.authentication.sessions.domain,
            "The domain whose hosts all get the cookie. Without it, this host alone does."
        ),
    ]),
};
