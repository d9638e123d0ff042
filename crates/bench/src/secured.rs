//! What safety costs: requests with a name and a password, and requests by TLS, each against the same without.

use crate::bench::{self, Bench, WRITERS};
use crate::client;
use crate::load;
use crate::measure::{Failure, alternate, pair};
use crate::report::{Goal, Line};
use crate::requests::{READ_DOCS, gets, puts};
use crate::server::Server;
use crate::target::Target;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto, pki_types::CertificateDer};
use trunkline_http::{Tls, TlsVersion};

/// The administrator of a server that has one.
pub(crate) const ADMIN: (&str, &str) = ("bench", "of the benchmark's own");

/// A user, who is a member of the database.
const USER: (&str, &str) = ("anna", "a password");

/// PUT and GET, with authentication and by TLS.
pub(crate) fn secured(bench: &Bench) -> Result<Vec<Line>, Failure> {
    let dir = bench.directory()?;
    let plain = bench.run(Server::start(&dir.path().join("plain")))?;
    fill(bench, &plain.target)?;

    let named = |target: Target| with((ADMIN.0, ADMIN.1), target);
    let admin = |command: &mut Command| {
        command.arg("--admin");
    };
    let named = bench.run(Server::start_with(&dir.path().join("named"), admin, named))?;
    fill(bench, &named.target)?;
    bench.run(add_user(&named.target))?;
    let user = with(USER, named.target.clone());

    let files = dir.path().join("tls");
    let trust = certify(&files)?;
    let by_tls = |target: Target| Target {
        tls: Some(trust),
        ..target
    };
    let arguments = |command: &mut Command| {
        command.arg("--tls").arg(&files);
    };
    let tls = bench.run(Server::start_with(&dir.path().join("by-tls"), arguments, by_tls))?;
    fill(bench, &tls.target)?;

    let mut lines = Vec::new();
    // Both sides of every pair write to databases of their own, which never see a number twice.
    let new = Cell::new(READ_DOCS);
    for (target, name, how, goal) in [
        (
            &user,
            ["http-put-named", "http-get-named"],
            "with name and password",
            0.9,
        ),
        (&tls.target, ["http-put-tls", "http-get-tls"], "by TLS", 0.7),
    ] {
        let [put_name, get_name] = name;
        lines.push(line(
            bench,
            (put_name, how, goal),
            [target, &plain.target],
            |target| puts(bench, target, &new),
        )?);
        let next = Cell::new(0);
        lines.push(line(
            bench,
            (get_name, how, goal),
            [target, &plain.target],
            |target| gets(bench, target, &next),
        )?);
    }
    Ok(lines)
}

fn line(
    bench: &Bench,
    (name, how, goal): (&'static str, &str, f64),
    [ours, plain]: [&Target; 2],
    side: impl Fn(&Target) -> Result<f64, Failure>,
) -> Result<Line, Failure> {
    let mut measured = |_: usize| side(ours);
    let mut floor = |_: usize| side(plain);
    let samples = alternate(bench.repeat, &mut [&mut measured, &mut floor])?;
    let [measured, floor] = samples.as_slice() else {
        return Err("two sides".into());
    };
    let pair = pair(measured, floor);
    Ok(Line {
        name,
        what: format!("{how}, {WRITERS} connections"),
        unit: "requests/s",
        measured: pair.measured,
        floor: Some(("without".into(), pair.floor)),
        ratio: Some(pair.ratio),
        goal: Goal::Ratio(goal),
    })
}

fn fill(bench: &Bench, target: &Target) -> Result<(), Failure> {
    bench.run(async {
        load::recreate(target, bench::DATABASE).await?;
        load::bulk_docs(target, bench::DATABASE, READ_DOCS).await
    })
}

fn with((name, password): (&str, &str), target: Target) -> Target {
    Target {
        credentials: Some((name.to_owned(), password.to_owned())),
        ..target
    }
}

async fn add_user(target: &Target) -> Result<(), Failure> {
    let (name, password) = USER;
    let user = serde_json::json!({ "name": name, "password": password, "type": "user", "roles": [] });
    let members = serde_json::json!({ "members": { "names": [name] } });
    for (path, body) in [
        (format!("/_users/org.couchdb.user:{name}"), user),
        (format!("/{}/_security", bench::DATABASE), members),
    ] {
        let answer = client::once(target, "PUT", &path, body.to_string().as_bytes()).await?;
        if !(200..300).contains(&answer.status) {
            return Err(format!(
                "PUT {path}: {} {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            )
            .into());
        }
    }
    Ok(())
}

/// Where the certificate and the key of a server are.
fn files(dir: &Path) -> [PathBuf; 2] {
    [dir.join("certificate.pem"), dir.join("key.pem")]
}

/// What a server by TLS is told.
pub(crate) fn settings(dir: &Path) -> Tls {
    let [certificate, key] = files(dir);
    Tls {
        certificate,
        key,
        client_authorities: None,
        client_crl_file: None,
        require_client_certificate: false,
        version_min: TlsVersion::V13,
    }
}

/// Makes a certificate for loopback, and a client's trust in it.
fn certify(dir: &Path) -> Result<Arc<ClientConfig>, Failure> {
    std::fs::create_dir_all(dir)?;
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let [certificate, key] = files(dir);
    std::fs::write(certificate, made.cert.pem())?;
    std::fs::write(key, made.signing_key.serialize_pem())?;
    let mut trusted = RootCertStore::empty();
    trusted.add(CertificateDer::from(made.cert.der().to_vec()))?;
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(trusted)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
