//! The answer of `_find`, rendered chunk by chunk.

use super::query::Query;
use crate::error::Result;
use std::io::Write;
use trunkline_core::json;
use trunkline_query::mango::Search;

/// An answer on its way.
pub(super) struct Answer {
    query: Query,
    search: Search,
}

/// Documents that are looked at for each that is shown, above which CouchDB warns.
const DOCUMENTS_PER_RESULT: u64 = 10;

impl Answer {
    pub(super) fn open(query: Query, search: Search, out: &mut Vec<u8>) -> Answer {
        out.extend_from_slice(b"{\"docs\":[");
        Answer { query, search }
    }

    pub(super) fn is_done(&self) -> bool {
        self.search.is_done()
    }

    pub(super) fn chunk(&mut self, out: &mut Vec<u8>) -> Result<()> {
        if self.is_done() {
            return Ok(());
        }
        let mut is_first = self.search.stats().results == 0;
        self.search.chunk(&mut |doc| {
            out.extend_from_slice(if is_first { b"\r\n" } else { b",\r\n" });
            is_first = false;
            out.extend_from_slice(doc);
        })?;
        Ok(())
    }

    pub(super) fn close(self, out: &mut Vec<u8>) {
        let Answer { query, search } = self;
        let stats = search.stats();
        // Writing to a Vec cannot fail.
        let _ = write!(out, "\r\n],\r\n\"bookmark\": \"{}\"", search.bookmark());
        if query.request.execution_stats {
            let milliseconds = query.started.elapsed().as_secs_f64() * 1000.0;
            let _ = write!(
                out,
                ",\r\n\"execution_stats\": {{\"total_keys_examined\":{},\"total_docs_examined\":{},\
                 \"total_quorum_docs_examined\":0,\"results_returned\":{},\"execution_time_ms\":{milliseconds:.3}}}",
                stats.keys, stats.docs, stats.results
            );
        }
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
