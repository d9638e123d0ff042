//! The answer of `_aggregate`, rendered chunk by chunk.

use crate::routes::find::Query;
use std::io::Write;
use tokio::sync::OwnedSemaphorePermit;
use trunkline_core::aggregate::Report;
use trunkline_core::json;
use trunkline_core::limits::SCAN_CHUNK_BYTES;
use trunkline_query::mango::Stats;
use trunkline_wire::find::write_row;
use trunkline_wire::format::{Format, csv_texts, csv_values};

/// Rows on their way to the client, and the turn that they take.
pub(super) struct Answer {
    query: Query,
    report: Report,
    stats: Stats,
    format: Format,
    rows: u64,
    _turn: OwnedSemaphorePermit,
}

impl Answer {
    pub(super) fn new(
        query: Query,
        report: Report,
        stats: Stats,
        format: Format,
        turn: OwnedSemaphorePermit,
    ) -> Answer {
        Answer {
            query,
            report,
            stats,
            format,
            rows: 0,
            _turn: turn,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.report.len() == 0
    }

    pub(super) fn open(&self, out: &mut Vec<u8>) {
        match self.format {
            Format::Json => out.extend_from_slice(b"{\"rows\":["),
            Format::Ndjson => {}
            Format::Csv => csv_texts(self.report.aggregate().columns(), out),
        }
    }

    pub(super) fn chunk(&mut self, out: &mut Vec<u8>) {
        while out.len() < SCAN_CHUNK_BYTES
            && let Some(row) = self.report.next()
        {
            let columns = self.report.aggregate().columns();
            match self.format {
                Format::Json => {
                    out.extend_from_slice(if self.rows == 0 { b"\r\n" } else { b",\r\n" });
                    write_row(columns, &row, out);
                }
                Format::Ndjson => {
                    write_row(columns, &row, out);
                    out.push(b'\n');
                }
                Format::Csv => csv_values(row.iter().map(|value| Some(value.as_str())), out),
            }
            self.rows += 1;
        }
    }

    pub(super) fn close(self, out: &mut Vec<u8>) {
        if self.format != Format::Json {
            return;
        }
        out.extend_from_slice(b"\r\n]");
        self.query.write_stats(self.stats, self.rows, out);
        if !self.query.plan.warnings.is_empty() {
            out.extend_from_slice(b",\r\n\"warning\": ");
            json::quote(&self.query.plan.warnings.join("\n"), out);
        }
        // Writing to a Vec cannot fail.
        let _ = out.write_all(b"}\r\n");
    }
}
