//! A node as seen from another (or from itself, which never fails but with the node): a peer whose calls are late, lost,
//! made twice or cut off in the middle.

use crate::network::Network;
use crate::node::Running;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use trunkline_core::attachment::Content;
use trunkline_replicate::peer::{
    BulkWritten, Change, Changes, ChangesAsk, Doc, Fetched, LogWrite, Missing, OpenRev, Opened, PeerInfo,
    StoredLog,
};
use trunkline_replicate::{LocalPeer, Peer, PeerError, PeerErrorKind, RefusedDoc};

/// One end of an edge, for whoever runs it.
#[derive(Clone)]
pub(crate) struct Link {
    network: Arc<Network>,
    from: usize,
    to: usize,
    edge: usize,
    dice: Arc<Mutex<StdRng>>,
}

impl Link {
    pub(crate) fn new(network: Arc<Network>, edge: usize, from: usize, to: usize, seed: u64) -> Link {
        Link {
            network,
            from,
            to,
            edge,
            dice: Arc::new(Mutex::new(StdRng::seed_from_u64(seed))),
        }
    }

    fn is_remote(&self) -> bool {
        self.from != self.to
    }

    fn happens(&self, chance: f64) -> bool {
        self.is_remote() && self.dice.lock().random_bool(chance)
    }

    fn below(&self, most: u64) -> u64 {
        self.dice.lock().random_range(0..=most)
    }

    async fn is_late(&self) {
        if self.is_remote() {
            let late = self.below(self.network.weather().late_ms);
            tokio::time::sleep(Duration::from_millis(late)).await;
        }
    }

    /// Some errors come at once, others when someone lost patience.
    async fn gone(&self, why: &str) -> PeerError {
        let patience = if self.below(1) == 0 { 0 } else { 10_000 };
        tokio::time::sleep(Duration::from_millis(self.below(patience))).await;
        PeerError::new(format!("node {}", self.to), PeerErrorKind::Unavailable, why)
    }

    async fn reach(&self) -> Result<Running, PeerError> {
        self.is_late().await;
        if self.happens(self.network.weather().lost) {
            return Err(self.gone("the request was lost").await);
        }
        match self.network.reach(self.from, self.to) {
            Some(running) => Ok(running),
            None => Err(self.gone("not reached").await),
        }
    }

    fn still_reaches(&self, life: u32) -> bool {
        let now = self.network.reach(self.from, self.to);
        now.is_some_and(|now| now.life == life)
    }

    /// Ends when the node is not reached any more as it was.
    async fn broken(&self, life: u32) {
        let mut changes = self.network.changes();
        while self.still_reaches(life) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    async fn call<T, F>(&self, work: impl Fn(LocalPeer) -> F + Send) -> Result<T, PeerError>
    where
        T: Send,
        F: Future<Output = Result<T, PeerError>> + Send,
    {
        let running = self.reach().await?;
        let answer = tokio::select! {
            biased;
            answer = work(running.peer()) => answer,
            () = self.broken(running.life) => Err(self.gone("cut off").await),
        };
        if self.happens(self.network.weather().twice) && self.still_reaches(running.life) {
            // Whoever carried the request sent it again; nobody hears what became of that.
            let _ = work(running.peer()).await;
        }
        self.is_late().await;
        if self.happens(self.network.weather().lost) || !self.still_reaches(running.life) {
            return Err(self.gone("the answer was lost").await);
        }
        answer
    }

    /// A request that was taken for lost and arrives a while later.
    fn arrives_again<F>(&self, work: impl FnOnce(LocalPeer) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send,
    {
        if !self.happens(self.network.weather().twice) {
            return;
        }
        let link = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(link.below(5000))).await;
            if let Some(running) = link.network.reach(link.from, link.to) {
                work(running.peer()).await;
            }
        });
    }

    /// Bytes on their way, perhaps cut off in the middle.
    fn carry(
        &self,
        mut bytes: mpsc::Receiver<Result<Bytes, PeerError>>,
        life: u32,
    ) -> mpsc::Receiver<Result<Bytes, PeerError>> {
        let (sender, receiver) = mpsc::channel(1);
        let link = self.clone();
        let cut = self.happens(self.network.weather().cut);
        let mut left = if cut {
            self.below(60_000) as usize
        } else {
            usize::MAX
        };
        let silent = self.below(1) == 0;
        tokio::spawn(async move {
            while let Some(chunk) = bytes.recv().await {
                if let (true, Ok(chunk)) = (cut, &chunk)
                    && chunk.len() >= left
                {
                    let _ = sender.send(Ok(chunk.slice(..left))).await;
                    if !silent {
                        let _ = sender.send(Err(link.gone("cut off in a body").await)).await;
                    }
                    return;
                }
                left -= chunk.as_ref().map_or(0, Bytes::len);
                link.is_late().await;
                if !link.still_reaches(life) {
                    let _ = sender.send(Err(link.gone("cut off").await)).await;
                    return;
                }
                if sender.send(chunk).await.is_err() {
                    return;
                }
            }
        });
        receiver
    }

    /// The next of a feed's items as it comes over the wire: `None` ends it.
    async fn carry_changes(
        &self,
        item: Result<Changes, PeerError>,
        life: u32,
    ) -> Vec<Result<Changes, PeerError>> {
        self.is_late().await;
        let weather = self.network.weather();
        let mut items = vec![item];
        if let Some(Ok(changes)) = items.first_mut()
            && self.happens(weather.twice)
        {
            changes.rows.extend(changes.rows.clone());
        }
        if self.happens(weather.cut) || !self.still_reaches(life) {
            if self.below(1) == 0 {
                items.clear();
            }
            items.push(Err(self.gone("the feed was cut off").await));
        }
        items
    }
}

#[async_trait]
impl Peer for Link {
    fn label(&self) -> String {
        format!("node {}", self.to)
    }

    async fn info(&self) -> Result<PeerInfo, PeerError> {
        self.call(|peer| async move { peer.info().await }).await
    }

    async fn create(&self) -> Result<(), PeerError> {
        self.call(|peer| async move { peer.create().await }).await
    }

    async fn replication_log(&self, id: &str) -> Result<Option<StoredLog>, PeerError> {
        self.call(|peer| async move { peer.replication_log(id).await })
            .await
    }

    async fn put_replication_log(&self, id: &str, number: u64, body: &str) -> Result<u64, PeerError> {
        self.network.logs.lock().insert(self.edge, id.to_owned());
        let (late_id, late_body) = (id.to_owned(), body.to_owned());
        self.arrives_again(move |peer| async move {
            let _ = peer.put_replication_log(&late_id, number, &late_body).await;
        });
        self.call(|peer| async move { peer.put_replication_log(id, number, body).await })
            .await
    }

    async fn ensure_full_commit(&self) -> Result<Box<str>, PeerError> {
        self.call(|peer| async move { peer.ensure_full_commit().await })
            .await
    }

    async fn pending(&self, since: &str) -> Result<Option<u64>, PeerError> {
        self.call(|peer| async move { peer.pending(since).await }).await
    }

    async fn changes(
        &self,
        ask: ChangesAsk,
    ) -> Result<BoxStream<'static, Result<Changes, PeerError>>, PeerError> {
        let life = self.reach().await?.life;
        let feed = self
            .call(|peer| {
                let ask = ask.clone();
                async move { peer.changes(ask).await }
            })
            .await?;
        let carried = stream::unfold(Some((feed, self.clone())), move |state| async move {
            let (mut feed, link) = state?;
            let item = tokio::select! {
                biased;
                item = feed.next() => item?,
                () = link.broken(life) => Err(link.gone("the feed broke").await),
            };
            let items = link.carry_changes(item, life).await;
            let ended = items.iter().any(Result::is_err);
            Some((stream::iter(items), (!ended).then_some((feed, link))))
        });
        Ok(carried.flatten().boxed())
    }

    async fn revs_diff(&self, asked: &[Change]) -> Result<Vec<Missing>, PeerError> {
        self.call(|peer| async move { peer.revs_diff(asked).await }).await
    }

    async fn bulk_get(&self, wanted: &[Missing]) -> Result<Vec<Fetched>, PeerError> {
        self.call(|peer| async move { peer.bulk_get(wanted).await }).await
    }

    async fn bulk_docs(&self, docs: Vec<Doc>, log: Option<LogWrite>) -> Result<BulkWritten, PeerError> {
        if let Some(log) = &log {
            let id = log.replication_id.clone();
            self.network.logs.lock().insert(self.edge, id);
        }
        let late = docs.clone();
        self.arrives_again(move |peer| async move {
            let _ = peer.bulk_docs(late, None).await;
        });
        self.call(|peer| {
            let (docs, log) = (docs.clone(), log.clone());
            async move { peer.bulk_docs(docs, log).await }
        })
        .await
    }

    async fn open_revs(
        &self,
        wanted: &Missing,
    ) -> Result<mpsc::Receiver<Result<Opened, PeerError>>, PeerError> {
        let life = self.reach().await?.life;
        let mut opened = self
            .call(|peer| async move { peer.open_revs(wanted).await })
            .await?;
        let (sender, receiver) = mpsc::channel(1);
        let link = self.clone();
        tokio::spawn(async move {
            while let Some(mut item) = opened.recv().await {
                link.is_late().await;
                if link.happens(link.network.weather().cut) || !link.still_reaches(life) {
                    item = Err(link.gone("cut off between revisions").await);
                }
                if let Ok(Opened::Rev(open)) = &mut item {
                    let parts = std::mem::replace(&mut open.parts, mpsc::channel(1).1);
                    open.parts = link.carry(parts, life);
                }
                let ends = item.is_err();
                if sender.send(item).await.is_err() || ends {
                    return;
                }
            }
        });
        Ok(receiver)
    }

    async fn put_open_rev(&self, mut rev: OpenRev) -> Result<Result<(), RefusedDoc>, PeerError> {
        let life = self.reach().await?.life;
        rev.parts = self.carry(rev.parts, life);
        let once = Mutex::new(Some(rev));
        self.call(|peer| {
            // It is a stream: nobody could send it twice.
            let rev = once.lock().take();
            async move {
                match rev {
                    Some(rev) => peer.put_open_rev(rev).await,
                    None => Ok(Ok(())),
                }
            }
        })
        .await
    }

    async fn lacking(&self, contents: &[Content]) -> Result<Vec<Content>, PeerError> {
        self.call(|peer| async move { peer.lacking(contents).await })
            .await
    }

    async fn content(
        &self,
        content: &Content,
        of: Option<&str>,
        from: u64,
    ) -> Result<mpsc::Receiver<Result<Bytes, PeerError>>, PeerError> {
        let life = self.reach().await?.life;
        let bytes = self
            .call(|peer| async move { peer.content(content, of, from).await })
            .await?;
        Ok(self.carry(bytes, life))
    }

    async fn content_begun(&self, content: &Content) -> Result<u64, PeerError> {
        self.call(|peer| async move { peer.content_begun(content).await })
            .await
    }

    async fn put_content(
        &self,
        content: &Content,
        from: u64,
        bytes: mpsc::Receiver<Result<Bytes, PeerError>>,
    ) -> Result<(), PeerError> {
        let life = self.reach().await?.life;
        let once = Mutex::new(Some(self.carry(bytes, life)));
        self.call(|peer| {
            let bytes = once.lock().take();
            async move {
                match bytes {
                    Some(bytes) => peer.put_content(content, from, bytes).await,
                    None => Ok(()),
                }
            }
        })
        .await
    }
}
