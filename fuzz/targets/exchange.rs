//! Frames of the exchange: where the chunks are cut makes no difference.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline_wire::exchange::{Frame, Reader};
use trunkline_wire::invalid::BadAnswer;

fuzz_target!(|bytes: &[u8]| {
    let Some((&size, stream)) = bytes.split_first() else {
        return;
    };
    let whole = read(stream, stream.len());
    let chunked = read(stream, usize::from(size));
    assert_eq!(format!("{:?}", whole.0), format!("{:?}", chunked.0));
    assert_eq!(whole.1.is_ok(), chunked.1.is_ok());
});

fn read(stream: &[u8], chunk_bytes: usize) -> (Vec<Frame>, Result<(), BadAnswer>) {
    let mut reader = Reader::new();
    let mut frames = Vec::new();
    for chunk in stream.chunks(chunk_bytes.max(1)) {
        reader.feed(chunk);
        loop {
            match reader.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Err(error)),
            }
        }
    }
    let end = reader.finish();
    (frames, end)
}
