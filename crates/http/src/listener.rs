//! Where connections come from: TCP, TLS over TCP, a unix socket.

mod unix;

use crate::tls::ServerTls;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use unix::Socket;

/// One of the places that a server listens at.
#[derive(Debug)]
pub struct Listener(Kind);

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    Tls(TcpListener, ServerTls),
    Unix(Socket),
}

/// All of them. Made of a [`TcpListener`], a [`Listener`], or several.
#[derive(Debug)]
pub struct Listeners {
    all: Vec<Listener>,
    /// Who is asked first next time, so that a busy one does not keep the others waiting.
    first: usize,
}

impl Listener {
    /// TLS on what comes to `listener`.
    pub fn tls(listener: TcpListener, tls: ServerTls) -> Listener {
        Listener(Kind::Tls(listener, tls))
    }

    /// A unix socket at `path`, for its owner and group. One that a former server left there is replaced; one that
    /// answers is not, and nothing else is. It is removed when the listener ends.
    pub fn unix(path: impl AsRef<Path>) -> io::Result<Listener> {
        Ok(Listener(Kind::Unix(Socket::bind(path.as_ref())?)))
    }

    /// Where it listens; `None` of a unix socket.
    pub fn address(&self) -> io::Result<Option<SocketAddr>> {
        match &self.0 {
            Kind::Tcp(listener) | Kind::Tls(listener, _) => listener.local_addr().map(Some),
            Kind::Unix(_) => Ok(None),
        }
    }

    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        let (incoming, address) = match &self.0 {
            Kind::Tcp(listener) => {
                let (stream, from) = std::task::ready!(listener.poll_accept(context))?;
                (Incoming::Plain(Box::new(undelayed(stream))), Some(from.ip()))
            }
            Kind::Tls(listener, tls) => {
                let (stream, from) = std::task::ready!(listener.poll_accept(context))?;
                (Incoming::Tls(undelayed(stream), tls.clone()), Some(from.ip()))
            }
            Kind::Unix(socket) => {
                let stream = std::task::ready!(socket.poll_accept(context))?;
                (Incoming::Plain(Box::new(stream)), None)
            }
        };
        Poll::Ready(Ok(Accepted { incoming, address }))
    }
}

impl Listeners {
    /// The next connection.
    pub(crate) async fn accept(&mut self) -> io::Result<Accepted> {
        let first = self.first;
        self.first = first.wrapping_add(1);
        let count = self.all.len().max(1);
        std::future::poll_fn(|context| {
            let (behind, before) = self.all.split_at(first % count);
            for listener in before.iter().chain(behind) {
                if let Poll::Ready(accepted) = listener.poll_accept(context) {
                    return Poll::Ready(accepted);
                }
            }
            Poll::Pending
        })
        .await
    }

    /// What those with TLS show, each once.
    pub(crate) fn certificates(&self) -> Vec<ServerTls> {
        let mut found: Vec<ServerTls> = Vec::new();
        for listener in &self.all {
            if let Kind::Tls(_, tls) = &listener.0
                && !found.iter().any(|other| other.is(tls))
            {
                found.push(tls.clone());
            }
        }
        found
    }

    /// Where they listen, those with an address.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let addresses = self.all.iter().map(Listener::address);
        addresses.filter_map(Result::transpose).collect()
    }
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Listener {
        Listener(Kind::Tcp(listener))
    }
}

impl<L: Into<Listener>> From<L> for Listeners {
    fn from(one: L) -> Listeners {
        vec![one.into()].into()
    }
}

impl From<Vec<Listener>> for Listeners {
    fn from(all: Vec<Listener>) -> Listeners {
        Listeners { all, first: 0 }
    }
}

/// A connection that came.
pub(crate) struct Accepted {
    pub(crate) incoming: Incoming,
    /// Whence; `None` through a unix socket.
    pub(crate) address: Option<IpAddr>,
}

pub(crate) enum Incoming {
    Plain(Box<dyn Io>),
    /// The handshake is still to come.
    Tls(TcpStream, ServerTls),
}

/// What bytes of a connection come from and go to.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

fn undelayed(stream: TcpStream) -> TcpStream {
    let _ = stream.set_nodelay(true);
    stream
}
