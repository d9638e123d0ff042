//! What a connection brings, read no faster than there is room for the requests in it. The library for HTTP/2 reads all there
//! is before it hands out a request, and again before the next: a client that sends twenty thousand at once would have them all
//! in memory. So a connection reads once whenever it has its turn, a little, and not at all while too many of its requests
//! wait to be let in, or to be told that they are not.

use crate::streams::Streams;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use trunkline_core::limits::HTTP2_READ_BYTES_MAX;

/// A connection whose requests are counted by its [`Streams`].
#[derive(Debug)]
pub(crate) struct Measured<T> {
    stream: T,
    /// `None` once it is known to speak HTTP/1.1, one request after the other.
    streams: Option<Arc<Streams>>,
}

impl<T> Measured<T> {
    pub(crate) fn new(stream: T, streams: Arc<Streams>) -> Measured<T> {
        Measured {
            stream,
            streams: Some(streams),
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Measured<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.streams.take_if(|streams| streams.is_http1());
        let Some(streams) = &this.streams else {
            return Pin::new(&mut this.stream).poll_read(context, out);
        };
        ready!(streams.poll_room(context));
        let bytes = out.remaining().min(HTTP2_READ_BYTES_MAX);
        let mut part = ReadBuf::new(out.initialize_unfilled_to(bytes));
        ready!(Pin::new(&mut this.stream).poll_read(context, &mut part))?;
        let read = part.filled().len();
        out.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Measured<T> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};
    use trunkline_core::limits::HTTP2_STREAMS_UNPLACED_MAX;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Bytes of one read, if there is one.
    fn read(measured: &mut Measured<&[u8]>, waker: &Waker) -> Option<usize> {
        let mut bytes = vec![0; 3 * HTTP2_READ_BYTES_MAX];
        let mut out = ReadBuf::new(&mut bytes);
        match Pin::new(measured).poll_read(&mut Context::from_waker(waker), &mut out) {
            Poll::Ready(done) => {
                done.unwrap();
                Some(out.filled().len())
            }
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_little_is_read_a_turn() {
        let sent = vec![7; 10 * HTTP2_READ_BYTES_MAX];
        let streams = Arc::new(Streams::new());
        let mut measured = Measured::new(&sent[..], Arc::clone(&streams));
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        for turn in 0..3 {
            streams.begin_turn();
            assert_eq!(read(&mut measured, &waker), Some(HTTP2_READ_BYTES_MAX));
            assert_eq!(woken.0.load(Ordering::Relaxed), turn);
            assert_eq!(read(&mut measured, &waker), None);
            assert_eq!(woken.0.load(Ordering::Relaxed), turn + 1);
        }
        streams.speak_http1();
        assert_eq!(read(&mut measured, &waker), Some(3 * HTTP2_READ_BYTES_MAX));
        assert_eq!(read(&mut measured, &waker), Some(3 * HTTP2_READ_BYTES_MAX));
    }

    #[test]
    fn nothing_is_read_while_many_have_no_place() {
        let sent = vec![7; 10 * HTTP2_READ_BYTES_MAX];
        let streams = Arc::new(Streams::new());
        let mut measured = Measured::new(&sent[..], Arc::clone(&streams));
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut open: Vec<_> = (0..HTTP2_STREAMS_UNPLACED_MAX).map(|_| streams.open()).collect();
        for turn in 1..=3 {
            streams.begin_turn();
            assert_eq!(read(&mut measured, &waker), None);
            assert_eq!(woken.0.load(Ordering::Relaxed), turn - 1);
            if turn % 2 == 0 {
                drop(open.pop());
            } else {
                open[turn].is_placed();
                open[turn].is_placed();
            }
            assert_eq!(woken.0.load(Ordering::Relaxed), turn);
            assert_eq!(read(&mut measured, &waker), Some(HTTP2_READ_BYTES_MAX));
            open.push(streams.open());
        }
        drop(open);
        streams.begin_turn();
        assert_eq!(read(&mut measured, &waker), Some(HTTP2_READ_BYTES_MAX));
    }
}
