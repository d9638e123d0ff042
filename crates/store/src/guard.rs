//! What else has a say in which edits of documents are taken: a guard per database, made of its design documents by
//! whoever knows how. Called in the write path, by whichever thread leads the commit.

use crate::file::OpenFile;
use crate::{Database, DocsScan, Error, Leaf, Refused, Store};
use parking_lot::{Mutex, RwLock};
use std::fmt;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use trunkline_core::attachment::Attachment;
use trunkline_core::db_name::DbName;
use trunkline_core::doc::RevPath;
use trunkline_core::rev::Rev;
use trunkline_wire::functions::User;

/// An edit that is about to be taken. Design documents and local documents are none of a guard's business.
#[derive(Debug)]
pub struct Candidate<'a> {
    /// Differs from one commit to the next.
    pub commit: u64,
    /// The document's id.
    pub id: &'a str,
    /// The revision it would get.
    pub rev: &'a Rev,
    /// That revision with those of its ancestors that the edit names.
    pub path: &'a RevPath,
    /// Whether it is a tombstone.
    pub deleted: bool,
    /// JSON text as in [`trunkline_core::doc::Body`].
    pub body: &'a str,
    /// In document order.
    pub attachments: &'a [Attachment],
    /// The leaf that it goes on from, if there is one.
    pub old: Option<&'a Leaf>,
    /// Whether who makes it follows feeds, and `old` is a tombstone that is in none of them, and not seen either: of who
    /// follows a feed the ended documents are in it.
    pub foreign: bool,
    /// Whether it is a client's edit, and not one that was made elsewhere and is replicated.
    pub interactive: bool,
    /// Who makes it; `None` is the embedding program, which may do everything.
    pub user: Option<&'a User>,
}

/// Says whether an edit is taken.
pub type Guard = Arc<dyn Fn(&Candidate<'_>) -> Result<(), Refused> + Send + Sync>;

/// What a guard is made of.
#[derive(Debug)]
pub struct Guarded<'a> {
    /// The database.
    pub name: &'a DbName,
    /// Its design documents: id and body.
    pub designs: &'a [(String, String)],
    /// `_security`, JSON text, where it was set.
    pub security: Option<&'a str>,
}

/// Makes the guard of a database; `None` where nothing is to be guarded.
pub type GuardMaker = Arc<dyn Fn(&Guarded<'_>) -> Option<Guard> + Send + Sync>;

/// The guard of an open database, as far as it is known.
#[derive(Clone, Default)]
pub(crate) enum Known {
    /// Its design documents are to be looked at.
    #[default]
    Not,
    Unguarded,
    Guarded(Guard),
}

/// [`Known`], beside an open file, and how many makers there were then.
#[derive(Default)]
pub(crate) struct Post(Mutex<(Known, usize)>);

impl Post {
    /// Design documents changed, or what else a guard is made of.
    pub(crate) fn forget(&self) {
        self.0.lock().0 = Known::Not;
    }
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.lock().0 {
            Known::Not => "not known",
            Known::Unguarded => "unguarded",
            Known::Guarded(_) => "guarded",
        })
    }
}

impl Store {
    /// Sets, once, what makes the guards of its databases of their design documents. The first to come stays.
    pub fn set_guard_maker(&self, maker: GuardMaker) {
        let makers = &self.shared.guard_makers;
        if makers.of_designs.set(maker).is_ok() {
            makers.count.fetch_add(1, Ordering::Release);
        }
    }

    /// Adds one more, of a program's own, for as long as the store is open: its guards are asked first. Every edit that is
    /// written after this call is asked about.
    pub fn add_guard_maker(&self, maker: GuardMaker) {
        let makers = &self.shared.guard_makers;
        makers.own.write().push(maker);
        makers.count.fetch_add(1, Ordering::Release);
    }
}

/// What makes guards.
#[derive(Default)]
pub(crate) struct Makers {
    of_designs: OnceLock<GuardMaker>,
    own: RwLock<Vec<GuardMaker>>,
    /// Grows with each that comes.
    count: AtomicUsize,
}

impl fmt::Debug for Makers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} guard makers", self.count.load(Ordering::Relaxed))
    }
}

impl Makers {
    /// All their guards as one.
    fn make(&self, guarded: &Guarded<'_>) -> Option<Guard> {
        let own = self.own.read();
        let makers = own.iter().chain(self.of_designs.get());
        let mut guards: Vec<Guard> = makers.filter_map(|maker| maker(guarded)).collect();
        match guards.len() {
            0 | 1 => guards.pop(),
            _ => Some(Arc::new(move |candidate| {
                guards.iter().try_for_each(|guard| guard(candidate))
            })),
        }
    }
}

impl Database {
    /// Who guards it, for the leader of a commit: known without a look at the disk until design documents change.
    pub(crate) fn guard(&self, file: &OpenFile) -> Result<Option<Guard>, Error> {
        let makers = &self.store.shared.guard_makers;
        let count = makers.count.load(Ordering::Acquire);
        if count == 0 {
            return Ok(None);
        }
        match &*file.post.0.lock() {
            (Known::Unguarded, of) if *of == count => return Ok(None),
            (Known::Guarded(guard), of) if *of == count => return Ok(Some(guard.clone())),
            _ => {}
        }
        let designs = self.designs()?;
        let security = if designs.is_empty() {
            None
        } else {
            self.security()?
        };
        let guard = makers.make(&Guarded {
            name: self.name(),
            designs: &designs,
            security: security.as_deref(),
        });
        let known = guard.clone().map_or(Known::Unguarded, Known::Guarded);
        *file.post.0.lock() = (known, count);
        Ok(guard)
    }

    fn designs(&self) -> Result<Vec<(String, String)>, Error> {
        let live = self.whole().unpinned();
        let mut designs = Vec::new();
        let mut scan = DocsScan {
            start: Some(DESIGN.to_owned()),
            after_start: false,
            end: Some(DESIGNS_END.to_owned()),
            inclusive_end: false,
            descending: false,
            bodies: true,
            limit: usize::MAX,
        };
        loop {
            let end = live.all_docs(&scan, &mut |row| {
                let body = row
                    .winner
                    .map_or_else(String::new, |winner| winner.body.to_owned());
                designs.push((row.id.to_owned(), body));
                ControlFlow::Continue(())
            })?;
            if end.done || end.last.is_none() {
                return Ok(designs);
            }
            scan.start = end.last;
            scan.after_start = true;
        }
    }
}

/// Begins the ids of design documents.
pub(crate) const DESIGN: &str = "_design/";
/// Behind all of them.
const DESIGNS_END: &str = "_design0";
