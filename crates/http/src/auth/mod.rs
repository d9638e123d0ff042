//! Who asks: found out once for each request, before any route sees it.
//!
//! What a request presents is looked at in CouchDB's order: a cookie of `/_session`, `Authorization`, what a proxy says;
//! then the certificate of its connection. What is presented must hold: a request with a wrong password is refused, not
//! answered as if it had none. What may be done by whom is not decided here.

mod accounts;
mod basic;
pub(crate) mod certificate;
mod hashing;
mod hex;
mod lockout;
mod open;
pub(crate) mod password;
mod user;
mod verified;

pub use password::hash_admin;
pub(crate) use user::{Method, User};

use crate::app::App;
use crate::config::{Authentication, Config};
use crate::connection::Peer;
use crate::error::{Error, Result};
use accounts::{Account, Accounts};
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use basic::Credentials;
use certificate::ClientCertificate;
use hashing::Hashing;
use lockout::{Failures, Guesser};
use password::Kept;
use std::net::IpAddr;
use std::sync::Arc;
use verified::Verified;

/// What is remembered from request to request.
#[derive(Debug)]
pub(crate) struct Auth {
    accounts: Accounts,
    verified: Verified,
    failures: Failures,
    hashing: Hashing,
}

impl Auth {
    pub(crate) fn new() -> Auth {
        Auth {
            accounts: Accounts::default(),
            verified: Verified::new(),
            failures: Failures::default(),
            hashing: Hashing::new(),
        }
    }
}

/// Finds out whose request it is, and puts that among its extensions, as [`Arc<User>`]; or refuses it.
pub(crate) async fn admit(app: &App, request: &mut Request) -> Result<()> {
    let config = app.config();
    let is_open = config.admins.is_empty() && !config.authentication.require_valid_user;
    let peer = request.extensions().get::<Peer>().copied();
    // No page finds its way through a unix socket.
    if is_open && peer.is_none_or(|peer| peer.address.is_some()) {
        open::check(request.headers(), &config.cors)?;
    }
    let address = peer.and_then(|peer| peer.address);
    let user = match presented(app, &config, request.headers(), address).await? {
        Some(user) => user,
        None => match certified(request, &config.authentication) {
            Some(user) => user,
            None if is_open => User::nameless_admin(),
            None => User::default(),
        },
    };
    if user.name.is_none() && config.authentication.require_valid_user {
        let path = request.uri().path();
        let is_excepted =
            path == "/_session" || path == "/_up" && config.authentication.require_valid_user_except_for_up;
        if !is_excepted {
            return Err(Error::Unauthorized("Authentication required.".to_owned()));
        }
    }
    request.extensions_mut().insert(Arc::new(user));
    Ok(())
}

/// Whom the headers name.
async fn presented(
    app: &App,
    config: &Config,
    headers: &HeaderMap,
    address: Option<IpAddr>,
) -> Result<Option<User>> {
    let Some(given) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let invalid = || Error::bad("Authorization header is invalid");
    let given = given.to_str().map_err(|_| invalid())?;
    let (scheme, rest) = given.split_once(' ').ok_or_else(invalid)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(invalid());
    }
    let Some(credentials) = basic::read(rest)? else {
        return Ok(None);
    };
    let account = log_in(app, config, address, &credentials).await?;
    Ok(Some(User {
        name: Some(credentials.name),
        roles: account.roles.clone(),
        by: Some(Method::Basic),
    }))
}

fn certified(request: &Request, settings: &Authentication) -> Option<User> {
    let certificate = request.extensions().get::<ClientCertificate>()?;
    certificate::user(certificate, &settings.certificates)
}

/// The account of a name whose password is right.
async fn log_in(
    app: &App,
    config: &Config,
    address: Option<IpAddr>,
    given: &Credentials,
) -> Result<Arc<Account>> {
    let (auth, settings) = (&app.auth, &config.authentication);
    let guesser = Guesser::new(&given.name, address);
    auth.failures.check(guesser, &settings.lockout)?;
    let account = auth.accounts.find(app, config, &given.name).await?;
    let mark = auth.verified.mark(&given.name, &given.password);
    if let Some(account) = account
        .as_ref()
        .filter(|account| auth.verified.holds(&mark, &account.fingerprint))
    {
        return Ok(account.clone());
    }
    let turn = auth.hashing.turn().await?;
    // Others may have failed meanwhile.
    auth.failures.check(guesser, &settings.lockout)?;
    let nobodys = Kept::nobodys(&settings.passwords);
    // A name that is not known takes as long as one that is.
    let kept = account
        .as_ref()
        .map_or_else(|| nobodys.clone(), |account| account.kept.clone());
    let right = hashing::verify(turn, kept, nobodys, given.password.clone()).await?;
    match account.filter(|_| right) {
        Some(account) => {
            auth.verified.remember(mark, account.fingerprint);
            auth.failures.forget(guesser);
            Ok(account)
        }
        None => {
            auth.failures.add(guesser, &settings.lockout);
            tracing::warn!(name = given.name, ?address, "a wrong name or password");
            Err(Error::Unauthorized("Name or password is incorrect.".to_owned()))
        }
    }
}

/// Bytes that nobody can guess.
fn random() -> [u8; 32] {
    let [a, b, c, d] = [(); 4].map(|()| *uuid::Uuid::new_v4().as_bytes());
    let mut hasher = blake3::Hasher::new();
    for part in [a, b, c, d] {
        hasher.update(&part);
    }
    *hasher.finalize().as_bytes()
}
