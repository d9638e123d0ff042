//! New passwords of users: checked, and derived before a document is kept.

use crate::app::App;
use crate::auth::password::Kept;
use crate::config::Passwords;
use crate::error::{Error, Result};
use regex::{Regex, RegexBuilder};
use trunkline_core::doc::{Body, RevPath};
use trunkline_core::limits::{PASSWORDS_SET_MAX, PATTERN_BYTES_MAX};
use trunkline_core::rev::Rev;
use trunkline_store::{Candidate, Database};
use trunkline_wire::document::IncomingDoc;
use trunkline_wire::user_doc;

/// Puts what is derived from the password in its place, where a document of `_users` brings one. Takes as long as the
/// settings mean it to: for a thread that may block. A document that is going to be refused stays as it is: nobody has
/// passwords derived who may not set them, and the commit says why.
pub(crate) fn prepare(app: &App, db: &Database, id: &str, mut doc: IncomingDoc) -> Result<IncomingDoc> {
    if !super::is(db) || doc.deleted {
        return Ok(doc);
    }
    let Some(user) = user_doc::read(doc.body.as_str()).filter(|user| user.has_password) else {
        return Ok(doc);
    };
    let Some(password) = &user.password else {
        return Err(Error::Forbidden("Password value is invalid.".to_owned()));
    };
    let plain = user_doc::without_password(doc.body.as_str()).map_err(|_| malformed())?;
    if !is_taken(db, id, &doc, &plain)? {
        return Ok(doc);
    }
    let settings = &app.config().authentication.passwords;
    check(settings, password)?;
    doc.body = derived(app, settings, doc.body.as_str(), password)?;
    Ok(doc)
}

/// Whether a document brings a password that [`prepare`] might derive.
fn brings_one(doc: &IncomingDoc) -> bool {
    !doc.deleted && user_doc::read(doc.body.as_str()).is_some_and(|user| user.has_password)
}

/// Refuses a request with more passwords than are derived for one, before any is: each takes a core long, whether or not
/// somebody still waits for the answer. Who is bound to the own document sets one.
pub(crate) fn count<'a>(db: &Database, docs: impl Iterator<Item = &'a IncomingDoc>) -> Result<()> {
    if !super::is(db) {
        return Ok(());
    }
    let most = if db.is_whole() { PASSWORDS_SET_MAX } else { 1 };
    if docs.filter(|doc| brings_one(doc)).nth(most).is_none() {
        return Ok(());
    }
    Err(Error::Forbidden(match most {
        1 => "Only _admin may set several passwords at once.".to_owned(),
        most => format!("A request may set {most} passwords. Send the others in further ones."),
    }))
}

fn malformed() -> Error {
    Error::bad("Document must be a JSON object")
}

/// Whether the commit is going to take the document, but for what comes between.
fn is_taken(db: &Database, id: &str, doc: &IncomingDoc, plain: &str) -> Result<bool> {
    let Some(takes) = db.asker().and_then(|asker| asker.takes.as_ref()) else {
        return Ok(true);
    };
    let old = db.whole().get(id, None)?;
    let path = doc.revisions.clone().or_else(|| {
        let first = doc.rev.clone().or_else(|| Rev::parse("1-0").ok())?;
        RevPath::new(first.generation, vec![first.digest])
    });
    let Some((rev, path)) = path.and_then(|path| Some((path.rev()?, path))) else {
        return Ok(true);
    };
    let candidate = Candidate {
        commit: 0,
        id,
        rev: &rev,
        path: &path,
        deleted: false,
        body: plain,
        attachments: &[],
        old: old.as_ref(),
        foreign: false,
        interactive: doc.revisions.is_none(),
        user: db.asker().map(|asker| &*asker.user),
    };
    Ok(takes(&candidate).is_ok())
}

fn derived(app: &App, settings: &Passwords, body: &str, password: &str) -> Result<Body> {
    let _turn = app.auth.turn_to_derive()?;
    let text = match Kept::derive(settings, password) {
        Kept::Pbkdf2 {
            hash,
            iterations,
            derived,
            salt,
        } => user_doc::with_password(
            body,
            &user_doc::DerivedPassword {
                prf: hash.name(),
                iterations: iterations.get(),
                derived_key: &crate::auth::hex::encode(&derived),
                salt: &salt,
            },
        ),
        Kept::Simple { .. } | Kept::Clear(_) => return Err(malformed()),
    };
    Body::parse(&text.map_err(|_| malformed())?).map_err(|_| malformed())
}

/// Reads a pattern that passwords must match.
pub(crate) fn rule(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).size_limit(PATTERN_BYTES_MAX).build()
}

/// Refuses passwords that the settings do not want.
fn check(settings: &Passwords, password: &str) -> Result<()> {
    const REFUSED: &str = "Password does not conform to requirements.";
    if password.chars().count() < settings.chars_min {
        return Err(Error::Password(format!(
            "{REFUSED} It must have at least {} characters.",
            settings.chars_min
        )));
    }
    for (pattern, reason) in &settings.patterns {
        let pattern = rule(pattern).map_err(|error| {
            tracing::error!(%error, "a pattern for passwords in the settings cannot be read");
            Error::Forbidden("Server cannot hash passwords at this time.".to_owned())
        })?;
        if !pattern.is_match(password) {
            return Err(Error::Password(format!("{REFUSED} {reason}").trim().to_owned()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passwords_must_be() {
        let settings = Passwords {
            chars_min: 4,
            patterns: vec![
                ("[0-9]".to_owned(), "It needs a digit.".to_owned()),
                ("^[^ ]*$".to_owned(), String::new()),
            ],
            ..Passwords::default()
        };
        let said = |password| match check(&settings, password) {
            Ok(()) => None,
            Err(Error::Password(reason)) => Some(reason),
            Err(other) => panic!("{other:?}"),
        };
        let refused = |more: &str| Some(format!("Password does not conform to requirements.{more}"));
        assert_eq!(said("äöü1"), None);
        assert_eq!(said("ä1"), refused(" It must have at least 4 characters."));
        assert_eq!(said("abcd"), refused(" It needs a digit."));
        assert_eq!(said("ab 1"), refused(""));
        let broken = Passwords {
            patterns: vec![("(".to_owned(), String::new())],
            ..Passwords::default()
        };
        assert!(matches!(check(&broken, "x"), Err(Error::Forbidden(_))));
    }
}
