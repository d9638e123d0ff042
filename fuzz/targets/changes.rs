//! A peer's changes feed: where the chunks are cut makes no difference.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline_wire::changes::{Event, Reader};
use trunkline_wire::invalid::BadAnswer;

fuzz_target!(|bytes: &[u8]| {
    let Some((&size, feed)) = bytes.split_first() else {
        return;
    };
    let whole = read(feed, feed.len());
    let chunked = read(feed, usize::from(size));
    assert_eq!(whole.0, chunked.0);
    assert_eq!(whole.1.is_ok(), chunked.1.is_ok());
});

fn read(feed: &[u8], chunk_bytes: usize) -> (Vec<Event>, Result<(), BadAnswer>) {
    let mut reader = Reader::new();
    let mut events = Vec::new();
    for chunk in feed.chunks(chunk_bytes.max(1)) {
        reader.feed(chunk);
        loop {
            match reader.next_event() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(error) => return (events, Err(error)),
            }
        }
    }
    let end = reader.finish();
    (events, end)
}
