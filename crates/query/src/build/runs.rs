//! Runs: sorted rows in temporary files, merged when an index is built from nothing.
//!
//! Rows come in the order of changes, and blocks are best written in the order of keys, each once. What does not fit in
//! memory is sorted in pieces, each a file without a name, which nothing has to clean up.

use crate::Error;
use crate::index::{Row, Rows};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Read at once of each run, and written at once.
const BUFFER_BYTES: usize = 64 << 10;

/// A sorted run.
pub(super) struct Run {
    file: BufReader<File>,
    place: Vec<u8>,
    rest: Vec<u8>,
    key_bytes: usize,
    sort_key_end: usize,
}

impl Run {
    /// Writes sorted rows.
    pub(super) fn write(rows: &Rows, dir: &Path) -> Result<Run, Error> {
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, tempfile::tempfile_in(dir)?);
        for row in rows.iter() {
            let lengths = [row.place.len(), row.sort_key_end, row.key.len(), row.value.len()];
            for length in lengths {
                out.write_all(&(length as u64).to_le_bytes())?;
            }
            for part in [row.place, row.key, row.value] {
                out.write_all(part)?;
            }
        }
        let mut file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.seek(SeekFrom::Start(0))?;
        Ok(Run {
            file: BufReader::with_capacity(BUFFER_BYTES, file),
            place: Vec::new(),
            rest: Vec::new(),
            key_bytes: 0,
            sort_key_end: 0,
        })
    }

    /// Moves on to the next row; answers whether there is one.
    fn advance(&mut self) -> Result<bool, Error> {
        let mut lengths = [[0; 8]; 4];
        for (place, length) in lengths.iter_mut().enumerate() {
            match self.file.read_exact(length) {
                Err(error) if place == 0 && error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
                read => read?,
            }
        }
        // Written by this process from lengths in memory.
        let [place, sort_key_end, key, value] = lengths.map(|bytes| u64::from_le_bytes(bytes) as usize);
        self.place.resize(place, 0);
        self.file.read_exact(&mut self.place)?;
        self.rest.resize(key + value, 0);
        self.file.read_exact(&mut self.rest)?;
        (self.sort_key_end, self.key_bytes) = (sort_key_end, key);
        Ok(true)
    }
}

/// Runs that are read as one.
pub(super) struct Merge {
    runs: Vec<Run>,
    /// The place that each unfinished run stands at.
    order: BinaryHeap<Reverse<(Vec<u8>, usize)>>,
}

impl Merge {
    pub(super) fn new(mut runs: Vec<Run>) -> Result<Merge, Error> {
        let mut order = BinaryHeap::new();
        for (index, run) in runs.iter_mut().enumerate() {
            if run.advance()? {
                order.push(Reverse((std::mem::take(&mut run.place), index)));
            }
        }
        Ok(Merge { runs, order })
    }

    /// Hands the next row on; answers whether there was one.
    pub(super) fn next(&mut self, row: impl FnOnce(Row<'_>)) -> Result<bool, Error> {
        let Some(Reverse((place, index))) = self.order.pop() else {
            return Ok(false);
        };
        let Some(run) = self.runs.get_mut(index) else {
            return Ok(false);
        };
        let (key, value) = run.rest.split_at(run.key_bytes);
        row(Row {
            place: &place,
            sort_key_end: run.sort_key_end,
            key,
            value,
        });
        run.place = place;
        if run.advance()? {
            self.order.push(Reverse((std::mem::take(&mut run.place), index)));
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_read_as_one() {
        let dir = tempfile::tempdir().unwrap();
        let mut all = Vec::new();
        let mut runs = Vec::new();
        for run in 0..5_u32 {
            let mut rows = Rows::default();
            for number in 0..run * 100 {
                let key = format!("{:05}", (number * 7919 + run * 2003) % 10_007);
                let value = vec![b'x'; number as usize * 10];
                rows.push(
                    1,
                    key.as_bytes(),
                    &format!("doc-{run}"),
                    number,
                    key.as_bytes(),
                    &value,
                );
                all.push((key.into_bytes(), value));
            }
            rows.sort();
            runs.push(Run::write(&rows, dir.path()).unwrap());
        }
        all.sort();
        let mut merge = Merge::new(runs).unwrap();
        let mut merged = Vec::new();
        while merge
            .next(|row| {
                assert!(row.place.get(2..row.sort_key_end) == Some(row.key));
                merged.push((row.key.to_vec(), row.value.to_vec()));
            })
            .unwrap()
        {}
        // Keys are all different, so that their order is the rows'.
        assert_eq!(merged, all);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
