//! Sessions: how they begin, go on and end.

use super::asked::note_failure;
use super::cookie::{self, Held, Session};
use super::log_in::{is_stranger_to_open, log_in};
use super::user::{Method, User};
use super::{Credentials, now};
use crate::app::App;
use crate::config::Config;
use crate::connection::Peer;
use crate::error::{Error, Result};
use crate::request::header_text;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// Whose session it is, if it holds, and its new cookie, if it is time for one.
pub(super) async fn continued(
    app: &App,
    config: &Config,
    session: Session,
    headers: &HeaderMap,
    peer: Option<Peer>,
) -> Result<(Option<User>, Option<HeaderValue>)> {
    let (settings, now) = (&config.authentication.sessions, now());
    // It is nobody's, as in CouchDB. Many run out; but who brings one that nobody here made may have made it.
    let note_forged = || {
        if !session.is_over(settings, now) {
            let address = peer.and_then(|peer| peer.address);
            note_failure(
                &session.name,
                address,
                "a cookie that is not signed as it must be",
            );
        }
    };
    let Some(account) = app.auth.accounts.find(app, config, &session.name).await? else {
        note_forged();
        return Ok((None, None));
    };
    let salt = account.kept.salt();
    let held = session.holds(settings, app.auth.secrets(settings), &salt, now);
    if held.is_none() {
        note_forged();
    }
    let renewed = held
        .filter(|held| *held == Held::Aged)
        .and(app.auth.secrets(settings).next())
        .and_then(|secret| cookie::make(config, secret, &session.name, &salt, now, is_tls(headers, peer)));
    let user = held.map(|_| account.user(session.name, Method::Cookie));
    Ok((user, renewed))
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
