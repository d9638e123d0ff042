//! A disk that remembers every write since it was made, so that a test can see what a crash at any moment could have
//! left: all that was synced, and of what was written since any part, in any order.

use parking_lot::Mutex;
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use redb::StorageBackend;
use std::io;
use std::sync::Arc;

/// A disk in memory. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    /// What was there before `operations`, all of it synced.
    start: Vec<u8>,
    operations: Vec<Operation>,
    /// Keeps no operations but those since the last sync.
    forgets: bool,
    /// Writes and syncs that succeed before some fail, and how many fail then.
    faults: Option<(usize, usize)>,
    refused: bool,
}

#[derive(Clone, Debug)]
enum Operation {
    Write { offset: usize, bytes: Vec<u8> },
    SetLen(usize),
    Sync,
}

impl Operation {
    fn apply(&self, disk: &mut Vec<u8>) {
        match self {
            Operation::Write { offset, bytes } => {
                let end = offset + bytes.len();
                // A write may reach the disk when the growth of the file before it did not.
                if disk.len() < end {
                    disk.resize(end, 0);
                }
                if let Some(to) = disk.get_mut(*offset..end) {
                    to.copy_from_slice(bytes);
                }
            }
            Operation::SetLen(len) => disk.resize(*len, 0),
            Operation::Sync => {}
        }
    }
}

impl Disk {
    /// A disk that holds `bytes`.
    pub fn with(bytes: Vec<u8>) -> Disk {
        Disk(Arc::new(Mutex::new(State {
            start: bytes.clone(),
            bytes,
            ..State::default()
        })))
    }

    /// A disk that holds `bytes` and remembers no more than [`Disk::crash`] needs: it may be written to for long.
    pub fn forgetful(bytes: Vec<u8>) -> Disk {
        let disk = Disk::with(bytes);
        disk.0.lock().forgets = true;
        disk
    }

    /// What redb reads and writes.
    pub fn backend(&self) -> Box<dyn StorageBackend> {
        Box::new(self.clone())
    }

    /// Lets writes and syncs fail from now on, or succeed again.
    pub fn fail(&self, failing: bool) {
        self.0.lock().faults = failing.then_some((0, usize::MAX));
    }

    /// Lets `after` more writes and syncs succeed, then `count` fail, then all succeed again.
    pub fn fail_after(&self, after: usize, count: usize) {
        self.0.lock().faults = Some((after, count));
    }

    /// Whether all faults that were asked for have happened.
    pub fn has_failed(&self) -> bool {
        matches!(self.0.lock().faults, None | Some((_, 0)))
    }

    /// Whether a fault that was asked for has begun to happen.
    pub fn has_refused(&self) -> bool {
        self.0.lock().refused
    }

    /// What is on it for sure: the bytes as of the last sync.
    pub fn synced(&self) -> Vec<u8> {
        let state = self.0.lock();
        let last_sync = state
            .operations
            .iter()
            .rposition(|operation| matches!(operation, Operation::Sync));
        let mut bytes = state.start.clone();
        state
            .operations
            .iter()
            .take(last_sync.unwrap_or(0))
            .for_each(|operation| operation.apply(&mut bytes));
        bytes
    }

    /// What a crash at this moment could leave, one of the possibilities.
    pub fn crash(&self, rng: &mut impl Rng) -> Vec<u8> {
        let synced = self.synced();
        let state = self.0.lock();
        let operations = state.operations.iter().rev();
        let mut unsynced: Vec<&Operation> = operations
            .take_while(|operation| !matches!(operation, Operation::Sync))
            .collect();
        unsynced.reverse();
        let mut images = images(&synced, &unsynced, rng);
        images.swap_remove(rng.random_range(0..images.len()))
    }

    /// How many operations it has seen, a forgetful one since its last sync.
    pub fn moment(&self) -> usize {
        self.0.lock().operations.len()
    }

    /// Calls `look` with each image that a crash after operation `from` or a later one could have left: at each
    /// moment with all unsynced writes, with none, and with some of them in another order. `look` gets the moment too.
    pub fn crash_images(&self, from: usize, rng: &mut impl Rng, mut look: impl FnMut(usize, Vec<u8>)) {
        let (mut synced, operations) = {
            let state = self.0.lock();
            (state.start.clone(), state.operations.clone())
        };
        let mut unsynced: Vec<&Operation> = Vec::new();
        for (index, operation) in operations.iter().enumerate() {
            let moment = index + 1;
            match operation {
                Operation::Sync => unsynced
                    .drain(..)
                    .for_each(|operation| operation.apply(&mut synced)),
                operation => unsynced.push(operation),
            }
            if moment < from {
                continue;
            }
            for image in images(&synced, &unsynced, rng) {
                look(moment, image);
            }
        }
    }
}

/// What a crash may leave of writes that were not synced: none, all, some in another order, or all with one torn.
fn images(synced: &[u8], unsynced: &[&Operation], rng: &mut impl Rng) -> Vec<Vec<u8>> {
    let mut images = vec![synced.to_vec()];
    if unsynced.is_empty() {
        return images;
    }
    images.push(with_operations(synced, unsynced));
    let mut some: Vec<&Operation> = unsynced
        .iter()
        .copied()
        .filter(|_| rng.random_bool(0.5))
        .collect();
    some.shuffle(rng);
    images.push(with_operations(synced, &some));
    if let Some(torn) = unsynced.choose(rng).and_then(|operation| operation.torn(rng)) {
        let mut all = with_operations(synced, unsynced);
        torn.apply(&mut all);
        images.push(all);
    }
    images
}

impl Operation {
    /// This write with a part of its bytes not written: a sector that never reached the disk.
    fn torn(&self, rng: &mut impl Rng) -> Option<Operation> {
        const SECTOR: usize = 512;
        let Operation::Write { offset, bytes } = self else {
            return None;
        };
        let sectors = bytes.len() / SECTOR;
        let lost = (sectors > 1).then(|| rng.random_range(0..sectors))? * SECTOR;
        Some(Operation::Write {
            offset: offset + lost,
            bytes: vec![0; SECTOR],
        })
    }
}

fn with_operations(synced: &[u8], operations: &[&Operation]) -> Vec<u8> {
    let mut image = synced.to_vec();
    operations
        .iter()
        .for_each(|operation| operation.apply(&mut image));
    image
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.0.lock().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let state = self.0.lock();
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let from = state.bytes.get(offset..offset + out.len());
        out.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.operate(Operation::SetLen(usize::try_from(len).map_err(io::Error::other)?))
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.operate(Operation::Sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.operate(Operation::Write {
            offset: usize::try_from(offset).map_err(io::Error::other)?,
            bytes: data.to_vec(),
        })
    }
}

impl Disk {
    fn operate(&self, operation: Operation) -> io::Result<()> {
        let mut state = self.0.lock();
        match &mut state.faults {
            Some((0, count)) if *count > 0 => {
                *count -= 1;
                state.refused = true;
                return Err(io::Error::other("the test lets the disk fail"));
            }
            Some((after, _)) => *after = after.saturating_sub(1),
            None => {}
        }
        operation.apply(&mut state.bytes);
        if state.forgets && matches!(operation, Operation::Sync) {
            let State {
                start, operations, ..
            } = &mut *state;
            operations.drain(..).for_each(|operation| operation.apply(start));
        } else {
            state.operations.push(operation);
        }
        Ok(())
    }
}
