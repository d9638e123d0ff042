//! Voicemail on two nodes: its metadata is on both at once, its audio follows. Whoever wants to listen on the node that
//! has no audio yet is told that it is still being processed, and handed to the node that has it; a moment later it plays
//! here as well.
//!
//! `cargo run --example voicemail`

use serde::{Deserialize, Serialize};
use std::error::Error;
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::net::TcpListener;
use trunkline::Store;
use trunkline::replicate::{AttachmentMode, Definition};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[derive(Serialize, Deserialize)]
struct Message {
    mailbox: String,
    from: String,
    seconds: u32,
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    let north = Node::start(dir.path().join("north").as_path()).await?;
    let south = Node::start(dir.path().join("south").as_path()).await?;

    // South has every message of north at once. Audio comes behind, slowly enough to leave the line to the calls.
    let mut job = Definition::continuous(north.url.as_str(), "mail");
    job.spec.attachments = AttachmentMode::Lazy;
    job.spec.bytes_per_second = Some(500_000);
    south.store.replications().start(job)?;

    north.record("message-1").await?;
    println!("north: message-1 is recorded");
    let mut handed_over = false;
    loop {
        match south.listen("message-1").await? {
            Heard::NoMessage => {}
            Heard::Audio { from, bytes } => {
                println!("south: plays the message from {from}, {bytes} bytes");
                break;
            }
            Heard::NotYet { from, elsewhere } if !handed_over => {
                println!("south: the message from {from} is still being processed");
                let url = elsewhere.ok_or("no node has the audio")?;
                let audio = reqwest::get(url).await?.error_for_status()?.bytes().await?;
                println!("north: plays it meanwhile, {} bytes", audio.len());
                handed_over = true;
            }
            Heard::NotYet { .. } => {}
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    south.store.replications().shutdown().await;
    Ok(())
}

/// What the menu of a node has to offer whoever wants to listen to a message.
enum Heard {
    NoMessage,
    NotYet {
        from: String,
        /// Where the audio is.
        elsewhere: Option<String>,
    },
    Audio {
        from: String,
        bytes: u64,
    },
}

/// A telephony node: a store, and the server on it.
struct Node {
    store: Store,
    url: String,
}

impl Node {
    async fn start(dir: &Path) -> Outcome<Node> {
        let dir = dir.to_owned();
        let store = tokio::task::spawn_blocking(move || {
            let store = Store::open(dir)?;
            store.database("mail").map(|_| store)
        })
        .await??;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/mail", listener.local_addr()?);
        let served = store.clone();
        tokio::spawn(async move { served.serve(listener, std::future::pending()).await });
        Ok(Node { store, url })
    }

    /// What happens when the caller hangs up.
    async fn record(&self, id: &'static str) -> Outcome<()> {
        let recorded = self.store.blocking(move |store| {
            let mail = store.database("mail")?;
            let message = Message {
                mailbox: "420".into(),
                from: "+14155551000".into(),
                seconds: 125,
            };
            mail.put(id, &message)?;
            if let Some(mut message) = mail.get::<Message>(id)? {
                let audio = vec![0x7f; 8000 * 125];
                mail.attach(&mut message, "audio.wav", "audio/wav", audio.as_slice())?;
            }
            Ok(())
        });
        Ok(recorded.await?)
    }

    /// What happens when someone wants to hear it.
    async fn listen(&self, id: &'static str) -> Outcome<Heard> {
        let heard = self.store.blocking(move |store| {
            let mail = store.database("mail")?;
            let Some(message) = mail.get::<Message>(id)? else {
                return Ok(Heard::NoMessage);
            };
            let Some(audio) = message.attachment("audio.wav") else {
                return Ok(Heard::NoMessage);
            };
            let from = message.value.from.clone();
            match mail.open_attachment(audio) {
                Ok(mut audio) => Ok(Heard::Audio {
                    from,
                    bytes: io::copy(&mut audio, &mut io::sink()).unwrap_or_default(),
                }),
                Err(error) if error.is_absent() => {
                    // Before any other: someone waits for it.
                    store.replications().fetch_first("mail", id, &audio.content);
                    let mut holders = store.replications().holders("mail").into_iter();
                    let elsewhere =
                        holders.find_map(|holder| holder.attachment_url(id, &message.rev, "audio.wav"));
                    Ok(Heard::NotYet { from, elsewhere })
                }
                Err(error) => Err(error),
            }
        });
        Ok(heard.await?)
    }
}
