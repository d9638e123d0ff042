//! From rights to what a handle of a database shows and takes.

use super::bound::Bound;
use super::needs::SHOWS;
use super::refusal::NOT_CONFIGURE;
use crate::audit::{self, Who};
use crate::auth::{User, users_db};
use std::sync::Arc;
use trunkline_core::access::{Access, Only, Rights};
use trunkline_core::attachment::Attachment;
use trunkline_core::db_name::DbName;
use trunkline_core::rev::Rev;
use trunkline_core::selector::Selector;
use trunkline_store::{Asker, Candidate, Database, Refused, Seen, Sees};
use trunkline_wire::document::{self, Pieces};
use trunkline_wire::functions;

const DESIGN: &str = "_design/";

fn named(user: &User) -> Arc<functions::User> {
    let roles = user.roles.iter().map(String::as_str);
    Arc::new(functions::User::new(user.name.as_deref(), roles))
}

/// Sees and takes all; of documents of users what can be one.
pub(super) fn of_admin(db: &Database, user: &Arc<User>, who: &Who) -> Database {
    if users_db::is(db) {
        return of_users(db, user, who, (true, u32::MAX));
    }
    db.on_behalf(Arc::new(Asker {
        user: named(user),
        witness: Some(audit::witness(who.clone(), true)),
        ..Asker::default()
    }))
}

/// On whose behalf the replications that the server runs write to a database: they may do everything, as an administrator;
/// what is no document of a user is none for them, either.
pub(crate) fn of_replication(database: &DbName, named: &str) -> Option<Arc<Asker>> {
    let (user, of_users) = (
        Arc::new(User::nameless_admin()),
        database.as_str() == users_db::NAME,
    );
    let takes = || users_db::asker_parts(&user, true, u32::MAX).1;
    Some(Arc::new(Asker {
        user: self::named(&user),
        takes: of_users.then(takes),
        witness: Some(audit::witness(Who::of_replication(named), of_users)),
        ..Asker::default()
    }))
}

/// A handle of `_users`, for who administers it or for anyone, whose password has so many rounds at most.
pub(super) fn of_users(
    db: &Database,
    user: &Arc<User>,
    who: &Who,
    (is_admin, iterations_max): (bool, u32),
) -> Database {
    let (sees, takes) = users_db::asker_parts(user, is_admin, iterations_max);
    db.on_behalf(Arc::new(Asker {
        user: named(user),
        sees,
        own_locals: (!is_admin).then(Box::default),
        takes: Some(takes),
        witness: Some(audit::witness(who.clone(), true)),
        ..Asker::default()
    }))
}

/// Sees what rights of `shows` are for, and takes what may be written.
pub(super) fn of(
    db: &Database,
    (user, who): (&User, &Who),
    access: &Access<'_>,
    shows: Rights,
    bound: &Bound,
) -> Database {
    let (mut sees, mut tombstones_of) = (None, Vec::new());
    if !access.whole.any_of(shows) {
        let parts = parts(access, shows, bound);
        tombstones_of.extend(parts.iter().filter_map(|part| part.feed.clone()));
        sees = Some(self::sees(parts));
    }
    let writes = Rights::WRITE | Rights::REPLICATE_IN;
    let takes = match access.whole.all_of(Rights::ALL) {
        true => None,
        false => Some(Writer::new(user, access.whole, parts(access, writes, bound)).takes()),
    };
    db.on_behalf(Arc::new(Asker {
        user: named(user),
        sees,
        tombstones_of,
        own_locals: own_locals(access),
        takes,
        witness: Some(audit::witness(who.clone(), true)),
    }))
}

/// By what the local documents are told from others of the same user, the same on every route; `None` of who reads and
/// writes all documents, who may read and write checkpoints of others as well. Who is bound to other documents than before
/// has other checkpoints: what went through so far went by the former bounds. A named feed brings the difference itself.
fn own_locals(access: &Access<'_>) -> Option<Box<str>> {
    if access.whole.any_of(Rights::WRITE) && access.whole.any_of(SHOWS) {
        return None;
    }
    let mut bounds = blake3::Hasher::new();
    for (rights, only) in &access.parts {
        let text = match only {
            Only::Selector(selector) => selector.canonical(),
            Only::Feed(name) => name.clone(),
        };
        bounds.update(format!("{rights:?} {} {text} ", text.len()).as_bytes());
    }
    Some(match access.parts.is_empty() {
        true => Box::default(),
        false => bounds
            .finalize()
            .to_hex()
            .as_str()
            .get(..16)
            .unwrap_or_default()
            .into(),
    })
}

/// What some rights are bound to.
struct Part {
    has: Rights,
    selector: Arc<Selector>,
    /// The named feed whose selector it is.
    feed: Option<Box<str>>,
}

fn sees(parts: Vec<Part>) -> Sees {
    Arc::new(move |seen: &Seen<'_>| {
        let pieces = Pieces {
            id: seen.id,
            rev: seen.rev,
            deleted: seen.deleted,
            body: seen.body,
            attachments: seen.attachments,
        };
        let mut selectors = parts.iter().map(|part| &part.selector);
        selectors.any(|selector| document::is_selected(selector, pieces, &[]))
    })
}

/// What parts with one of these rights are bound to.
fn parts(access: &Access<'_>, rights: Rights, bound: &Bound) -> Vec<Part> {
    let parts = access.parts.iter().filter(|(has, _)| has.any_of(rights));
    let part = |(has, only): &(Rights, &Only)| {
        let (selector, feed) = match *only {
            Only::Selector(selector) => (selector.clone(), None),
            Only::Feed(name) => (bound.selector(name)?.clone(), Some(name.as_str().into())),
        };
        Some(Part {
            has: *has,
            selector,
            feed,
        })
    };
    parts.filter_map(part).collect()
}

/// What someone may write.
struct Writer {
    named: bool,
    whole: Rights,
    parts: Vec<Part>,
}

impl Writer {
    fn new(user: &User, whole: Rights, parts: Vec<Part>) -> Writer {
        Writer {
            named: user.name.is_some(),
            whole,
            parts,
        }
    }

    fn takes(self) -> trunkline_store::Takes {
        Arc::new(move |candidate| self.check(candidate))
    }

    fn check(&self, candidate: &Candidate<'_>) -> Result<(), Refused> {
        if candidate.id.starts_with(DESIGN) {
            return match self.whole.any_of(Rights::CONFIGURE) {
                true => Ok(()),
                false => Err(self.refused(NOT_CONFIGURE.to_owned())),
            };
        }
        let right = match candidate.interactive {
            true => Rights::WRITE,
            false => Rights::REPLICATE_IN,
        };
        if self.whole.any_of(right) {
            return Ok(());
        }
        let selectors: Vec<&Selector> = self
            .parts
            .iter()
            .filter(|part| part.has.any_of(right))
            .map(|part| &*part.selector)
            .collect();
        if selectors.is_empty() {
            return Err(self.refused(format!("This needs the right to {right} in this database.")));
        }
        let matches = |rev: &Rev, deleted: bool, body: &str, attachments: &[Attachment]| {
            let pieces = Pieces {
                id: candidate.id,
                rev,
                deleted,
                body,
                attachments,
            };
            selectors
                .iter()
                .any(|selector| document::is_selected(selector, pieces, &[]))
        };
        // A tombstone of what was one's own needs no members; with those of others it is theirs.
        let is_bare = |body: &str, attachments: &[Attachment]| body == NO_MEMBERS && attachments.is_empty();
        let is_own = candidate.old.map(|old| {
            let (body, attachments) = (old.body.as_str(), &old.attachments[..]);
            let says_nothing = old.deleted && !candidate.foreign && is_bare(body, attachments);
            says_nothing || matches(&old.rev, old.deleted, body, attachments)
        });
        if is_own == Some(false) {
            return Err(self.refused(NOT_YOURS.to_owned()));
        }
        let ends_own =
            candidate.deleted && is_own.is_some() && is_bare(candidate.body, candidate.attachments);
        if ends_own
            || matches(
                candidate.rev,
                candidate.deleted,
                candidate.body,
                candidate.attachments,
            )
        {
            return Ok(());
        }
        Err(self.refused(NOT_TO_BE_YOURS.to_owned()))
    }

    fn refused(&self, reason: String) -> Refused {
        match self.named {
            true => Refused::Forbidden(reason),
            false => Refused::Unauthorized(reason),
        }
    }
}

/// The body of a tombstone that nothing was said about.
const NO_MEMBERS: &str = "{}";
const NOT_YOURS: &str = "You may not change this document.";
const NOT_TO_BE_YOURS: &str =
    "You may not write a document like this: it is none of those that your role is bound to.";
