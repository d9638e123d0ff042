//! What is written down of a replication: how it ended, into its document; which documents it could not move, into a
//! local one.

use super::rfc3339;
use std::io::Write;
use trunkline_core::json::{self, JsonError};

/// How the replication of a document ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// `completed` or `failed`.
    pub state: &'static str,
    /// When, ms since 1970.
    pub time_ms: u64,
    /// The replication's id, where one could be made.
    pub replication_id: Option<String>,
    /// Why it failed.
    pub reason: Option<String>,
    /// Its counters at the end.
    pub stats: Option<Stats>,
}

/// A replication's counters. Seqs are JSON text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Revisions compared with the target.
    pub revisions_checked: u64,
    /// Of these, revisions that the target lacked.
    pub missing_revisions_found: u64,
    /// Documents fetched.
    pub docs_read: u64,
    /// Documents that the target took.
    pub docs_written: u64,
    /// Documents that did not get there.
    pub doc_write_failures: u64,
    /// Changes not handled.
    pub changes_pending: Option<u64>,
    /// Of the last checkpoint.
    pub checkpointed_source_seq: Option<String>,
}

/// Spells a stored document's body with the outcome in place of an earlier one.
pub fn write_outcome(body: &str, outcome: &Outcome) -> Result<String, JsonError> {
    let mut out = vec![b'{'];
    json::members(body, |key, value| {
        if !key.starts_with("_replication_") {
            member(&mut out, &key);
            out.extend_from_slice(value.as_bytes());
        }
        Ok::<_, JsonError>(())
    })?;
    text(&mut out, "_replication_state", outcome.state);
    text(&mut out, "_replication_state_time", &rfc3339(outcome.time_ms));
    if let Some(id) = &outcome.replication_id {
        text(&mut out, "_replication_id", id);
    }
    if let Some(reason) = &outcome.reason {
        text(&mut out, "_replication_state_reason", reason);
    }
    if let Some(stats) = &outcome.stats {
        member(&mut out, "_replication_stats");
        write_stats(&mut out, stats);
    }
    out.push(b'}');
    Ok(String::from_utf8_lossy(&out).into_owned())
}

fn write_stats(out: &mut Vec<u8>, stats: &Stats) {
    out.push(b'{');
    for (name, count) in [
        ("revisions_checked", Some(stats.revisions_checked)),
        ("missing_revisions_found", Some(stats.missing_revisions_found)),
        ("docs_read", Some(stats.docs_read)),
        ("docs_written", Some(stats.docs_written)),
        ("changes_pending", stats.changes_pending),
        ("doc_write_failures", Some(stats.doc_write_failures)),
    ] {
        number(out, name, count);
    }
    member(out, "checkpointed_source_seq");
    out.extend_from_slice(stats.checkpointed_source_seq.as_deref().unwrap_or("0").as_bytes());
    out.push(b'}');
}

/// A document that did not get to the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its id.
    pub id: String,
    /// The revision.
    pub rev: String,
    /// The error word.
    pub error: String,
    /// The reason in words.
    pub reason: String,
    /// When it was last tried, ms since 1970.
    pub time_ms: u64,
    /// How often it was tried.
    pub attempts: u64,
}

/// Appends a list of failures, and how many there are beside it.
pub fn write_failures(out: &mut Vec<u8>, failures: &[Failure], unlisted: u64) {
    out.extend_from_slice(b"{\"failures\":[");
    for (at, failure) in failures.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.push(b'{');
        text(out, "id", &failure.id);
        text(out, "rev", &failure.rev);
        text(out, "error", &failure.error);
        text(out, "reason", &failure.reason);
        text(out, "time", &rfc3339(failure.time_ms));
        number(out, "attempts", Some(failure.attempts));
        out.push(b'}');
    }
    out.push(b']');
    number(out, "unlisted", Some(unlisted));
    out.push(b'}');
}

/// Reads what [`write_failures`] wrote.
pub fn parse_failures(text: &str) -> Result<(Vec<Failure>, u64), JsonError> {
    let (mut failures, mut unlisted) = (Vec::new(), 0);
    json::members(text, |key, value| match &*key {
        "failures" => json::elements(value, |element| {
            failures.push(parse_failure(element)?);
            Ok(())
        }),
        "unlisted" => {
            unlisted = value.parse().unwrap_or_default();
            Ok(())
        }
        _ => Ok(()),
    })?;
    Ok((failures, unlisted))
}

fn parse_failure(value: &str) -> Result<Failure, JsonError> {
    let mut failure = Failure {
        id: String::new(),
        rev: String::new(),
        error: String::new(),
        reason: String::new(),
        time_ms: 0,
        attempts: 1,
    };
    json::members(value, |key, value| {
        let text = || {
            json::string(value)
                .map(std::borrow::Cow::into_owned)
                .unwrap_or_default()
        };
        match &*key {
            "id" => failure.id = text(),
            "rev" => failure.rev = text(),
            "error" => failure.error = text(),
            "reason" => failure.reason = text(),
            "time" => failure.time_ms = crate::seq::parse_time(&text()).unwrap_or_default(),
            "attempts" => failure.attempts = value.parse().unwrap_or(1),
            _ => {}
        }
        Ok::<_, JsonError>(())
    })?;
    Ok(failure)
}

fn member(out: &mut Vec<u8>, name: &str) {
    if !matches!(out.last(), Some(b'{')) {
        out.push(b',');
    }
    json::quote(name, out);
    out.push(b':');
}

fn text(out: &mut Vec<u8>, name: &str, value: &str) {
    member(out, name);
    json::quote(value, out);
}

fn number(out: &mut Vec<u8>, name: &str, value: Option<u64>) {
    member(out, name);
    let _ = match value {
        Some(value) => write!(out, "{value}"),
        None => write!(out, "null"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_takes_the_place_of_an_earlier_one() {
        let body = r#"{"source":"a","_replication_state":"failed","_replication_state_reason":"x","n":1.0}"#;
        let outcome = Outcome {
            state: "completed",
            time_ms: 0,
            replication_id: Some("ab+continuous".to_owned()),
            reason: None,
            stats: Some(Stats {
                docs_written: 3,
                checkpointed_source_seq: Some("\"3-a\"".to_owned()),
                ..Stats::default()
            }),
        };
        assert_eq!(
            write_outcome(body, &outcome).unwrap(),
            concat!(
                r#"{"source":"a","n":1.0,"_replication_state":"completed","_replication_state_time":"1970-01-01T00:00:00Z","#,
                r#""_replication_id":"ab+continuous","_replication_stats":{"revisions_checked":0,"missing_revisions_found":0,"#,
                r#""docs_read":0,"docs_written":3,"changes_pending":null,"doc_write_failures":0,"#,
                r#""checkpointed_source_seq":"3-a"}}"#
            )
        );
        assert!(
            write_outcome("{}", &outcome)
                .unwrap()
                .starts_with(r#"{"_replication_state""#)
        );
    }

    #[test]
    fn failures_there_and_back() {
        let failure = |id: &str| Failure {
            id: id.to_owned(),
            rev: "1-a".to_owned(),
            error: "forbidden".to_owned(),
            reason: "not \"here\"".to_owned(),
            time_ms: 1000,
            attempts: 2,
        };
        let failures = [failure("a"), failure("b")];
        let mut out = Vec::new();
        write_failures(&mut out, &failures, 7);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(parse_failures(&text).unwrap(), (failures.to_vec(), 7));
        assert!(parse_failures("[").is_err());
    }
}
