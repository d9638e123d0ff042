//! A link between two nodes that can be cut: a port in front of a server, which counts what passes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// The port; everything ends when it is dropped.
pub(crate) struct Link {
    address: SocketAddr,
    state: Arc<State>,
    _task: AbortOnDropHandle<()>,
}

struct State {
    to: String,
    up: watch::Sender<bool>,
    /// Bytes that passed, both ways.
    passed: AtomicU64,
    /// After so many bytes more the link goes down by itself.
    fuse: AtomicU64,
    lit: AtomicBool,
}

impl Link {
    /// A link to a server, up. Needs a runtime of several threads.
    pub(crate) async fn to(server: &str) -> Link {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let state = Arc::new(State {
            to: server.trim_end_matches('/').to_owned(),
            up: watch::channel(true).0,
            passed: AtomicU64::default(),
            fuse: AtomicU64::default(),
            lit: AtomicBool::default(),
        });
        let address = listener.local_addr().unwrap();
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                // A link that is down accepts and says nothing for a moment, as a dead route does.
                if *shared.up.borrow() {
                    tokio::spawn(join(near, Arc::clone(&shared)));
                }
            }
        });
        Link {
            address,
            state,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// Where clients connect.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Cuts every connection, and lets none through from now on.
    pub(crate) fn cut(&self) {
        self.state.up.send_replace(false);
    }

    /// Lets connections through again.
    pub(crate) fn heal(&self) {
        self.state.up.send_replace(true);
    }

    /// Cuts what is connected once so many more bytes have passed; new connections go through.
    pub(crate) fn cut_after(&self, bytes: u64) {
        self.state.fuse.store(bytes, Ordering::SeqCst);
        self.state.lit.store(true, Ordering::SeqCst);
    }

    /// Whether the cut that [`Link::cut_after`] asked for has happened.
    pub(crate) fn was_cut(&self) -> bool {
        !self.state.lit.load(Ordering::SeqCst)
    }

    /// Bytes that passed so far, both ways.
    pub(crate) fn passed(&self) -> u64 {
        self.state.passed.load(Ordering::SeqCst)
    }
}

impl State {
    /// Counts bytes; answers whether they may pass.
    fn pass(&self, bytes: u64) -> bool {
        self.passed.fetch_add(bytes, Ordering::SeqCst);
        if !self.lit.load(Ordering::SeqCst) {
            return true;
        }
        let left = self.fuse.load(Ordering::SeqCst).saturating_sub(bytes);
        self.fuse.store(left, Ordering::SeqCst);
        if left == 0 {
            self.lit.store(false, Ordering::SeqCst);
        }
        left > 0
    }
}

async fn join(near: TcpStream, state: Arc<State>) {
    let Ok(far) = TcpStream::connect(&state.to).await else {
        return;
    };
    let mut up = state.up.subscribe();
    let (mut near_read, mut near_write) = near.into_split();
    let (mut far_read, mut far_write) = far.into_split();
    tokio::select! {
        () = one_way(&mut near_read, &mut far_write, &state) => {}
        () = one_way(&mut far_read, &mut near_write, &state) => {}
        _ = up.wait_for(|up| !up) => {}
    }
}

async fn one_way(
    from: &mut tokio::net::tcp::OwnedReadHalf,
    to: &mut tokio::net::tcp::OwnedWriteHalf,
    state: &State,
) {
    let mut chunk = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        if !state.pass(length as u64) || to.write_all(&chunk[..length]).await.is_err() {
            return;
        }
    }
}
