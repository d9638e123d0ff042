//! Uploads of contents that were cut off, to be gone on with; and whole ones that wait for a document to name them.

use crate::app::App;
use crate::error::{Error, Result};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::Duration;
use trunkline_core::attachment::{Content, ContentHash, Encoding};
use trunkline_core::limits::{EXCHANGE_UPLOAD_KEPT_MS, EXCHANGE_UPLOADS_BYTES_MAX, EXCHANGE_UPLOADS_MAX};
use trunkline_store::{Database, Staging};

/// A content in a database.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    database: String,
    hash: ContentHash,
}

impl Place {
    pub(super) fn new(db: &Database, hash: ContentHash) -> Place {
        Place {
            database: db.name().as_str().to_owned(),
            hash,
        }
    }
}

/// All uploads of a server.
#[derive(Debug, Default)]
pub(crate) struct Uploads(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    turns: u64,
    all: HashMap<Place, Upload>,
}

/// The last upload of a content, numbered: one that another overtook leaves nothing.
#[derive(Debug)]
struct Upload {
    turn: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Bytes are coming.
    Running,
    Cut(Box<Staging>),
    Whole(Database, Content),
}

impl Uploads {
    /// Bytes that an upload which was cut off left.
    pub(super) fn begun(&self, place: &Place) -> u64 {
        let kept = self.0.lock();
        match kept.all.get(place).map(|upload| &upload.state) {
            Some(State::Cut(staging)) => staging.bytes_staged(),
            _ => 0,
        }
    }

    /// Takes what an upload left, to go on at its end, or nothing, to begin; and the number of the new one.
    pub(super) fn go_on(&self, place: &Place, from: u64) -> Result<(u64, Option<Staging>)> {
        let mut kept = self.0.lock();
        let left = kept.all.remove(place);
        let turn = kept.turns;
        let staging = match left.map(|upload| (upload.turn, upload.state)) {
            Some((_, State::Cut(staging))) if staging.bytes_staged() == from => Some(*staging),
            Some((turn, State::Cut(staging))) if from > 0 => {
                let begun = staging.bytes_staged();
                let state = State::Cut(staging);
                kept.all.insert(place.clone(), Upload { turn, state });
                return Err(Error::UploadElsewhere(begun));
            }
            Some((_, state)) => {
                state.let_go();
                None
            }
            None => None,
        };
        if staging.is_none() {
            if from > 0 {
                return Err(Error::UploadElsewhere(0));
            }
            kept.make_room()?;
        }
        kept.turns += 1;
        let state = State::Running;
        kept.all.insert(place.clone(), Upload { turn, state });
        Ok((turn, staging))
    }

    /// Keeps what came before a cut.
    pub(super) fn keep(&self, app: &App, place: &Place, turn: u64, staging: Staging) {
        self.put(app, place, turn, State::Cut(Box::new(staging)));
    }

    /// Keeps a whole content until a document takes it.
    pub(super) fn wait(&self, app: &App, place: &Place, turn: u64, db: &Database, content: Content) {
        self.put(app, place, turn, State::Whole(db.clone(), content));
    }

    /// Nothing is left of an upload.
    pub(super) fn forget(&self, place: &Place, turn: u64) {
        let mut kept = self.0.lock();
        if kept.all.get(place).is_some_and(|upload| upload.turn == turn)
            && let Some(upload) = kept.all.remove(place)
        {
            upload.state.let_go();
        }
    }

    fn put(&self, app: &App, place: &Place, turn: u64, state: State) {
        let mut kept = self.0.lock();
        match kept.all.get_mut(place) {
            Some(upload) if upload.turn == turn => upload.state = state,
            _ => return state.let_go(),
        }
        drop(kept);
        let (app, place) = (app.clone(), place.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(EXCHANGE_UPLOAD_KEPT_MS)) => {}
                () = app.stopping.cancelled() => {}
            }
            app.uploads.forget(&place, turn);
        });
    }
}

impl Kept {
    /// Lets the oldest go that can be begun again, when there are too many.
    fn make_room(&mut self) -> Result<()> {
        while self.all.len() >= EXCHANGE_UPLOADS_MAX || self.bytes() >= EXCHANGE_UPLOADS_BYTES_MAX {
            let cut = self
                .all
                .iter()
                .filter(|(_, upload)| matches!(upload.state, State::Cut(_)));
            let oldest = cut.min_by_key(|(_, upload)| upload.turn);
            let oldest = oldest.map(|(place, _)| place.clone()).ok_or(Error::Busy)?;
            self.all.remove(&oldest);
        }
        Ok(())
    }

    fn bytes(&self) -> u64 {
        self.all.values().map(|upload| upload.state.bytes()).sum()
    }
}

impl State {
    fn bytes(&self) -> u64 {
        match self {
            State::Running => 0,
            State::Cut(staging) => staging.bytes_staged(),
            State::Whole(_, content) => match content.encoding {
                Encoding::Identity => content.length,
                Encoding::Gzip { encoded_length } => encoded_length,
            },
        }
    }

    fn let_go(self) {
        if let State::Whole(db, content) = self {
            db.unstage(&content);
        }
    }
}
