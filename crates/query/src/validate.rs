//! `validate_doc_update`: what the design documents of a database let pass. A function, or a selector that documents
//! must match.

use crate::function::{Found, Function, FunctionError};
use crate::validator::{Docs, Validator};
use std::sync::Arc;
use trunkline_core::rev::Rev;
use trunkline_core::selector::Selector;
use trunkline_store::{Candidate, Guard, GuardMaker, Guarded, Refused};
use trunkline_wire::document::{self, Pieces, Shown};
use trunkline_wire::functions::{self, DEFAULT_SECURITY, Verdict};

/// Makes the guards of databases, for [`trunkline_store::Store::set_guard_maker`].
pub fn guards() -> GuardMaker {
    Arc::new(guard)
}

fn guard(guarded: &Guarded<'_>) -> Option<Guard> {
    let rules: Vec<Rule> = guarded
        .designs
        .iter()
        .filter_map(|(id, body)| Rule::of(guarded, id, body))
        .collect();
    if rules.is_empty() {
        return None;
    }
    let functions: Vec<(String, Function)> = rules.iter().filter_map(Rule::function).collect();
    let validator = (!functions.is_empty()).then(|| {
        let security = guarded.security.unwrap_or(DEFAULT_SECURITY);
        Validator::new(functions, security.to_owned())
    });
    let name = guarded.name.clone();
    Some(Arc::new(move |candidate: &Candidate<'_>| {
        rules.iter().try_for_each(|rule| rule.check(candidate))?;
        match &validator {
            Some(validator) => validator.check(Docs {
                commit: candidate.commit,
                new: new_doc(candidate),
                old: old_doc(candidate),
                user: functions::user_context(name.as_str(), candidate.user),
            }),
            None => Ok(()),
        }
    }))
}

/// What one design document asks of documents.
enum Rule {
    /// Of which design document.
    Function(String, Function),
    Selector {
        id: String,
        selector: Box<Selector>,
    },
    /// It cannot be told: nothing passes until it is mended.
    Broken(String),
}

impl Rule {
    fn of(guarded: &Guarded<'_>, id: &str, body: &str) -> Option<Rule> {
        let broken = |what: String| Rule::Broken(format!("validate_doc_update of {id}: {what}"));
        let declared = match trunkline_wire::design_doc::parse(body) {
            Ok(design) => design.validate_doc_update?,
            // Nobody knows what it would refuse.
            Err(invalid) if body.contains("\"validate_doc_update\"") => {
                return Some(broken(invalid.to_string()));
            }
            Err(_) => return None,
        };
        if declared.trim_start().starts_with('{') {
            return Some(match Selector::parse(&declared) {
                Ok(selector) => Rule::Selector {
                    id: id.to_owned(),
                    selector: Box::new(selector),
                },
                Err(invalid) => broken(invalid.to_string()),
            });
        }
        Some(match Found::read(guarded.name.as_str().to_owned(), body) {
            Ok(found) => Rule::Function(id.to_owned(), found.function(&declared)),
            Err(error) => broken(error.to_string()),
        })
    }

    fn function(&self) -> Option<(String, Function)> {
        match self {
            Rule::Function(id, function) => Some((id.clone(), function.clone())),
            _ => None,
        }
    }

    fn check(&self, candidate: &Candidate<'_>) -> Result<(), Refused> {
        match self {
            // A tombstone needs no members.
            Rule::Selector { .. } if candidate.deleted => Ok(()),
            Rule::Selector { id, selector } => {
                let pieces = pieces(candidate.id, candidate.rev, candidate);
                if document::is_selected(selector, pieces, &[]) {
                    return Ok(());
                }
                Err(Refused::Forbidden(format!(
                    "The document does not match validate_doc_update of {id}."
                )))
            }
            Rule::Broken(reason) => Err(Refused::GuardFailed(reason.clone())),
            Rule::Function(..) => Ok(()),
        }
    }
}

/// What it means that a function gave no answer.
pub(crate) fn refusal(error: FunctionError) -> Refused {
    match error {
        FunctionError::Threw {
            value: Some(value), ..
        } => match functions::verdict(&value) {
            Verdict::Forbidden(reason) => Refused::Forbidden(reason),
            Verdict::Unauthorized(reason) => Refused::Unauthorized(reason),
            Verdict::Other(reason) => Refused::GuardFailed(reason),
        },
        error => Refused::GuardFailed(error.to_string()),
    }
}

fn pieces<'a>(id: &'a str, rev: &'a Rev, candidate: &Candidate<'a>) -> Pieces<'a> {
    Pieces {
        id,
        rev,
        deleted: candidate.deleted,
        body: candidate.body,
        attachments: candidate.attachments,
    }
}

fn new_doc(candidate: &Candidate<'_>) -> String {
    let mut out = Vec::new();
    let pieces = pieces(candidate.id, candidate.rev, candidate);
    document::write_replicated(&mut out, pieces, candidate.path, &[]);
    String::from_utf8(out).unwrap_or_default()
}

fn old_doc(candidate: &Candidate<'_>) -> String {
    let Some(old) = candidate.old else {
        return "null".to_owned();
    };
    let pieces = Pieces {
        id: candidate.id,
        rev: &old.rev,
        deleted: old.deleted,
        body: old.body.as_str(),
        attachments: &old.attachments,
    };
    let mut out = Vec::new();
    document::write(&mut out, pieces, &[], &Shown::default());
    String::from_utf8(out).unwrap_or_default()
}
