//! A connection that does not wait for ever: neither for its first bytes, nor for a client that does not read.

use crate::pace::Pace;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream with time-outs of its own, for what the HTTP library has none.
pub(crate) struct Impatient<T> {
    stream: T,
    /// Until so many bytes came, or any went, it is not known which HTTP is spoken.
    unknown: usize,
    opening: Pace,
    writing: Pace,
}

/// With so many bytes the HTTP library knows which version comes, and counts the time itself.
const PREFACE_BYTES: usize = 24;

impl<T> Impatient<T> {
    /// Gives the first bytes as long as the `head` of a request, and each answer `silence` without progress.
    pub(crate) fn new(stream: T, head: Duration, silence: Duration) -> Impatient<T> {
        Impatient {
            stream,
            unknown: PREFACE_BYTES,
            opening: Pace::new(head),
            writing: Pace::new(silence),
        }
    }

    /// What a write came to, or that it took too long.
    fn judge<R>(
        &mut self,
        written: Poll<io::Result<R>>,
        context: &mut Context<'_>,
        bytes: impl FnOnce(&R) -> Option<usize>,
    ) -> Poll<io::Result<R>> {
        match written {
            Poll::Pending => {
                std::task::ready!(self.writing.poll_over(context));
                Poll::Ready(Err(timed_out("nobody reads the answer")))
            }
            Poll::Ready(done) => {
                self.unknown = 0;
                match done.as_ref().ok().and_then(bytes) {
                    Some(bytes) => self.writing.moved(bytes),
                    None => self.writing.settled(),
                }
                Poll::Ready(done)
            }
        }
    }
}

fn timed_out(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, why)
}

impl<T: AsyncRead + Unpin> AsyncRead for Impatient<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = out.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, out);
        if this.unknown > 0 {
            this.unknown = this.unknown.saturating_sub(out.filled().len() - before);
            if read.is_pending() {
                std::task::ready!(this.opening.poll_over(context));
                return Poll::Ready(Err(timed_out("the first request does not come")));
            }
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Impatient<T> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.judge(written, context, |bytes| Some(*bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(context);
        if flushed.is_pending() {
            return this.judge(flushed, context, |()| None);
        }
        this.writing.settled();
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let ended = Pin::new(&mut this.stream).poll_shutdown(context);
        this.judge(ended, context, |()| None)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, bytes);
        this.judge(written, context, |bytes| Some(*bytes))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
