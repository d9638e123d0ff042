//! Answers that were made and that their clients have not taken, counted in bytes: a server holds so much of them and not
//! much more, however many are open and whoever takes nothing.
//!
//! Whoever makes a piece of an answer waits before until there is room for one, first come, first served, and counts it when
//! it is made: how long it is shows then. What is more than there is room for is counted as well, and the next wait for that
//! to be taken. Nobody who asks has more than half of the room, so that who takes nothing leaves the other half to others.

use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use trunkline_core::limits::DOCUMENT_BYTES_MAX;
use trunkline_store::Database;

/// How long somebody waits for room until whoever holds it is looked at, and then again.
const PRESSED_EVERY: Duration = Duration::from_millis(2_500);
/// What one may have is so many times that at least, however little room there is.
const PIECES_OF_ONE_LEAST: usize = 8;
/// Shares that are remembered before those that nobody has are forgotten.
const SHARES_KEPT: usize = 1024;

/// All room that a server has for answers; cheap to clone.
#[derive(Clone, Debug)]
pub struct Unsent(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    all: Meter,
    of_one_max: usize,
    /// By name, `""` for all who give none.
    shares: Mutex<HashMap<Box<str>, Weak<Meter>>>,
    /// Somebody has waited for a while, or was refused.
    pressed: Notify,
    pressed_at: Mutex<Option<Instant>>,
}

/// What one who asks has of it; cheap to clone.
#[derive(Clone, Debug)]
pub struct Share {
    of: Arc<Shared>,
    one: Arc<Meter>,
}

/// Bytes that are counted until this is dropped.
#[derive(Debug)]
pub struct Counted {
    share: Share,
    bytes: usize,
}

/// Bytes that are held, of so many; who waits for room does so at `free`.
#[derive(Debug)]
struct Meter {
    max: usize,
    free: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    held: usize,
    /// Of what is held, bytes that there was no room for: what comes back pays that first.
    owed: usize,
}

impl Meter {
    fn new(bytes: usize) -> Meter {
        Meter {
            max: bytes,
            free: Semaphore::new(bytes.min(Semaphore::MAX_PERMITS)),
            state: Mutex::default(),
        }
    }

    /// Waits until so many are free.
    async fn room(&self, bytes: u32) {
        // Never closed.
        let Ok(mut free) = self.free.acquire_many(bytes).await else {
            return;
        };
        let mut state = self.state.lock();
        // What was taken while these were on their way.
        let paid = state.owed.min(bytes as usize);
        if let Some(paid) = free.split(paid) {
            state.owed -= paid.num_permits();
            paid.forget();
        }
    }

    fn take(&self, bytes: usize) {
        let mut state = self.state.lock();
        state.held += bytes;
        state.owed += bytes - self.free.forget_permits(bytes);
    }

    fn give_back(&self, bytes: usize) {
        let mut state = self.state.lock();
        state.held -= bytes;
        let paid = bytes.min(state.owed);
        state.owed -= paid;
        self.free.add_permits(bytes - paid);
    }

    /// Whether so many have room beside what is held; one does beside nothing, however long it is.
    fn has(&self, bytes: usize) -> bool {
        let held = self.state.lock().held;
        held == 0 || held.saturating_add(bytes) <= self.max
    }
}

impl Unsent {
    /// Room for so many bytes of all answers together.
    pub fn new(bytes_max: usize) -> Unsent {
        Unsent(Arc::new(Shared {
            all: Meter::new(bytes_max),
            of_one_max: bytes_max / 2,
            shares: Mutex::default(),
            pressed: Notify::new(),
            pressed_at: Mutex::default(),
        }))
    }

    /// That of whoever has this name, `""` of all who give none.
    pub fn share(&self, name: &str) -> Share {
        let mut shares = self.0.shares.lock();
        let of = Arc::clone(&self.0);
        if let Some(one) = shares.get(name).and_then(Weak::upgrade) {
            return Share { of, one };
        }
        if shares.len() >= SHARES_KEPT {
            shares.retain(|_, share| share.strong_count() > 0);
        }
        let one = Arc::new(Meter::new(self.0.of_one_max));
        shares.insert(name.into(), Arc::downgrade(&one));
        Share { of, one }
    }

    /// That of the one on whose behalf a handle is.
    pub fn share_of(&self, database: &Database) -> Share {
        let name = database.asker().and_then(|asker| asker.user.name());
        self.share(name.unwrap_or_default())
    }

    /// Resolves when somebody has waited for a while, or was refused, each time.
    pub async fn pressed(&self) {
        self.0.pressed.notified().await;
    }
}

impl Shared {
    /// What has to be free before a piece is made: as much as the longest document takes.
    fn piece(&self) -> u32 {
        let most = self.of_one_max / PIECES_OF_ONE_LEAST;
        u32::try_from(DOCUMENT_BYTES_MAX.min(most)).unwrap_or(u32::MAX)
    }

    fn press(&self) {
        let now = Instant::now();
        let mut pressed_at = self.pressed_at.lock();
        if pressed_at.is_none_or(|at| now - at >= PRESSED_EVERY) {
            *pressed_at = Some(now);
            self.pressed.notify_waiters();
        }
    }
}

impl Share {
    /// Waits until there is room for a piece.
    pub async fn room(&self) {
        let piece = self.of.piece();
        let room = async {
            self.one.room(piece).await;
            self.of.all.room(piece).await;
        };
        let mut room = std::pin::pin!(room);
        while tokio::time::timeout(PRESSED_EVERY, &mut room).await.is_err() {
            self.of.press();
        }
    }

    /// Counts what was made, whether or not there is room.
    pub fn count(&self, bytes: usize) -> Counted {
        self.one.take(bytes);
        self.of.all.take(bytes);
        let share = self.clone();
        Counted { share, bytes }
    }

    /// A piece that is counted as long as any part of it is there.
    pub fn hold(&self, mut piece: Vec<u8>) -> Bytes {
        // Room for much more than is in it is held as well.
        if piece.capacity() > piece.len().saturating_mul(2) {
            piece.shrink_to_fit();
        }
        let _of = self.count(piece.capacity());
        Bytes::from_owner(Held { piece, _of })
    }

    /// Counts what was made if it has room.
    pub fn count_if_room(&self, bytes: usize) -> Option<Counted> {
        if self.has_room(bytes) {
            return Some(self.count(bytes));
        }
        self.of.press();
        None
    }

    /// Whether there is no room for a piece.
    pub fn is_full(&self) -> bool {
        !self.has_room(self.of.piece() as usize)
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.one.has(bytes) && self.of.all.has(bytes)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.share.one.give_back(self.bytes);
        self.share.of.all.give_back(self.bytes);
    }
}

struct Held {
    piece: Vec<u8>,
    _of: Counted,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.piece
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::poll;

    const ALL: usize = 2 * PIECES_OF_ONE_LEAST * DOCUMENT_BYTES_MAX;

    fn free(meter: &Meter) -> isize {
        meter.free.available_permits() as isize - meter.state.lock().owed as isize
    }

    /// What is free of a share, and of all.
    fn both(share: &Share) -> (isize, isize) {
        (free(&share.one), free(&share.of.all))
    }

    #[tokio::test]
    async fn bytes_are_counted_until_their_last_part_is_gone() {
        let unsent = Unsent::new(ALL);
        let anna = unsent.share("anna");
        let piece = anna.hold(vec![7; 1000]);
        let part = piece.slice(10..20);
        drop(piece);
        assert_eq!(both(&anna), (ALL as isize / 2 - 1000, ALL as isize - 1000));
        drop(part);
        assert_eq!(both(&anna), (ALL as isize / 2, ALL as isize));
        // What was reserved and is not used is not held.
        let mut roomy = Vec::with_capacity(100_000);
        roomy.push(7);
        let _short = anna.hold(roomy);
        assert!(free(&unsent.0.all) > ALL as isize - 1000);
    }

    #[tokio::test(start_paused = true)]
    async fn one_has_half_and_others_the_other() {
        let unsent = Unsent::new(ALL);
        let (anna, ben, carl) = (unsent.share("anna"), unsent.share("ben"), unsent.share(""));
        let held = anna.count(ALL / 2);
        assert!(anna.is_full() && unsent.share("anna").is_full() && !ben.is_full());
        let second = unsent.share("anna");
        let mut waits = Box::pin(second.room());
        assert!(poll!(&mut waits).is_pending());
        ben.room().await;
        let other = ben.count_if_room(ALL / 2).unwrap();
        assert!(carl.is_full() && carl.count_if_room(1).is_none());
        let mut last = Box::pin(carl.room());
        assert!(poll!(&mut last).is_pending());
        drop(other);
        last.await;
        assert!(poll!(&mut waits).is_pending());
        drop(held);
        waits.await;
        assert_eq!(free(&unsent.0.all), ALL as isize);
    }

    /// What is longer than was thought is paid back before anybody else has room.
    #[tokio::test(start_paused = true)]
    async fn what_is_made_beyond_the_room_is_owed() {
        let unsent = Unsent::new(ALL);
        let anna = unsent.share("anna");
        anna.room().await;
        // Beside nothing, it may be as long as it is.
        let long = anna.count_if_room(ALL).unwrap();
        assert_eq!(free(&anna.one), -(ALL as isize) / 2);
        let short = anna.count(10);
        drop(long);
        assert_eq!(both(&anna), (ALL as isize / 2 - 10, ALL as isize - 10));
        drop(short);
        anna.room().await;
        assert_eq!(both(&anna), (ALL as isize / 2, ALL as isize));
    }

    /// Who was let through leaves nothing free that is owed.
    #[tokio::test(start_paused = true)]
    async fn what_is_taken_before_who_waits_comes_to_it_is_owed_too() {
        let unsent = Unsent::new(ALL);
        let anna = unsent.share("anna");
        let (_kept, held) = (
            anna.count(ALL / 2 - DOCUMENT_BYTES_MAX),
            anna.count(DOCUMENT_BYTES_MAX),
        );
        let mut waits = Box::pin(anna.room());
        assert!(poll!(&mut waits).is_pending());
        drop(held);
        let short = anna.count(100);
        waits.await;
        assert!(anna.is_full());
        let mut next = Box::pin(anna.room());
        assert!(poll!(&mut next).is_pending());
        drop(short);
        next.await;
        assert!(!anna.is_full());
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_wait_any_more_keeps_nothing_and_who_waits_is_heard() {
        let unsent = Unsent::new(ALL);
        let (anna, ben) = (unsent.share("anna"), unsent.share("ben"));
        let held = (anna.count(ALL / 2), ben.count(ALL / 2));
        let carl = unsent.share("carl");
        {
            let mut gone = Box::pin(carl.room());
            assert!(poll!(&mut gone).is_pending());
        }
        assert_eq!(free(&carl.one), ALL as isize / 2);
        let quiet = tokio::time::timeout(10 * PRESSED_EVERY, unsent.pressed());
        assert!(quiet.await.is_err());
        tokio::select! {
            _ = carl.room() => panic!("there is none"),
            () = unsent.pressed() => {}
        }
        drop(held);
        assert_eq!(free(&unsent.0.all), ALL as isize);
    }

    #[test]
    fn shares_that_nobody_has_are_forgotten() {
        let unsent = Unsent::new(ALL);
        let kept = unsent.share("kept");
        let _piece = kept.count(5);
        for number in 0..3 * SHARES_KEPT {
            drop(unsent.share(&number.to_string()));
        }
        assert!(unsent.0.shares.lock().len() <= SHARES_KEPT);
        assert_eq!(free(&unsent.share("kept").one), ALL as isize / 2 - 5);
    }
}
