//! `[limits]`.

use crate::settings::Kind;
use crate::settings::key::{Holds, Section, key};

/// Bytes that a number of them may be set to: 16 TiB.
const BYTES_MOST: u64 = 16 << 40;
/// Milliseconds: a day.
const MS_MOST: u64 = 24 * 60 * 60 * 1000;

const fn bytes(least: u64) -> Kind {
    Kind::Number {
        least,
        most: BYTES_MOST,
        unit: "bytes",
    }
}

const fn ms(least: u64) -> Kind {
    Kind::Number {
        least,
        most: MS_MOST,
        unit: "ms",
    }
}

const fn of(unit: &'static str) -> Kind {
    Kind::Number {
        least: 1,
        most: 10_000_000,
        unit,
    }
}

pub(super) const LIMITS: Section = Section {
    name: "limits",
    text: "What one client, and all together, may take. Whoever wants more is refused with 413, 431, 429 or 503.",
    holds: Holds::Keys(&[
        key!(
            "request_bytes_max",
            bytes(1024),
            LIVE,
            config.request_bytes_max,
            "One request's body, streamed uploads included."
        ),
        key!(
            "request_buffer_bytes_max",
            bytes(1024),
            START,
            config.request_buffer_bytes_max,
            "One request's body that has to be held in memory to be read, counted after decompression."
        ),
        key!(
            "request_buffers_bytes_max",
            bytes(1024),
            START,
            config.request_buffers_bytes_max,
            "All such bodies at once; others wait."
        ),
        key!(
            "request_buffers_wait_ms",
            ms(0),
            START,
            config.request_buffers_wait_ms,
            "How long a request waits for its bytes among them, before it is told to come back."
        ),
        key!(
            "answers_bytes_max",
            bytes(1 << 20),
            START,
            config.answers_bytes_max,
            "All answers that were made and that their clients have not taken; others wait. Half of it is one user's at most."
        ),
        key!(
            "document_bytes_max",
            bytes(1024),
            LIVE,
            config.document_bytes_max,
            "One document without its attachments."
        ),
        key!(
            "attachment_bytes_max",
            bytes(0),
            LIVE,
            config.attachment_bytes_max,
            "One attachment."
        ),
        key!(
            "connections_max",
            of("connections"),
            LIVE,
            config.connections.connections_max,
            "Connections at once; others are told to come back. As many as there are file descriptors for, at most."
        ),
        key!(
            "connections_per_address_max",
            of("connections"),
            LIVE,
            config.connections.connections_per_address_max,
            "Of these, connections from one address (IPv6: one /64), loopback aside. Behind a proxy all come from its address."
        ),
        key!(
            "requests_max",
            of("requests"),
            LIVE,
            config.connections.requests_max,
            "Requests under way at once, live feeds not counted; others are told to come back."
        ),
        key!(
            "feeds_max",
            of("feeds"),
            LIVE,
            config.connections.feeds_max,
            "Live feeds at once; others are told to come back."
        ),
        key!(
            "head_ms",
            ms(100),
            LIVE,
            config.connections.head_ms,
            "How long the head of a request may take, and how long a quiet connection is kept."
        ),
        key!(
            "head_bytes_max",
            Kind::Number {
                least: 8192,
                most: 16 << 20,
                unit: "bytes"
            },
            LIVE,
            config.connections.head_bytes_max,
            "A request's line and headers."
        ),
        key!(
            "silence_ms",
            ms(100),
            LIVE,
            config.connections.silence_ms,
            "How long a body may say nothing, or an answer lie unread, before it is given up."
        ),
    ]),
};
