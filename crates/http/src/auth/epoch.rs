//! Whether anything has changed of users and settings, and whether a user is still who he was: for answers that last.

use super::user::{Method, User};
use super::{is_open, jwt, now, proxy, users_db};
use crate::app::App;
use crate::config::Config;
use std::sync::Arc;
use trunkline_core::Seq;
use trunkline_core::db_name::DbName;

/// Users and settings as they were at a moment.
#[derive(Clone, Debug)]
pub(crate) struct Epoch {
    users: Option<Seq>,
    config: Arc<Config>,
}

impl Epoch {
    pub(crate) fn now(app: &App) -> Epoch {
        let users = DbName::parse(users_db::NAME).ok();
        let users = users.and_then(|name| app.store.database(&name).ok());
        Epoch {
            users: users.and_then(|users| users.last_seq().ok()),
            config: app.config(),
        }
    }
}

impl PartialEq for Epoch {
    fn eq(&self, other: &Epoch) -> bool {
        self.users == other.users && Arc::ptr_eq(&self.config, &other.config)
    }
}

/// Whether what a user presented would be believed now as it was, and would make the same of him: the account has the same
/// password and roles; the key, secret or listing is still in the settings. Times are not looked at; see [`is_over`].
pub(crate) async fn is_still(app: &App, user: &User) -> bool {
    let config = app.config();
    let settings = &config.authentication;
    let Some(name) = &user.name else {
        // Everyone on a server that was open; or nobody in particular.
        return match user.is_admin() {
            true => is_open(&config),
            false => !settings.require_valid_user,
        };
    };
    match user.by {
        Some(Method::Basic | Method::Cookie) => match app.auth.accounts.find(app, &config, name).await {
            Ok(Some(account)) => account.roles == user.roles && user.proof == Some(account.fingerprint),
            Ok(None) => false,
            // Not known now: asked again with the next change.
            Err(_) => true,
        },
        Some(Method::Jwt) => jwt::is_still(user, &settings.jwt),
        Some(Method::Proxy) => {
            proxy::is_still(user, &settings.proxy, |name| config.admins.contains_key(name))
        }
        Some(Method::Certificate) => settings.certificates.roles.get(name) == Some(&user.roles),
        None => true,
    }
}

/// Whether what a user presented has run out meanwhile.
pub(crate) fn is_over(user: &User) -> bool {
    user.ends.is_some_and(|ends| ends <= now())
}

#[cfg(test)]
mod tests;
