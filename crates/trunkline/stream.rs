//! Iterators that block, for use under tokio.

use crate::AsyncDatabase;
use crate::Database;
use std::collections::VecDeque;
use tokio::task::{JoinHandle, spawn_blocking};

/// The items of an iterator that blocks, read on threads that may. Made by [`AsyncDatabase::stream`].
#[derive(Debug)]
pub struct Streamed<I: Iterator> {
    /// `None` while a thread reads.
    iterator: Option<I>,
    reading: Option<JoinHandle<(I, VecDeque<I::Item>)>>,
    buffer: VecDeque<I::Item>,
    ended: bool,
}

impl AsyncDatabase {
    /// What any call of [`Database`] iterates over: documents, rows and groups of a view, what a selector finds. Read a
    /// chunk at a time, when the one before is used up.
    pub fn stream<I>(&self, ask: impl FnOnce(&Database) -> I) -> Streamed<I::IntoIter>
    where
        I: IntoIterator,
        I::IntoIter: Send + 'static,
        I::Item: Send + 'static,
    {
        Streamed {
            iterator: Some(ask(self.database()).into_iter()),
            reading: None,
            buffer: VecDeque::new(),
            ended: false,
        }
    }
}

impl<I> Streamed<I>
where
    I: Iterator + Send + 'static,
    I::Item: Send + 'static,
{
    /// The next item. Dropping the future loses none.
    pub async fn next(&mut self) -> Option<I::Item> {
        loop {
            if let Some(item) = self.buffer.pop_front() {
                return Some(item);
            }
            if self.ended {
                return None;
            }
            let iterator = self.iterator.take();
            let reading = match iterator {
                Some(iterator) => self.reading.insert(spawn_blocking(move || chunk(iterator))),
                None => self.reading.as_mut()?,
            };
            let read = reading.await;
            self.reading = None;
            match read {
                Ok((iterator, items)) => {
                    self.ended = items.is_empty();
                    self.iterator = Some(iterator);
                    self.buffer = items;
                }
                Err(failed) => match failed.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    // The runtime ends.
                    Err(_) => self.ended = true,
                },
            }
        }
    }

    /// The same as a [`futures_util::Stream`].
    pub fn into_stream(self) -> impl futures_util::Stream<Item = I::Item> + Send {
        futures_util::stream::unfold(self, |mut items| async move {
            let item = items.next().await?;
            Some((item, items))
        })
    }
}

/// Items that are handed over together, at most.
const ITEMS_AT_ONCE: usize = 1024;

/// The next item, and those that are at hand behind it.
fn chunk<I: Iterator>(mut iterator: I) -> (I, VecDeque<I::Item>) {
    let mut items: VecDeque<_> = iterator.next().into_iter().collect();
    while (1..ITEMS_AT_ONCE).contains(&items.len()) && iterator.size_hint().0 > 0 {
        match iterator.next() {
            Some(item) => items.push_back(item),
            None => break,
        }
    }
    (iterator, items)
}
