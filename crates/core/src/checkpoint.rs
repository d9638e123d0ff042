//! Replication logs: what a checkpoint document holds, and where two logs agree.
//!
//! Source and target each keep a log of the same replication. Either may be behind (a crash between the two
//! writes) or foreign (restored from a backup, deleted and made again), so a seq counts only when both logs name
//! the session that recorded it.

/// One run in a log's history. Seqs are kept as JSON text, since a peer's may be strings, numbers or arrays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Names the run.
    pub session_id: Box<str>,
    /// The source seq it had reached.
    pub recorded_seq: Box<str>,
}

/// The part of a checkpoint document that decides where to start. The default is the log of a replication that
/// never ran.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicationLog {
    /// Of the newest run.
    pub session_id: Box<str>,
    /// Of the newest run, as JSON text.
    pub source_last_seq: Box<str>,
    /// Newest first.
    pub history: Vec<Session>,
}

/// The source seq both logs know to be replicated, as JSON text; `None` means from the beginning.
pub fn common_seq(source: &ReplicationLog, target: &ReplicationLog) -> Option<Box<str>> {
    let seq = if !source.session_id.is_empty() && source.session_id == target.session_id {
        &source.source_last_seq
    } else {
        last_shared(&source.history, &target.history)?
    };
    (!seq.is_empty()).then(|| seq.into())
}

// Walks both histories from the newest run. The seq that counts is the one beside the session in the log whose
// newest run it is: the other side has gone on since, or has missed only that log's last write.
fn last_shared<'a>(mut source: &'a [Session], mut target: &'a [Session]) -> Option<&'a str> {
    while let ([newest, source_older @ ..], [target_newest, target_older @ ..]) = (source, target) {
        if holds(target, newest) {
            return Some(&newest.recorded_seq);
        }
        if holds(source_older, target_newest) {
            return Some(&target_newest.recorded_seq);
        }
        (source, target) = (source_older, target_older);
    }
    None
}

fn holds(history: &[Session], session: &Session) -> bool {
    !session.session_id.is_empty() && history.iter().any(|other| other.session_id == session.session_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    // "c3 b2 a1" is a log whose newest session c recorded seq 3; every session's seq is told by its log, so that a
    // test sees which log the answer came from.
    fn log(text: &str) -> ReplicationLog {
        let history: Vec<Session> = text
            .split_whitespace()
            .map(|session| Session {
                session_id: session[..1].into(),
                recorded_seq: session[1..].into(),
            })
            .collect();
        ReplicationLog {
            session_id: history
                .first()
                .map(|newest| newest.session_id.clone())
                .unwrap_or_default(),
            source_last_seq: history
                .first()
                .map(|newest| newest.recorded_seq.clone())
                .unwrap_or_default(),
            history,
        }
    }

    #[track_caller]
    fn check(source: &str, target: &str, expected: Option<&str>) {
        assert_eq!(common_seq(&log(source), &log(target)).as_deref(), expected);
    }

    #[test]
    fn without_a_log_on_either_side_it_starts_at_the_beginning() {
        check("", "", None);
        check("a1", "", None);
        check("", "a1", None);
    }

    #[test]
    fn equal_newest_sessions_use_the_sources_seq() {
        check("b2 a1", "b9 a1", Some("2"));
    }

    #[test]
    fn equal_newest_sessions_need_no_history() {
        let source = ReplicationLog {
            session_id: "x".into(),
            source_last_seq: "\"7-g\"".into(),
            history: vec![],
        };
        assert_eq!(common_seq(&source, &source).as_deref(), Some("\"7-g\""));
    }

    #[test]
    fn a_source_that_is_behind_uses_its_newest_seq() {
        check("a1", "c3 b2 a9", Some("1"));
        check("b2 a1", "d4 c3 b8 a9", Some("2"));
    }

    #[test]
    fn a_target_that_is_behind_uses_its_newest_seq() {
        check("c3 b2 a9", "a1", Some("1"));
        check("d4 c3 b9 a8", "b2 a1", Some("2"));
    }

    #[test]
    fn heads_that_neither_knows_are_dropped_together() {
        check("y8 a1", "x9 a1", Some("1"));
        check("z9 y8 b2 a1", "w7 v6 b5 a1", Some("2"));
        // The heads are dropped in pairs: after y and x, the target's list is over before its `a` is looked for.
        check("z9 y8 a1", "x7 w6", None);
    }

    #[test]
    fn a_session_dropped_from_one_history_can_no_longer_be_found_in_it() {
        check("y8 a1", "a3 x9", Some("3"));
        check("y8 x7 a1", "w9 a3", Some("3"));
    }

    #[test]
    fn histories_without_a_shared_session_start_at_the_beginning() {
        check("b2 a1", "d4 c3", None);
    }

    #[test]
    fn sessions_without_a_name_never_match() {
        let nameless = ReplicationLog {
            session_id: "".into(),
            source_last_seq: "5".into(),
            history: vec![Session {
                session_id: "".into(),
                recorded_seq: "5".into(),
            }],
        };
        assert_eq!(common_seq(&nameless, &nameless), None);
    }
}
