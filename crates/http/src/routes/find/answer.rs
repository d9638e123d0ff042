//! The answer of `_find`, rendered chunk by chunk.

use super::query::Query;
use crate::error::{Error, Result};
use std::io::Write;
use trunkline_core::json;
use trunkline_core::selector::FieldPath;
use trunkline_query::mango::Search;
use trunkline_wire::find::Refusal;
use trunkline_wire::format::{Format, csv_texts, csv_values};

/// An answer on its way.
pub(super) struct Answer {
    query: Query,
    search: Search,
    format: Format,
    columns: Vec<FieldPath>,
}

/// Documents that are looked at for each that is shown, above which CouchDB warns.
const DOCUMENTS_PER_RESULT: u64 = 10;

impl Answer {
    /// Begins it. A table has the fields that are asked for as its columns.
    pub(super) fn open(query: Query, search: Search, format: Format, out: &mut Vec<u8>) -> Result<Answer> {
        let mut columns = Vec::new();
        match format {
            Format::Json => out.extend_from_slice(b"{\"docs\":["),
            Format::Ndjson => {}
            Format::Csv => {
                let fields = &query.request.fields;
                if fields.is_empty() {
                    return Err(Error::bad("Name the columns of the table in `fields`."));
                }
                let paths = fields.iter().map(|field| FieldPath::parse(field));
                columns = paths.collect::<Result<_, _>>().map_err(Refusal::from)?;
                csv_texts(fields.iter().map(String::as_str), out);
            }
        }
        Ok(Answer {
            query,
            search,
            format,
            columns,
        })
    }

    pub(super) fn is_done(&self) -> bool {
        self.search.is_done()
    }

    pub(super) fn chunk(&mut self, out: &mut Vec<u8>) -> Result<()> {
        if self.is_done() {
            return Ok(());
        }
        let mut is_first = self.search.stats().results == 0;
        let columns = &self.columns;
        let format = self.format;
        self.search.chunk(&mut |doc| match format {
            Format::Json => {
                out.extend_from_slice(if is_first { b"\r\n" } else { b",\r\n" });
                is_first = false;
                out.extend_from_slice(doc);
            }
            Format::Ndjson => {
                out.extend_from_slice(doc);
                out.push(b'\n');
            }
            Format::Csv => {
                let doc = String::from_utf8_lossy(doc);
                csv_values(columns.iter().map(|column| column.find(&doc)), out);
            }
        })?;
        Ok(())
    }

    pub(super) fn close(self, out: &mut Vec<u8>) {
        if self.format != Format::Json {
            return;
        }
        let Answer { query, search, .. } = self;
        let stats = search.stats();
        // Writing to a Vec cannot fail.
        let _ = write!(out, "\r\n],\r\n\"bookmark\": \"{}\"", search.bookmark());
        query.write_stats(stats, stats.results, out);
        let mut warnings = query.plan.warnings;
        if stats.docs > DOCUMENTS_PER_RESULT * stats.results.max(1) {
            warnings.push(
                "The number of documents examined is high in proportion to the number of results returned. \
                 Consider adding a more specific index to improve this."
                    .to_owned(),
            );
        }
        if !warnings.is_empty() {
            out.extend_from_slice(b",\r\n\"warning\": ");
            json::quote(&warnings.join("\n"), out);
        }
        out.extend_from_slice(b"}\r\n");
    }
}
