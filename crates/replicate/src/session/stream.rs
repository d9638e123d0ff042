//! Streams of attachment bytes from source to target: as fast as the cap allows, and given up when next to nothing moves.

use super::batch::Lane;
use super::throttle::Throttle;
use crate::pace::Pace;
use crate::peer::{PeerError, PeerErrorKind};
use bytes::Bytes;
use tokio::sync::mpsc;

type Chunk = Result<Bytes, PeerError>;
type Chunks = mpsc::Receiver<Chunk>;

/// An end of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Source,
    Target,
}

impl Throttle {
    /// Hands on a stream from source to target until it ends, or the target wants no more of it. An error names the end
    /// that is too slow.
    async fn hand_on(&self, mut from: Chunks, to: mpsc::Sender<Chunk>) -> Result<(), End> {
        let mut pace = Pace::default();
        while let Some(chunk) = pace.keep(from.recv()).await.ok_or(End::Source)? {
            let bytes = chunk.as_ref().map_or(0, Bytes::len);
            self.pass(bytes).await;
            match pace.keep(to.send(chunk)).await {
                None => return Err(End::Target),
                // The target says why.
                Some(Err(_)) => return Ok(()),
                Some(Ok(())) => pace.moved(bytes),
            }
        }
        Ok(())
    }
}

impl Lane {
    /// Gives the target a stream of the source, as the cap allows. One that next to nothing comes of, or is taken of, is
    /// given up, so that others have what it holds.
    pub(super) async fn through<T, F: Future<Output = Result<T, PeerError>>>(
        &self,
        from: Chunks,
        to: impl FnOnce(Chunks) -> F,
    ) -> Result<T, PeerError> {
        let (sender, receiver) = mpsc::channel(1);
        let mut call = std::pin::pin!(to(receiver));
        let handed = tokio::select! {
            done = &mut call => return done,
            handed = self.throttle.hand_on(from, sender) => handed,
        };
        let (peer, reason) = match handed {
            Ok(()) => return call.await,
            Err(End::Source) => (&self.source, "bytes of an attachment come too slowly"),
            Err(End::Target) => (&self.target, "bytes of an attachment are taken too slowly"),
        };
        Err(PeerError::new(peer.label(), PeerErrorKind::Unavailable, reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::Instant;
    use trunkline_core::limits::{REPLICATION_STREAM_BYTES_LEAST, REPLICATION_STREAM_WAIT_MS};

    const WAIT: Duration = Duration::from_millis(REPLICATION_STREAM_WAIT_MS);

    /// Sends so many chunks, each so long after the one before, and then ends.
    fn chunks(count: usize, bytes: usize, pause: Duration) -> Chunks {
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            for _ in 0..count {
                tokio::time::sleep(pause).await;
                if sender.send(Ok(vec![7; bytes].into())).await.is_err() {
                    return;
                }
            }
        });
        receiver
    }

    /// Hands them on to who takes each after a pause; answers how many came.
    async fn handed_on(throttle: Throttle, from: Chunks, pause: Duration) -> (Result<(), End>, usize) {
        let (sender, mut receiver) = mpsc::channel::<Chunk>(1);
        let taking = async move {
            let mut came = 0;
            while let Some(chunk) = receiver.recv().await {
                came += chunk.unwrap().len();
                tokio::time::sleep(pause).await;
            }
            came
        };
        tokio::join!(throttle.hand_on(from, sender), taking)
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_trickles_is_given_up_whoever_is_slow() {
        let second = Duration::from_secs(1);
        let begun = Instant::now();
        let from = chunks(usize::MAX, 1, 10 * second);
        let (handed, _) = handed_on(Throttle::new(None), from, Duration::ZERO).await;
        assert_eq!((handed, begun.elapsed()), (Err(End::Source), WAIT));
        let from = chunks(usize::MAX, 1, Duration::ZERO);
        let (handed, _) = handed_on(Throttle::new(None), from, 10 * second).await;
        assert_eq!(handed, Err(End::Target));
        let (silent, from) = mpsc::channel(1);
        let (handed, _) = handed_on(Throttle::new(None), from, Duration::ZERO).await;
        assert_eq!(handed, Err(End::Source));
        drop(silent);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_is_slow_or_capped_goes_on() {
        let pause = WAIT / 4;
        let most = REPLICATION_STREAM_BYTES_LEAST / 2;
        let slow = handed_on(Throttle::new(None), chunks(100, most, pause), pause / 2);
        assert_eq!(slow.await, (Ok(()), 100 * most));
        let capped = handed_on(
            Throttle::new(Some(1)),
            chunks(3, most, Duration::ZERO),
            Duration::ZERO,
        );
        assert_eq!(capped.await, (Ok(()), 3 * most));
    }
}
