//! A link with a delay: what arrives on a loopback port goes on to a server some time later, and so do the answers. It is
//! as fast as loopback otherwise: only the round trip is longer. What comes within a millisecond travels together, so that
//! the link takes little of the cores that the two ends need.

use crate::measure::Failure;
use crate::target::Target;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Chunks on their way in one direction: more than there are milliseconds in a delay.
const CHUNKS: usize = 1024;
/// Bytes read at once: two gigabits a second.
const CHUNK_BYTES: usize = 256 << 10;
/// Time between two chunks.
const CHUNK_EVERY: Duration = Duration::from_millis(1);

/// Starts the link on a thread of its own; it stands until the process ends.
pub(crate) fn link(to: &Target, round_trip: Duration) -> Result<Target, Failure> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let near = Target::parse(&format!("http://{}", listener.local_addr()?))?;
    let far = to.authority.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            let Ok(listener) = TcpListener::from_std(listener) else {
                return;
            };
            while let Ok((near, _)) = listener.accept().await {
                let far = far.clone();
                tokio::spawn(async move {
                    if let Ok(far) = TcpStream::connect(&far).await {
                        join(near, far, round_trip / 2).await;
                    }
                });
            }
        });
    });
    Ok(near)
}

async fn join(near: TcpStream, far: TcpStream, delay: Duration) {
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    tokio::join!(
        one_way(near_read, far_write, delay),
        one_way(far_read, near_write, delay)
    );
}

async fn one_way(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    delay: Duration,
) {
    let (sender, mut under_way) = mpsc::channel::<(Instant, Vec<u8>)>(CHUNKS);
    let read = async move {
        let mut chunk = vec![0; CHUNK_BYTES];
        while let Ok(length @ 1..) = from.read(&mut chunk).await {
            let bytes = chunk.get(..length).unwrap_or_default().to_vec();
            if sender.send((Instant::now() + delay, bytes)).await.is_err() {
                return;
            }
            tokio::time::sleep(CHUNK_EVERY).await;
        }
    };
    let write = async move {
        while let Some((due, bytes)) = under_way.recv().await {
            tokio::time::sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(read, write);
}
