//! Multipart bodies: a line of content type, then the body. Where the chunks are cut makes no difference.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline_wire::invalid::Invalid;
use trunkline_wire::multipart::{DocumentEvent, DocumentReader};

fuzz_target!(|bytes: &[u8]| {
    let Some((&size, bytes)) = bytes.split_first() else {
        return;
    };
    let line = bytes
        .iter()
        .position(|&byte| byte == b'\n')
        .unwrap_or(bytes.len());
    let (content_type, body) = bytes.split_at(line);
    let Ok(content_type) = std::str::from_utf8(content_type) else {
        return;
    };
    let body = body.get(1..).unwrap_or_default();
    let whole = read(content_type, body, body.len());
    let chunked = read(content_type, body, usize::from(size));
    assert_eq!(whole, chunked);
});

// All events, with the bytes of each attachment together; the length of what came before an error does not count.
fn read(content_type: &str, body: &[u8], chunk_bytes: usize) -> Result<Vec<DocumentEvent>, Invalid> {
    let mut reader = DocumentReader::new(content_type)?;
    let mut events = Vec::new();
    for chunk in body.chunks(chunk_bytes.max(1)) {
        reader.feed(chunk);
        loop {
            match (reader.next_event()?, events.last_mut()) {
                (DocumentEvent::More, _) => break,
                (DocumentEvent::Closed, _) => {
                    reader.finish()?;
                    return Ok(events);
                }
                (DocumentEvent::Data(more), Some(DocumentEvent::Data(data))) => {
                    *data = [data.as_ref(), more.as_ref()].concat().into();
                }
                (event, _) => events.push(event),
            }
        }
    }
    reader.finish()?;
    Ok(events)
}
