//! Request lines as people type them. `curl '…/_all_docs?startkey="a"'` sends its quotes as they are, and CouchDB takes
//! them; by the letter they should be percent-encoded, and the HTTP library refuses the request. This stream finds the
//! request lines in what a connection brings and encodes such characters on their way.

mod scanner;

use scanner::Scanner;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection whose request lines are repaired.
#[derive(Debug)]
pub(crate) struct Lenient<T> {
    stream: T,
    scanner: Scanner,
    /// Repaired bytes that the reader had no room for, and how many of them it has.
    pending: Vec<u8>,
    taken: usize,
}

impl<T> Lenient<T> {
    pub(crate) fn new(stream: T) -> Lenient<T> {
        Lenient {
            stream,
            scanner: Scanner::default(),
            pending: Vec::new(),
            taken: 0,
        }
    }

    /// Repaired bytes, as many as there is room for.
    fn give(&mut self, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let left = self.pending.get(self.taken..).unwrap_or_default();
        let now = left.len().min(out.remaining());
        out.put_slice(left.get(..now).unwrap_or_default());
        self.taken += now;
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Lenient<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.taken == this.pending.len() {
            if this.scanner.is_lost() {
                let Some(poison) = this.scanner.poison() else {
                    let why = "behind what is no request, nothing is read";
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, why)));
                };
                this.pending = poison.to_vec();
                this.taken = 0;
                return this.give(out);
            }
            let before = out.filled().len();
            std::task::ready!(Pin::new(&mut this.stream).poll_read(context, out))?;
            let read = out.filled().get(before..).unwrap_or_default();
            // Nearly always there is nothing to repair, and the bytes stay where they are.
            let Some(good) = this.scanner.scan(read) else {
                return Poll::Ready(Ok(()));
            };
            this.pending = this.scanner.repair(read.get(good..).unwrap_or_default());
            this.pending.extend(this.scanner.poison().unwrap_or_default());
            this.taken = 0;
            out.set_filled(before + good);
        }
        this.give(out)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Lenient<T> {
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
