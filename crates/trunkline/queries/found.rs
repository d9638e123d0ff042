//! What a selector finds.

use super::buffered::{Buffered, Chunks};
use super::find::Find;
use crate::Result;
use crate::doc::{Doc, value_of};
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use trunkline_query::mango::Search;

/// Iterates over what was found, made by [`Find::docs`] and [`Find::values`]. Reads a chunk at a time and holds nothing
/// open between chunks, the first when the first result is asked for.
pub struct Found<T> {
    results: Buffered<Results<T>>,
}

struct Results<T> {
    asked: Option<Box<Find>>,
    search: Option<Search>,
    read: Read<T>,
}

/// Reads a chunk of a search.
type Read<T> = fn(&mut Search, &mut VecDeque<Result<T>>) -> Result<()>;

impl<T> Chunks for Results<T> {
    type Part = Result<T>;

    fn chunk(&mut self, into: &mut VecDeque<Result<T>>) -> Result<bool> {
        if let Some(find) = self.asked.take() {
            self.search = Some(find.open()?);
        }
        let Some(search) = self.search.as_mut().filter(|search| !search.is_done()) else {
            return Ok(false);
        };
        (self.read)(search, into)?;
        Ok(!search.is_done())
    }
}

impl<T> Found<T> {
    fn new(find: Find, read: Read<T>) -> Found<T> {
        Found {
            results: Buffered::new(Results {
                asked: Some(find.into()),
                search: None,
                read,
            }),
        }
    }

    /// Where it ended, to go on from there another time by [`Find::bookmark`]; `None` before it has, or when it found
    /// nothing.
    pub fn bookmark(&self) -> Option<String> {
        let search = self.results.chunks.search.as_ref();
        let ended = search.filter(|search| self.results.is_done() && search.stats().results > 0);
        ended.map(Search::bookmark)
    }
}

impl<T: DeserializeOwned> Found<Doc<T>> {
    pub(super) fn docs(find: Find) -> Found<Doc<T>> {
        Found::new(find, |search, into| {
            Ok(search.documents(&mut |doc| {
                let attachments = doc.attachments.to_vec();
                into.push_back(Doc::from_json(
                    doc.id.to_owned(),
                    doc.rev.clone(),
                    doc.body,
                    attachments,
                ));
            })?)
        })
    }
}

impl<T: DeserializeOwned> Found<T> {
    pub(super) fn values(find: Find) -> Found<T> {
        Found::new(find, |search, into| {
            Ok(search.chunk(&mut |fields| {
                let fields = String::from_utf8_lossy(fields);
                into.push_back(value_of(&fields, &fields));
            })?)
        })
    }
}

impl<T> Iterator for Found<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        Some(self.results.next()?.and_then(|result| result))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.results.at_hand(), None)
    }
}

impl<T> std::fmt::Debug for Found<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Found")
            .field("at_hand", &self.results.at_hand())
            .finish_non_exhaustive()
    }
}
