//! Who did something, as the audit log names them.

use crate::auth::User;
use crate::connection::Peer;
use crate::error::{Error, Result};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::field::{DisplayValue, display};

/// A user, from an address; or a replication that the server runs. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Who {
    user: Option<Arc<User>>,
    address: Option<IpAddr>,
    replication: Option<Arc<str>>,
    /// Whether it was put down that this request was refused something.
    was_refused: Arc<AtomicBool>,
}

impl Who {
    pub(crate) fn of(user: &Arc<User>, parts: &Parts) -> Who {
        let peer = parts.extensions.get::<Peer>();
        Who {
            user: Some(user.clone()),
            address: peer.and_then(|peer| peer.address),
            ..Who::default()
        }
    }

    pub(crate) fn of_replication(named: &str) -> Who {
        Who {
            replication: Some(named.into()),
            ..Who::default()
        }
    }

    pub(crate) fn user(&self) -> Option<&str> {
        self.user.as_ref()?.name.as_deref()
    }

    pub(crate) fn address(&self) -> Option<DisplayValue<IpAddr>> {
        self.address.map(display)
    }

    /// Whether another line is written of what was refused.
    pub(crate) fn is_listed(&self) -> bool {
        super::is_listed(self.user(), self.address)
    }

    pub(crate) fn replication(&self) -> Option<&str> {
        self.replication.as_deref()
    }

    /// Marks that it was put down. Answers whether it had been before.
    pub(crate) fn was_refused(&self) -> bool {
        self.was_refused.swap(true, Ordering::Relaxed)
    }
}

impl<S: Sync> FromRequestParts<S> for Who {
    type Rejection = Error;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Who> {
        Ok(Who::of(&crate::access::user(parts)?, parts))
    }
}
