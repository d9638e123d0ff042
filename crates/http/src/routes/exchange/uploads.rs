//! Uploads of contents that were cut off, to be gone on with; and whole ones that wait for a document to name them.

use crate::app::App;
use crate::error::{Error, Result};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;
use trunkline_core::attachment::{AttachmentSource, Content, ContentHash};
use trunkline_core::doc::Edit;
use trunkline_core::limits::{
    EXCHANGE_UPLOAD_KEPT_MS, EXCHANGE_UPLOADS_BYTES_MAX, EXCHANGE_UPLOADS_MAX, EXCHANGE_UPLOADS_OPEN_MAX,
};
use trunkline_store::{Database, StagedContents, Staging};

/// A content in a database.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    database: String,
    /// Whose it is; nobody's where all is seen.
    whose: Option<String>,
    hash: ContentHash,
}

impl Place {
    pub(super) fn new(db: &Database, hash: ContentHash) -> Place {
        Place {
            database: db.name().as_str().to_owned(),
            // Others' uploads tell which contents there are.
            whose: db.asker().filter(|asker| asker.sees.is_some()).map(|asker| {
                let name = asker.user.name();
                name.unwrap_or_default().to_owned()
            }),
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
    /// Whether a task looks for those that are kept too long.
    swept: bool,
}

/// An upload of a content, numbered: one that is cut after another began leaves nothing.
#[derive(Debug)]
struct Upload {
    turn: u64,
    state: State,
    /// Of this state.
    since: Instant,
}

#[derive(Debug)]
enum State {
    /// Bytes are coming.
    Running,
    Cut(Box<Staging>),
    Whole(Database, Content),
}

/// An upload under way. However it ends, its place is free again, unless something was left in it.
pub(super) struct Turn {
    app: App,
    place: Place,
    number: u64,
}

impl Turn {
    /// Begins, or takes what an earlier upload left, to go on at its end.
    pub(super) fn take(app: &App, place: Place, from: u64) -> Result<(Turn, Option<Staging>)> {
        let (number, staging) = app.uploads.go_on(&place, from)?;
        let app = app.clone();
        Ok((Turn { app, place, number }, staging))
    }

    /// Keeps what came before a cut.
    pub(super) fn keep(self, staging: Staging) {
        self.app.uploads.put(&self, State::Cut(Box::new(staging)));
    }

    /// Keeps a whole content until a document takes it.
    pub(super) fn wait(self, db: &Database, content: Content) {
        self.app.uploads.put(&self, State::Whole(db.clone(), content));
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut kept = self.app.uploads.0.lock();
        let upload = kept.all.get(&self.place);
        if upload.is_some_and(|upload| upload.turn == self.number && upload.state.is_running()) {
            kept.all.remove(&self.place);
        }
    }
}

impl Uploads {
    /// Bytes that an upload which was cut off left.
    pub(super) fn begun(&self, place: &Place) -> u64 {
        let kept = self.0.lock();
        kept.all.get(place).map_or(0, |upload| upload.state.begun())
    }

    /// Whether a content is here whole, for documents to come.
    pub(super) fn has(&self, place: &Place) -> bool {
        let kept = self.0.lock();
        kept.all.get(place).is_some_and(|upload| upload.state.is_whole())
    }

    /// Hands over the contents that edits bring; others that they name are stored, or staged for others.
    pub(super) fn hand_over(&self, db: &Database, edits: &mut [Edit]) -> StagedContents {
        let mut staged = StagedContents::new(db);
        let mut kept = self.0.lock();
        let attachments = edits.iter_mut().flat_map(|edit| match edit {
            Edit::Interactive(edit) => &mut edit.attachments,
            Edit::Replicated(edit) => &mut edit.attachments,
        });
        for attachment in attachments {
            let content = match &attachment.source {
                AttachmentSource::Staged(content) => content.clone(),
                // Taken as still to come from those alone who may know what is waited for.
                AttachmentSource::Later(content) if !db.is_whole() => content.clone(),
                _ => continue,
            };
            let place = Place::new(db, content.hash);
            let is_whole = |upload: &mut Upload| upload.state.is_whole();
            let brought = match kept.all.get_mut(&place).is_some_and(is_whole) {
                true => kept.all.remove(&place),
                false => None,
            };
            attachment.source = match brought.map(|upload| upload.state) {
                // As it is named: bytes that are others are the commit's to find.
                Some(_) => staged.add(content),
                None => staged
                    .add_again(&content)
                    .unwrap_or(AttachmentSource::Named(content)),
            };
        }
        staged
    }

    fn go_on(&self, place: &Place, from: u64) -> Result<(u64, Option<Staging>)> {
        let mut kept = self.0.lock();
        let begun = kept.all.get(place).map_or(0, |upload| upload.state.begun());
        if from > 0 && begun != from {
            return Err(Error::UploadElsewhere(begun));
        }
        kept.turns += 1;
        let turn = kept.turns;
        // Another peer's documents rely on what is whole, until this is whole too.
        if kept.all.get(place).is_some_and(|upload| upload.state.is_whole()) {
            return Ok((turn, None));
        }
        let staging = match kept.all.remove(place).map(|upload| upload.state) {
            Some(State::Cut(staging)) if staging.bytes_staged() == from => Some(*staging),
            _ => None,
        };
        if staging.is_none() {
            kept.make_room()?;
        }
        kept.all.insert(place.clone(), Upload::new(turn, State::Running));
        Ok((turn, staging))
    }

    fn put(&self, turn: &Turn, state: State) {
        let mut kept = self.0.lock();
        let found = kept.all.get(&turn.place);
        let is_wanted = match &state {
            // Staged twice, one use is enough for the documents to come.
            State::Whole(..) => found.is_none_or(|upload| !upload.state.is_whole()),
            _ => found.is_some_and(|upload| upload.turn == turn.number && upload.state.is_running()),
        };
        if !is_wanted {
            return state.let_go();
        }
        kept.all
            .insert(turn.place.clone(), Upload::new(turn.number, state));
        if !std::mem::replace(&mut kept.swept, true) {
            tokio::spawn(sweep(turn.app.clone()));
        }
    }
}

/// Lets go what was kept for too long, until nothing is kept; all of it when the server stops.
async fn sweep(app: App) {
    let kept_for = Duration::from_millis(EXCHANGE_UPLOAD_KEPT_MS);
    loop {
        let stops = tokio::select! {
            () = tokio::time::sleep(kept_for / 10) => false,
            () = app.stopping.cancelled() => true,
        };
        let mut kept = app.uploads.0.lock();
        let late = |upload: &Upload| stops || upload.since.elapsed() >= kept_for;
        let gone = kept
            .all
            .extract_if(|_, upload| !upload.state.is_running() && late(upload));
        gone.for_each(|(_, upload)| upload.state.let_go());
        if kept.all.values().all(|upload| upload.state.is_running()) {
            kept.swept = false;
            return;
        }
    }
}

impl Kept {
    /// Lets the oldest go that can be brought again, when there are too many.
    fn make_room(&mut self) -> Result<()> {
        loop {
            let open = self.all.values().filter(|upload| !upload.state.is_whole());
            let is_open_full = open.count() >= EXCHANGE_UPLOADS_OPEN_MAX;
            if !is_open_full
                && self.all.len() < EXCHANGE_UPLOADS_MAX
                && self.bytes() < EXCHANGE_UPLOADS_BYTES_MAX
            {
                return Ok(());
            }
            let left = self.all.iter().filter(|(_, upload)| match upload.state {
                State::Running => false,
                State::Cut(_) => true,
                State::Whole(..) => !is_open_full,
            });
            let oldest = left.min_by_key(|(_, upload)| upload.turn);
            let oldest = oldest.map(|(place, _)| place.clone()).ok_or(Error::Busy)?;
            if let Some(upload) = self.all.remove(&oldest) {
                upload.state.let_go();
            }
        }
    }

    fn bytes(&self) -> u64 {
        self.all.values().map(|upload| upload.state.bytes()).sum()
    }
}

impl Upload {
    fn new(turn: u64, state: State) -> Upload {
        Upload {
            turn,
            state,
            since: Instant::now(),
        }
    }
}

impl State {
    fn is_running(&self) -> bool {
        matches!(self, State::Running)
    }

    fn is_whole(&self) -> bool {
        matches!(self, State::Whole(..))
    }

    fn begun(&self) -> u64 {
        match self {
            State::Cut(staging) => staging.bytes_staged(),
            State::Running | State::Whole(..) => 0,
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            State::Running => 0,
            State::Cut(staging) => staging.bytes_staged(),
            State::Whole(_, content) => content.stored_bytes(),
        }
    }

    fn let_go(self) {
        if let State::Whole(db, content) = self {
            db.unstage(&content);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_core::attachment::Encoding;
    use trunkline_core::db_name::DbName;
    use trunkline_store::Store;

    fn place(number: usize) -> Place {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&number.to_le_bytes());
        Place {
            database: "db".into(),
            whose: None,
            hash,
        }
    }

    #[test]
    fn the_oldest_that_wait_make_room_and_those_under_way_never_do() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let db = store.create(&DbName::parse("db").unwrap()).unwrap();
        let mut kept = Kept::default();
        let whole = |number| {
            let content = Content {
                hash: place(number).hash,
                md5: [0; 16],
                length: 1,
                encoding: Encoding::Identity,
            };
            Upload::new(number as u64, State::Whole(db.clone(), content))
        };
        let running = |number| Upload::new(number as u64, State::Running);
        kept.all.insert(place(0), running(0));
        for number in 1..EXCHANGE_UPLOADS_MAX {
            kept.all.insert(place(number), whole(number));
        }
        kept.make_room().unwrap();
        assert_eq!(kept.all.len(), EXCHANGE_UPLOADS_MAX - 1);
        assert!(kept.all.contains_key(&place(0)));
        assert!(!kept.all.contains_key(&place(1)));

        for number in 2..=EXCHANGE_UPLOADS_OPEN_MAX {
            kept.all.insert(place(number), running(number));
        }
        assert!(matches!(kept.make_room(), Err(Error::Busy)));
        let number = EXCHANGE_UPLOADS_OPEN_MAX;
        let staging = Box::new(db.stage(None).unwrap());
        kept.all
            .insert(place(number), Upload::new(1, State::Cut(staging)));
        kept.make_room().unwrap();
        assert!(!kept.all.contains_key(&place(number)));
    }
}
