//! Who asks: found out once for each request, before any route sees it.
//!
//! What a request presents is looked at in CouchDB's order: a cookie of `/_session`, `Authorization`, what a proxy says;
//! then the certificate of its connection. What is presented must hold: a request with a wrong password is refused, not
//! answered as if it had none. What may be done by whom is not decided here.

mod accounts;
mod basic;
pub(crate) mod certificate;
mod cookie;
mod epoch;
mod hashing;
mod hex;
mod jwt;
mod lockout;
mod open;
pub(crate) mod password;
pub(crate) mod proxy;
mod user;
pub(crate) mod users_db;
mod verified;

pub(crate) use basic::Credentials;
pub(crate) use epoch::{Epoch, is_still};
pub(crate) use jwt::is_sound_key;
pub use password::hash_admin;
pub(crate) use user::{Method, User};
pub(crate) use users_db::rule;

use crate::app::App;
use crate::audit;
use crate::config::{Authentication, Config, Sessions};
use crate::connection::Peer;
use crate::error::{Error, Result};
use crate::request::header_text;
use accounts::{Account, Accounts};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method as AskedMethod, Uri, header};
use certificate::ClientCertificate;
use cookie::{Held, Session};
use hashing::{Hashing, Turn};
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
    /// Signs cookies where the settings have no secret.
    secret: String,
}

impl Auth {
    pub(crate) fn new() -> Auth {
        Auth {
            accounts: Accounts::default(),
            verified: Verified::new(),
            failures: Failures::default(),
            hashing: Hashing::new(),
            secret: hex::encode(&random()),
        }
    }

    /// Waits for the turn to derive a new password, not for long, on a thread of the runtime that may block. Who logs in
    /// stands in the same queue: many new passwords keep nobody out.
    fn turn_to_derive(&self) -> Result<Turn> {
        tokio::runtime::Handle::current().block_on(self.hashing.turn())
    }

    /// What new cookies are signed with, then what old ones were.
    fn secrets<'a>(&'a self, settings: &'a Sessions) -> impl Iterator<Item = &'a str> {
        let first = match settings.secret.reveal() {
            "" => self.secret.as_str(),
            secret => secret,
        };
        let former = settings.former_secrets.iter().map(|secret| secret.reveal());
        std::iter::once(first).chain(former.filter(|secret| !secret.is_empty()))
    }
}

/// Whether whoever asks is an administrator, because there is none.
pub(crate) fn is_open(config: &Config) -> bool {
    config.admins.is_empty() && !config.authentication.require_valid_user
}

/// Finds out whose request it is, and puts that among its extensions, as [`Arc<User>`]; or refuses it. Answers the cookie
/// that its client is to get.
pub(crate) async fn admit(app: &App, request: &mut Request) -> Result<Option<HeaderValue>> {
    let config = app.config();
    let peer = request.extensions().get::<Peer>().copied();
    let asked = Asked::of(request, peer);
    let is_open = is_open(&config);
    // No page finds its way through a unix socket.
    if is_open && peer.is_none_or(|peer| peer.address.is_some()) {
        open::check(request.headers(), &config.cors).inspect_err(|error| asked.note(error))?;
    }
    let is_session = request.uri().path() == "/_session";
    let session = match cookie::given(request.headers()) {
        // It can be replaced there.
        Err(_) if is_session => None,
        session => session.inspect_err(|error| asked.note(error))?,
    };
    let (user, renewed) = match session {
        Some(session) => continued(app, &config, session, request.headers(), peer).await?,
        None => (None, None),
    };
    let settings = &config.authentication;
    let user = match user {
        Some(user) => user,
        None => match presented(app, &config, request.headers(), &asked).await? {
            Some(user) => user,
            None => match certified(request, settings) {
                Some(user) => user,
                None if is_open => User::nameless_admin(),
                None => User::default(),
            },
        },
    };
    if user.name.is_none() && settings.require_valid_user && !is_session {
        let is_up = request.uri().path() == "/_up";
        if !(is_up && settings.require_valid_user_except_for_up) {
            let error = Error::Unauthorized("Authentication required.".to_owned());
            asked.note(&error);
            return Err(error);
        }
    }
    request.extensions_mut().insert(Arc::new(user));
    Ok(renewed)
}

/// What a request asks for, for the audit log.
struct Asked {
    method: AskedMethod,
    uri: Uri,
    address: Option<IpAddr>,
}

impl Asked {
    fn of(request: &Request, peer: Option<Peer>) -> Asked {
        Asked {
            method: request.method().clone(),
            uri: request.uri().clone(),
            address: peer.and_then(|peer| peer.address),
        }
    }

    /// Puts down that it presents what does not hold, or nothing where it must. What it presents stays out.
    fn note(&self, error: &Error) {
        let reason: &str = match error {
            Error::Unauthorized(reason) | Error::Forbidden(reason) => reason,
            Error::BadRequest(reason) => reason,
            _ => return,
        };
        let (address, path) = (self.address.map(tracing::field::display), self.uri.path());
        tracing::warn!(target: audit::TARGET, address, method = %self.method, path, reason, "refused");
    }
}

/// Whose session it is, if it holds, and its new cookie, if it is time for one.
async fn continued(
    app: &App,
    config: &Config,
    session: Session,
    headers: &HeaderMap,
    peer: Option<Peer>,
) -> Result<(Option<User>, Option<HeaderValue>)> {
    let Some(account) = app.auth.accounts.find(app, config, &session.name).await? else {
        return Ok((None, None));
    };
    let (settings, salt, now) = (&config.authentication.sessions, account.kept.salt(), now());
    let held = session.holds(settings, app.auth.secrets(settings), &salt, now);
    let renewed = held
        .filter(|held| *held == Held::Aged)
        .and(app.auth.secrets(settings).next())
        .and_then(|secret| cookie::make(config, secret, &session.name, &salt, now, is_tls(headers, peer)));
    let user = held.map(|_| account.user(session.name, Method::Cookie));
    Ok((user, renewed))
}

/// Whom the headers name.
async fn presented(app: &App, config: &Config, headers: &HeaderMap, asked: &Asked) -> Result<Option<User>> {
    let settings = &config.authentication;
    let Some(given) = headers.get(header::AUTHORIZATION) else {
        let is_admin = |name: &str| config.admins.contains_key(name);
        return proxy::user(headers, &settings.proxy, is_admin).inspect_err(|error| asked.note(error));
    };
    let invalid = || Error::bad("Authorization header is invalid");
    let given = given.to_str().map_err(|_| invalid())?;
    let (scheme, rest) = given.split_once(' ').ok_or_else(invalid)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        let user = jwt::user(rest, &settings.jwt, now()).inspect_err(|error| asked.note(error));
        return user.map(Some);
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(invalid());
    }
    let Some(credentials) = basic::read(rest)? else {
        return Ok(None);
    };
    if is_stranger_to_open(app, config, &credentials).await? {
        return Ok(None);
    }
    let account = log_in(app, config, asked.address, &credentials).await?;
    Ok(Some(account.user(credentials.name, Method::Basic)))
}

/// Whether a server without administrator knows nothing of a name. There is nobody to make users there, and who brings
/// credentials all the same may do what everyone may.
async fn is_stranger_to_open(app: &App, config: &Config, given: &Credentials) -> Result<bool> {
    Ok(is_open(config) && app.auth.accounts.find(app, config, &given.name).await?.is_none())
}

fn certified(request: &Request, settings: &Authentication) -> Option<User> {
    let certificate = request.extensions().get::<ClientCertificate>()?;
    certificate::user(certificate, &settings.certificates)
}

/// CouchDB's names of the ways that a server has, in the order in which they are tried.
pub(crate) fn handlers(config: &Config) -> Vec<&'static str> {
    let settings = &config.authentication;
    let ways = [
        (true, Method::Cookie),
        (!settings.jwt.keys.is_empty(), Method::Jwt),
        (true, Method::Basic),
        (!settings.proxy.secret.reveal().is_empty(), Method::Proxy),
        (!settings.certificates.roles.is_empty(), Method::Certificate),
    ];
    let ways = ways.into_iter().filter(|(is_on, _)| *is_on);
    ways.map(|(_, way)| way.handler()).collect()
}

/// Begins a session: whose it is, and its cookie.
pub(crate) async fn begin_session(
    app: &App,
    credentials: Credentials,
    headers: &HeaderMap,
    peer: Option<Peer>,
) -> Result<(User, Option<HeaderValue>)> {
    let config = app.config();
    let address = peer.and_then(|peer| peer.address);
    if is_stranger_to_open(app, &config, &credentials).await? {
        // 404 and nothing else makes CouchDB's replicator go on with Basic authentication.
        return Err(Error::NotFound("This server has no users to log in.".into()));
    }
    let account = log_in(app, &config, address, &credentials).await?;
    let secret = app.auth.secrets(&config.authentication.sessions).next();
    let cookie = secret.and_then(|secret| {
        let tls = is_tls(headers, peer);
        cookie::make(
            &config,
            secret,
            &credentials.name,
            &account.kept.salt(),
            now(),
            tls,
        )
    });
    Ok((account.user(credentials.name, Method::Cookie), cookie))
}

/// The cookie that ends a session.
pub(crate) fn end_session(app: &App, headers: &HeaderMap, peer: Option<Peer>) -> Option<HeaderValue> {
    cookie::clear(&app.config().authentication.sessions, is_tls(headers, peer))
}

/// Whether the client came by TLS, to here or to a proxy that says so.
fn is_tls(headers: &HeaderMap, peer: Option<Peer>) -> bool {
    let says = |name, value| header_text(headers, HeaderName::from_static(name)) == Some(value);
    peer.is_some_and(|peer| peer.tls) || says("x-forwarded-ssl", "on") || says("x-forwarded-proto", "https")
}

/// Seconds since 1970.
fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
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
    let is_let_try = || {
        let refused = |_: &Error| note_failure(&given.name, address, "locked out");
        auth.failures
            .check(guesser, &settings.lockout)
            .inspect_err(refused)
    };
    is_let_try()?;
    let account = auth.accounts.find(app, config, &given.name).await?;
    let mark = auth.verified.mark(&given.name, &given.password);
    let known = || {
        let account = account.as_ref();
        account.filter(|account| auth.verified.holds(&mark, &account.fingerprint))
    };
    if let Some(account) = known() {
        return Ok(account.clone());
    }
    let turn = auth.hashing.turn().await?;
    // Others may have failed meanwhile, or found out what this one would.
    is_let_try()?;
    if let Some(account) = known() {
        return Ok(account.clone());
    }
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
            let is_locked = auth.failures.add(guesser, &settings.lockout);
            let reason = match is_locked {
                true => "too many wrong passwords: locked out",
                false => "a wrong name or password",
            };
            note_failure(&given.name, address, reason);
            Err(Error::Unauthorized("Name or password is incorrect.".to_owned()))
        }
    }
}

/// Puts down who was not let in. Whoever sends names chooses their length.
fn note_failure(name: &str, address: Option<IpAddr>, reason: &'static str) {
    let user: String = name.chars().take(NAME_CHARS_NOTED).collect();
    let address = address.map(tracing::field::display);
    tracing::warn!(target: audit::TARGET, user, address, reason, "refused");
}

/// Characters of a name that the log shows.
const NAME_CHARS_NOTED: usize = 128;

/// Bytes that nobody can guess.
fn random() -> [u8; 32] {
    let [a, b, c, d] = [(); 4].map(|()| *uuid::Uuid::new_v4().as_bytes());
    let mut hasher = blake3::Hasher::new();
    for part in [a, b, c, d] {
        hasher.update(&part);
    }
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests;
