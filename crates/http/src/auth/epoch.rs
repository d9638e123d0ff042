//! Whether anything has changed of users and settings, and whether a user is still who he was: for answers that last.

use super::user::{Method, User};
use super::users_db;
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

/// Whether a user still has an account with the same roles. What proxies, tokens and certificates said is theirs to take
/// back.
pub(crate) async fn is_still(app: &App, user: &User) -> bool {
    let Some(name) = &user.name else {
        // Nobody in particular; or everyone, on a server that was open.
        return !user.is_admin() || app.config().admins.is_empty();
    };
    if !matches!(user.by, Some(Method::Basic | Method::Cookie)) {
        return true;
    }
    match app.auth.accounts.find(app, &app.config(), name).await {
        Ok(Some(account)) => account.roles == user.roles,
        Ok(None) => false,
        // Not known now: asked again with the next change.
        Err(_) => true,
    }
}
