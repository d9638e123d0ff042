//! Rows of a view, with their documents or without.

use super::buffered::{Buffered, Chunks};
use super::view::View;
use crate::doc::{Doc, value_of};
use crate::{Database, Error, Result};
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use trunkline_core::limits::SCAN_CHUNK_BYTES;
use trunkline_core::rev::Rev;
use trunkline_query::Walk;
use trunkline_wire::view::linked;

/// What a map function made of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row<K, V> {
    /// The document.
    pub id: String,
    /// The key that it emitted.
    pub key: K,
    /// The value.
    pub value: V,
}

/// Iterates over rows, made by [`View::rows`]. Reads a chunk at a time and holds nothing open between chunks, the first
/// when the first row is asked for.
#[derive(Debug)]
pub struct Rows<K, V> {
    rows: Buffered<RowChunks>,
    types: PhantomData<fn() -> (K, V)>,
}

/// Iterates over rows and their documents, made by [`View::rows_with_docs`].
#[derive(Debug)]
pub struct RowsWithDocs<K, V, D> {
    database: Database,
    rows: Rows<K, V>,
    doc: PhantomData<fn() -> D>,
}

type WithDoc<K, V, D> = (Row<K, V>, Option<Doc<D>>);

/// Id, key and value.
type Texts = [String; 3];

#[derive(Debug)]
struct RowChunks {
    asked: Option<Box<View>>,
    going: Option<Walk>,
}

impl Chunks for RowChunks {
    type Part = Texts;

    fn chunk(&mut self, into: &mut VecDeque<Texts>) -> Result<bool> {
        if let Some(view) = self.asked.take() {
            self.going = Some(view.open(false)?.0);
        }
        let Some(walk) = &mut self.going else {
            return Ok(false);
        };
        let Some(snapshot) = walk.snapshot()? else {
            return Ok(false);
        };
        let mut bytes = 0;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        walk.rows(&snapshot, &mut |row| {
            into.push_back([row.id(), text(row.key), text(row.value)]);
            bytes += row.place.len() + row.key.len() + row.value.len();
            Ok::<_, Error>(match bytes >= SCAN_CHUNK_BYTES {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            })
        })?;
        Ok(!walk.is_done())
    }
}

impl<K, V> Rows<K, V> {
    pub(super) fn new(view: View) -> Rows<K, V> {
        Rows {
            rows: Buffered::new(RowChunks {
                asked: Some(view.into()),
                going: None,
            }),
            types: PhantomData,
        }
    }
}

fn row<K: DeserializeOwned, V: DeserializeOwned>([id, key, value]: Texts) -> Result<Row<K, V>> {
    Ok(Row {
        key: value_of(&id, &key)?,
        value: value_of(&id, &value)?,
        id,
    })
}

impl<K: DeserializeOwned, V: DeserializeOwned> Iterator for Rows<K, V> {
    type Item = Result<Row<K, V>>;

    fn next(&mut self) -> Option<Result<Row<K, V>>> {
        Some(self.rows.next()?.and_then(row))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.rows.at_hand(), None)
    }
}

impl<K, V, D> RowsWithDocs<K, V, D> {
    pub(super) fn new(view: View) -> RowsWithDocs<K, V, D> {
        RowsWithDocs {
            database: view.database.clone(),
            rows: Rows::new(view),
            doc: PhantomData,
        }
    }
}

impl<K, V, D> RowsWithDocs<K, V, D>
where
    K: DeserializeOwned,
    V: DeserializeOwned,
    D: DeserializeOwned,
{
    fn with_doc(&self, texts: Texts) -> Result<WithDoc<K, V, D>> {
        let linked = linked(&texts[2]);
        let row = row(texts)?;
        let id = linked.id.as_deref().unwrap_or(&row.id);
        let doc = match linked.rev.as_deref().map(Rev::parse) {
            None => self.database.get(id)?,
            Some(Ok(rev)) => self.database.get_rev(id, &rev)?,
            Some(Err(_)) => None,
        };
        Ok((row, doc))
    }
}

impl<K, V, D> Iterator for RowsWithDocs<K, V, D>
where
    K: DeserializeOwned,
    V: DeserializeOwned,
    D: DeserializeOwned,
{
    type Item = Result<WithDoc<K, V, D>>;

    fn next(&mut self) -> Option<Self::Item> {
        let texts = self.rows.rows.next()?;
        Some(texts.and_then(|texts| self.with_doc(texts)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // Documents are read one by one, and may be large.
        (0, None)
    }
}
