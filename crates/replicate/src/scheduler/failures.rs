//! The documents of a job that did not get to its target: listed, kept over restarts, crossed off once they did.

use super::now_ms;
use crate::session::RefusedDoc;
use parking_lot::Mutex;
use std::collections::HashMap;
use trunkline_core::db_name::DbName;
use trunkline_core::doc_id::LocalId;
use trunkline_core::limits::{ODD_ID_CHARS_MAX, REFUSED_LISTED_MAX};
use trunkline_store::{Error, Store};
use trunkline_wire::replication::{Failure, parse_failures, write_failures};

/// A job's list.
#[derive(Debug)]
pub(super) struct Failures {
    /// The job.
    id: String,
    /// The database whose local document keeps the list; `None` keeps it in memory only.
    home: Option<DbName>,
    kept: Mutex<Kept>,
    /// Held while the list is written, so that no older one is written over a newer.
    saving: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Kept {
    list: Vec<Failure>,
    unlisted: u64,
    /// The job is gone: whatever its task still tells comes too late, and a new job of the same name may have a list.
    forgotten: bool,
}

impl Failures {
    pub(super) fn new(id: &str, home: Option<DbName>) -> Failures {
        Failures {
            id: id.to_owned(),
            home,
            kept: Mutex::default(),
            saving: tokio::sync::Mutex::default(),
        }
    }

    /// How many there are, listed or not.
    pub(super) fn count(&self) -> u64 {
        let kept = self.kept.lock();
        kept.list.len() as u64 + kept.unlisted
    }

    /// Those that are listed, and how many there are beside them.
    pub(super) fn listed(&self) -> (Vec<Failure>, u64) {
        let kept = self.kept.lock();
        (kept.list.clone(), kept.unlisted)
    }

    /// Adds documents, up to the bound; one that is listed counts another attempt.
    pub(super) fn add(&self, refused: &[RefusedDoc], unlisted: u64) {
        let mut kept = self.kept.lock();
        let kept = &mut *kept;
        if kept.forgotten {
            return;
        }
        kept.unlisted += unlisted;
        let known: HashMap<(String, String), usize> = kept
            .list
            .iter()
            .enumerate()
            .map(|(at, failure)| ((failure.id.clone(), failure.rev.clone()), at))
            .collect();
        for doc in refused {
            let at = known.get(&(doc.id.clone(), doc.rev.clone())).copied();
            if let Some(failure) = at.and_then(|at| kept.list.get_mut(at)) {
                again(failure, doc);
            } else if kept.list.len() < REFUSED_LISTED_MAX {
                kept.list.push(Failure {
                    id: doc.id.clone(),
                    rev: doc.rev.clone(),
                    error: doc.error.clone(),
                    reason: cut(&doc.reason),
                    time_ms: now_ms(),
                    attempts: 1,
                });
            } else {
                kept.unlisted += 1;
            }
        }
    }

    /// Crosses off what was tried again, apart from what was refused again.
    pub(super) fn settle(&self, tried: &[Failure], refused: &[RefusedDoc]) {
        let mut kept = self.kept.lock();
        kept.list.retain_mut(|failure| {
            let is = |id: &str, rev: &str| failure.id == id && failure.rev == rev;
            if !tried.iter().any(|one| is(&one.id, &one.rev)) {
                return true;
            }
            let Some(doc) = refused.iter().find(|doc| is(&doc.id, &doc.rev)) else {
                return false;
            };
            again(failure, doc);
            true
        });
        if kept.list.is_empty() {
            // What was never listed cannot be tried again; whoever empties the list has seen how many there were.
            kept.unlisted = 0;
        }
    }

    /// Crosses off those of these documents, or all; answers how many.
    pub(super) fn dismiss(&self, docs: Option<&[String]>) -> u64 {
        let mut kept = self.kept.lock();
        let before = kept.list.len() as u64 + kept.unlisted;
        kept.list
            .retain(|failure| docs.is_some_and(|docs| !docs.contains(&failure.id)));
        if kept.list.is_empty() && before > 0 {
            kept.unlisted = 0;
        }
        before - kept.list.len() as u64 - kept.unlisted
    }

    /// Reads what was kept. Blocks.
    pub(super) fn load(&self, store: &Store) -> Result<(), Error> {
        let Some(home) = &self.home else { return Ok(()) };
        let database = match store.database(home) {
            Err(Error::DatabaseMissing(_)) => return Ok(()),
            database => database?,
        };
        if let Some((_, json)) = database.local(&local_id(&self.id)?)? {
            let corrupt = |_| Error::Corrupt(format!("the list of failures of {} cannot be read", self.id));
            let (list, unlisted) = parse_failures(&json).map_err(corrupt)?;
            let mut kept = self.kept.lock();
            if !kept.forgotten {
                (kept.list, kept.unlisted) = (list, unlisted);
            }
        }
        Ok(())
    }

    /// Writes the list where it is kept.
    pub(super) async fn save(&self, store: &Store) {
        let _saving = self.saving.lock().await;
        if !self.kept.lock().forgotten {
            self.write(store).await;
        }
    }

    async fn write(&self, store: &Store) {
        let Some(home) = self.home.clone() else { return };
        let text = {
            let kept = self.kept.lock();
            (!kept.list.is_empty() || kept.unlisted > 0).then(|| {
                let mut out = Vec::new();
                write_failures(&mut out, &kept.list, kept.unlisted);
                String::from_utf8_lossy(&out).into_owned()
            })
        };
        let (store, id) = (store.clone(), self.id.clone());
        let written = tokio::task::spawn_blocking(move || write(&store, &home, &id, text.as_deref())).await;
        if let Ok(Err(error)) = written {
            tracing::warn!(job = self.id, %error, "the list of failures could not be kept");
        }
    }

    /// Forgets them, for good: what is added or saved from now on is not kept.
    pub(super) async fn forget(&self, store: &Store) {
        let _saving = self.saving.lock().await;
        *self.kept.lock() = Kept {
            forgotten: true,
            ..Kept::default()
        };
        self.write(store).await;
    }
}

fn again(failure: &mut Failure, doc: &RefusedDoc) {
    failure.attempts += 1;
    failure.time_ms = now_ms();
    failure.error.clone_from(&doc.error);
    failure.reason = cut(&doc.reason);
}

/// A reason may quote what a peer sent, of any length.
fn cut(reason: &str) -> String {
    reason.chars().take(ODD_ID_CHARS_MAX).collect()
}

fn write(store: &Store, home: &DbName, id: &str, text: Option<&str>) -> Result<(), Error> {
    let database = match store.database(home) {
        Err(Error::DatabaseMissing(_)) if text.is_none() => return Ok(()),
        Err(Error::DatabaseMissing(_)) => store.create(home)?,
        database => database?,
    };
    let id = local_id(id)?;
    if text.is_none() && database.local(&id)?.is_none() {
        return Ok(());
    }
    database.put_local(&id, 0, text).map(drop)
}

fn local_id(job: &str) -> Result<LocalId, Error> {
    LocalId::parse(&format!("replication-failures-{job}"))
        .map_err(|_| Error::Corrupt(format!("{job} cannot name a list of failures")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(id: &str, reason: &str) -> RefusedDoc {
        RefusedDoc {
            id: id.to_owned(),
            rev: "1-a".to_owned(),
            error: "forbidden".to_owned(),
            reason: reason.to_owned(),
        }
    }

    #[tokio::test]
    async fn kept_counted_and_crossed_off() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let home = DbName::parse("_replicator").unwrap();
        let failures = Failures::new("job", Some(home.clone()));
        failures.add(&[refused("a", "x"), refused("b", "x")], 0);
        failures.add(&[refused("a", &"y".repeat(9999))], 0);
        failures.save(&store).await;

        let restarted = Failures::new("job", Some(home.clone()));
        restarted.load(&store).unwrap();
        let (list, unlisted) = restarted.listed();
        assert_eq!((list.len(), unlisted), (2, 0));
        assert_eq!((list[0].attempts, list[0].reason.len()), (2, ODD_ID_CHARS_MAX));
        restarted.settle(&list, &[refused("b", "still")]);
        let (list, _) = restarted.listed();
        assert_eq!(
            (list.len(), list[0].attempts, list[0].reason.as_str()),
            (1, 2, "still")
        );
        restarted.settle(&list, &[]);
        restarted.save(&store).await;
        let empty = Failures::new("job", Some(home));
        empty.load(&store).unwrap();
        assert_eq!(empty.count(), 0);
    }

    #[tokio::test]
    async fn what_is_forgotten_does_not_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let home = DbName::parse("_replicator").unwrap();
        let failures = Failures::new("job", Some(home.clone()));
        failures.add(&[refused("a", "x")], 0);
        failures.save(&store).await;
        failures.forget(&store).await;
        let restarted = Failures::new("job", Some(home));
        // The task of the job goes on for a moment.
        failures.load(&store).unwrap();
        failures.add(&[refused("b", "x")], 1);
        failures.save(&store).await;
        assert_eq!(failures.count(), 0);
        restarted.load(&store).unwrap();
        assert_eq!(restarted.count(), 0);
        // Nor does it take the list of the next job of that name with it.
        restarted.add(&[refused("c", "x")], 0);
        restarted.save(&store).await;
        failures.save(&store).await;
        restarted.load(&store).unwrap();
        assert_eq!(restarted.count(), 1);
    }

    #[test]
    fn bounded() {
        let failures = Failures::new("job", None);
        let many: Vec<RefusedDoc> = (0..REFUSED_LISTED_MAX + 5)
            .map(|number| refused(&number.to_string(), ""))
            .collect();
        failures.add(&many, 2);
        let (list, unlisted) = failures.listed();
        assert_eq!((list.len(), unlisted), (REFUSED_LISTED_MAX, 7));
        assert_eq!(failures.count(), REFUSED_LISTED_MAX as u64 + 7);
    }
}
