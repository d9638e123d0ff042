//! Checkpoint documents: CouchDB's format written, CouchDB's and PouchDB's read.

use crate::invalid::{BadAnswer, utf8};
use std::io::Write;
use trunkline_core::checkpoint::{ReplicationLog, Session};
use trunkline_core::json::{self, Reader};
use trunkline_core::limits::REPLICATION_HISTORY_MAX;

/// One run, as a checkpoint's `history` tells it. Seqs are JSON text, times RFC 1123.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Names the run.
    pub session_id: String,
    /// When it started.
    pub start_time: String,
    /// When this was written.
    pub end_time: String,
    /// The source seq it started from.
    pub start_last_seq: String,
    /// The source seq it has reached.
    pub end_last_seq: String,
    /// Revisions compared.
    pub missing_checked: u64,
    /// Of these, missing at the target.
    pub missing_found: u64,
    /// Documents fetched.
    pub docs_read: u64,
    /// Documents the target took.
    pub docs_written: u64,
    /// Documents the target refused.
    pub doc_write_failures: u64,
}

/// A checkpoint document as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredLog {
    /// What decides where to start.
    pub log: ReplicationLog,
    /// `history`, newest first, each entry's JSON text: to be kept by the next checkpoint.
    pub history: Vec<String>,
    /// The source let no checkpoint be written when this one was: that it has none says nothing.
    pub source_refused: bool,
}

/// Version of the format, and of the way replications are named, that CouchDB states.
const REPLICATION_ID_VERSION: u32 = 4;

/// Appends one entry of a history.
pub fn write_entry(out: &mut Vec<u8>, entry: &Entry) {
    let mut text = |head: &[u8], value: &str| {
        out.extend_from_slice(head);
        json::quote(value, out);
    };
    text(b"{\"session_id\":", &entry.session_id);
    text(b",\"start_time\":", &entry.start_time);
    text(b",\"end_time\":", &entry.end_time);
    // Writing to a Vec cannot fail.
    let _ = write!(
        out,
        ",\"start_last_seq\":{},\"end_last_seq\":{end},\"recorded_seq\":{end},\"missing_checked\":{},\
         \"missing_found\":{},\"docs_read\":{},\"docs_written\":{},\"doc_write_failures\":{}}}",
        entry.start_last_seq,
        entry.missing_checked,
        entry.missing_found,
        entry.docs_read,
        entry.docs_written,
        entry.doc_write_failures,
        end = entry.end_last_seq,
    );
}

/// Appends the body (no `_id`, no `_rev`) of a checkpoint whose newest entry is `newest`. `older` as
/// [`StoredLog::history`] has it; what is over [`trunkline_core::limits::REPLICATION_HISTORY_MAX`] is left out.
pub fn write<'a>(
    out: &mut Vec<u8>,
    newest: &Entry,
    source_refused: bool,
    older: impl IntoIterator<Item = &'a str>,
) {
    out.extend_from_slice(b"{\"session_id\":");
    json::quote(&newest.session_id, out);
    let _ = write!(
        out,
        ",\"source_last_seq\":{},\"replication_id_version\":{REPLICATION_ID_VERSION}",
        newest.end_last_seq
    );
    if source_refused {
        out.extend_from_slice(b",\"source_refused\":true");
    }
    out.extend_from_slice(b",\"history\":[");
    write_entry(out, newest);
    for entry in older.into_iter().take(REPLICATION_HISTORY_MAX - 1) {
        out.push(b',');
        out.extend_from_slice(entry.as_bytes());
    }
    out.extend_from_slice(b"]}");
}

/// Reads a checkpoint document (with or without `_id` and `_rev`). Entries that make no sense are passed over.
pub fn parse(text: &[u8]) -> Result<StoredLog, BadAnswer> {
    let mut stored = StoredLog::default();
    let mut reader = Reader::new(utf8(text)?);
    reader.members(|key, reader| {
        match &*key {
            "session_id" => {
                let id = json::string(reader.raw()?).unwrap_or_default();
                stored.log.session_id = id.into();
            }
            "source_last_seq" | "last_seq" => stored.log.source_last_seq = reader.raw()?.into(),
            "source_refused" => stored.source_refused = reader.raw()? == "true",
            "history" if reader.peek() == Some(b'[') => {
                reader.elements(|reader| entry(reader, &mut stored))?;
            }
            _ => {}
        }
        Ok::<_, BadAnswer>(())
    })?;
    reader.end()?;
    if stored.log.session_id.is_empty() || stored.log.source_last_seq.is_empty() {
        // No document of a replicator: as good as none.
        return Ok(StoredLog::default());
    }
    Ok(stored)
}

fn entry(reader: &mut Reader<'_>, stored: &mut StoredLog) -> Result<(), BadAnswer> {
    let text = reader.raw()?;
    if stored.history.len() >= REPLICATION_HISTORY_MAX || !text.starts_with('{') {
        return Ok(());
    }
    let (mut session_id, mut recorded_seq) = (None, None);
    json::members(text, |key, value| {
        match &*key {
            "session_id" => session_id = json::string(value),
            "recorded_seq" | "last_seq" => recorded_seq = Some(value),
            _ => {}
        }
        Ok::<_, BadAnswer>(())
    })?;
    if let (Some(session_id), Some(recorded_seq)) = (session_id, recorded_seq) {
        stored.log.history.push(Session {
            session_id: session_id.into(),
            recorded_seq: recorded_seq.into(),
        });
        stored.history.push(text.to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newest() -> Entry {
        Entry {
            session_id: "s2".into(),
            start_time: "Thu, 07 Nov 2013 09:41:43 GMT".into(),
            end_time: "Thu, 07 Nov 2013 09:41:44 GMT".into(),
            start_last_seq: "0".into(),
            end_last_seq: "\"26-x\"".into(),
            missing_checked: 6,
            missing_found: 5,
            docs_read: 4,
            docs_written: 3,
            doc_write_failures: 1,
        }
    }

    #[test]
    fn couchdbs_format() {
        let mut out = Vec::new();
        write(
            &mut out,
            &newest(),
            false,
            [r#"{"session_id":"s1","recorded_seq":7}"#],
        );
        assert_eq!(
            String::from_utf8(out.clone()).unwrap(),
            concat!(
                r#"{"session_id":"s2","source_last_seq":"26-x","replication_id_version":4,"history":["#,
                r#"{"session_id":"s2","start_time":"Thu, 07 Nov 2013 09:41:43 GMT","end_time":"Thu, 07 Nov 2013 09:41:44 GMT","#,
                r#""start_last_seq":0,"end_last_seq":"26-x","recorded_seq":"26-x","missing_checked":6,"missing_found":5,"#,
                r#""docs_read":4,"docs_written":3,"doc_write_failures":1},{"session_id":"s1","recorded_seq":7}]}"#
            )
        );
        let stored = parse(&out).unwrap();
        assert_eq!(
            (&*stored.log.session_id, &*stored.log.source_last_seq),
            ("s2", "\"26-x\"")
        );
        let session = |id: &str, seq: &str| Session {
            session_id: id.into(),
            recorded_seq: seq.into(),
        };
        assert_eq!(
            stored.log.history,
            [session("s2", "\"26-x\""), session("s1", "7")]
        );
        assert_eq!(stored.history.len(), 2);
    }

    #[test]
    fn a_history_does_not_grow_for_ever() {
        let older = vec![r#"{"session_id":"s1","recorded_seq":7}"#; 80];
        let mut out = Vec::new();
        write(&mut out, &newest(), false, older);
        assert_eq!(parse(&out).unwrap().history.len(), 50);
        assert_eq!(out.windows(4).filter(|text| text == b"\"s1\"").count(), 49);
        let long = format!(
            r#"{{"session_id":"a","last_seq":1,"history":[{}]}}"#,
            vec![r#"{"session_id":"a","last_seq":1}"#; 90].join(",")
        );
        assert_eq!(parse(long.as_bytes()).unwrap().log.history.len(), 50);
    }

    #[test]
    fn tells_whether_the_source_took_it() {
        for source_refused in [false, true] {
            let mut out = Vec::new();
            write(&mut out, &newest(), source_refused, []);
            assert_eq!(parse(&out).unwrap().source_refused, source_refused);
        }
    }

    #[test]
    fn logs_of_others() {
        let pouchdb = br#"{"_id":"_local/T==","_rev":"0-1","session_id":"u","last_seq":"5-z","version":1,"replicator":"pouchdb",
            "history":[{"session_id":"u","last_seq":"5-z"},{"session_id":"t"},7]}"#;
        let log = parse(pouchdb).unwrap().log;
        assert_eq!((&*log.session_id, &*log.source_last_seq), ("u", "\"5-z\""));
        assert_eq!(log.history.len(), 1);
        assert_eq!(parse(b"{}").unwrap(), StoredLog::default());
        assert_eq!(
            parse(br#"{"session_id":7,"last_seq":1}"#).unwrap(),
            StoredLog::default()
        );
        assert!(parse(b"[]").is_err());
        assert!(parse(b"{").is_err());
    }
}
