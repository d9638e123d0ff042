//! `trunkline verify`: whether two databases hold the same documents.

use super::location::{Location, Stores};
use super::login::LoginArgs;
use super::output::{count, one_line, say};
use super::{Failure, trust};
use clap::Args;
use serde_json::json;
use std::process::ExitCode;
use std::sync::Arc;
use trunkline::replicate::{Difference, HttpPeer, Peer, Verified, verify};

/// What `verify` takes.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// One database: URL or DIR/database
    source: String,
    /// The other
    target: String,
    /// One JSON line per difference, and one for the result
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    login: LoginArgs,
}

pub(crate) fn run(args: &VerifyArgs) -> Result<ExitCode, Failure> {
    args.login.apply();
    let mut stores = Stores::default();
    let source = stores.peer(&Location::parse(&args.source)?, false)?;
    let target = stores.peer(&Location::parse(&args.target)?, false)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut told = Ok(());
    let verified = runtime.block_on(verify(source, target, &mut |difference| {
        if told.is_ok() {
            told = show(&difference, args.json);
        }
    }));
    stores.close()?;
    told?;
    let verified = verified?;
    if args.json {
        say(json!({"documents": verified.documents, "differences": verified.differences}))?;
    } else {
        say(summary(&verified))?;
    }
    Ok(ExitCode::from(u8::from(verified.differences > 0)))
}

/// Compares the databases behind two URLs and tells what it found under a name; answers whether they differ.
pub(crate) async fn between(name: &str, source: &str, target: &str) -> Result<bool, Failure> {
    let peer = |url: &str| -> Result<Arc<dyn Peer>, Failure> {
        Ok(Arc::new(HttpPeer::new(url, trust::http_options())?))
    };
    let mut told = Ok(());
    let verified = verify(peer(source)?, peer(target)?, &mut |difference| {
        if told.is_ok() {
            told = show(&difference, false);
        }
    })
    .await?;
    told?;
    say(format_args!("{name}: {}", summary(&verified)))?;
    Ok(verified.differences > 0)
}

fn summary(verified: &Verified) -> String {
    let compared = count(verified.documents, "document");
    match verified.differences {
        0 => format!("{compared} compared, no difference"),
        1 => format!("{compared} compared, 1 document differs"),
        differences => format!("{compared} compared, {} differ", count(differences, "document")),
    }
}

fn show(difference: &Difference, as_json: bool) -> Result<(), Failure> {
    let texts = |revs: &[trunkline::core::rev::Rev]| revs.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (source, target) = (texts(&difference.only_source), texts(&difference.only_target));
    if as_json {
        return say(json!({"id": difference.id, "only_source": source, "only_target": target}));
    }
    let mut line = difference.id.to_string();
    for (which, revs) in [("source", source), ("target", target)] {
        if !revs.is_empty() {
            line.push_str(&format!(", only at the {which}: {}", revs.join(" ")));
        }
    }
    say(one_line(&line))
}
