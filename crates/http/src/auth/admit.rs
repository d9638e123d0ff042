//! The door: each request passes it once.

use super::asked::Asked;
use super::certificate::{self, ClientCertificate};
use super::log_in::{is_stranger_to_open, log_in};
use super::session::continued;
use super::user::{Method, User};
use super::{basic, cookie, is_open, jwt, now, open, proxy};
use crate::app::App;
use crate::config::{Authentication, Config};
use crate::connection::Peer;
use crate::cors;
use crate::error::{Error, Result};
use crate::request::header_text;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use std::sync::Arc;

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
    if is_of_others_page(request, &config) {
        let error = Error::Forbidden(OF_OTHERS_PAGE.to_owned());
        asked.note(&error);
        return Err(error);
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

const OF_OTHERS_PAGE: &str =
    "Pages of other origins may not change anything here: list the origin in the CORS settings.";

/// Whether a browser says that a page of somebody else's has it send this: it adds what it knows of its user, and asks first
/// only about what no form could send.
fn is_of_others_page(request: &Request, config: &Config) -> bool {
    let site = header_text(request.headers(), HeaderName::from_static("sec-fetch-site"));
    matches!(site, Some("cross-site" | "same-site"))
        && !request.method().is_safe()
        && cors::allowed(&config.cors, request.headers()).is_none()
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

fn certified(request: &Request, settings: &Authentication) -> Option<User> {
    let certificate = request.extensions().get::<ClientCertificate>()?;
    certificate::user(certificate, &settings.certificates)
}
