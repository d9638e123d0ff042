//! Who may pass to what: the gate of every route, and the handle of the database that those behind it get.
//!
//! A row of the route table says what it [`Needs`]; [`enforce`] holds the request's user to it. Where a database is in the
//! path, the handler gets it on the user's behalf ([`Granted`]): what the user does not see does not exist in it, and what
//! the user may not write is refused in the commit. A handler has no other way to a database of a path, so that one that
//! was forgotten here has none at all.

mod asker;
mod bound;
mod brought;
mod lease;
pub(crate) mod needs;
mod refusal;

pub(crate) use asker::of_replication;
pub(crate) use brought::RightsEnded;
pub(crate) use needs::Needs;
pub(crate) use refusal::Refusal;

use bound::Bound;
use lease::Lease;
use refusal::Asked;

use crate::app::{App, blocking};
use crate::audit::Who;
use crate::auth::{User, users_db};
use crate::error::{Error, Result};
use crate::request::captures;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use trunkline_core::access::Rights;
use trunkline_core::db_name::DbName;
use trunkline_replicate::is_replicator;
use trunkline_store::{self as store, Database};

/// The path's database, as who asks may use it: in the extensions of a request that has passed.
#[derive(Clone, Debug)]
pub(crate) struct Granted(pub(crate) Database);

/// CouchDB's words.
const NOT_SERVER_ADMIN: &str = "You are not a server admin.";

/// Lets a request pass that has what its route needs.
pub(crate) async fn enforce<F: Future<Output = Response>>(
    app: &App,
    needs: Needs,
    request: Request,
    answer: impl FnOnce(Request) -> F,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let asked = match Asked::of(&parts) {
        Ok(asked) => asked,
        Err(error) => return error.into_response(),
    };
    let lease = match pass(app, needs, &asked.who, &mut parts).await {
        Ok(lease) => lease,
        Err(error) => {
            let answer = error.into_response();
            asked.note(&answer);
            return answer;
        }
    };
    let body = match &lease {
        Some(lease) => brought::bind(lease, body),
        None => body,
    };
    let answer = answer(Request::from_parts(parts, body)).await;
    // What needs nothing notes itself who could not log in.
    if needs != Needs::Nothing {
        asked.note(&answer);
    }
    match lease {
        Some(lease) => lease.bind(answer),
        None => answer,
    }
}

async fn pass(app: &App, needs: Needs, who: &Who, parts: &mut Parts) -> Result<Option<Lease>> {
    let user = user(parts)?;
    match needs {
        Needs::Nothing => Ok(None),
        Needs::ServerAdmin if user.is_admin() => Ok(Some(Lease::new(app, &user, None))),
        Needs::ServerAdmin => Err(refusal::of(&user, NOT_SERVER_ADMIN)),
        Needs::Documents(rights) | Needs::Whole(rights) => {
            let captures = captures(parts).await?;
            let (_, name) = captures.iter().next().unwrap_or_default();
            let db = database(app, &user, name)?;
            let (granted, lease) = grant(app, db, (&user, who), needs, rights).await?;
            parts.extensions.insert(Granted(granted));
            Ok(Some(lease))
        }
    }
}

/// The database of a path, whole.
fn database(app: &App, user: &User, name: &str) -> Result<Database> {
    let name = DbName::parse(name).map_err(|_| Error::DatabaseMissing)?;
    let is_made = user.is_admin() && matches!(name.as_str(), "_replicator" | users_db::NAME);
    match app.store.database(&name) {
        // Clients of CouchDB find it there from the start.
        Err(store::Error::DatabaseMissing(_)) if is_made => match app.store.create(&name) {
            Err(store::Error::DatabaseExists(_)) => Ok(app.store.database(&name)?),
            created => Ok(created?),
        },
        database => Ok(database?),
    }
}

/// Who asks, as was found out before.
pub(crate) fn user(parts: &Parts) -> Result<Arc<User>> {
    let user = parts.extensions.get::<Arc<User>>();
    // Nobody has looked: nobody gets in.
    user.cloned()
        .ok_or_else(|| Error::Internal("a request without a user".to_owned()))
}

/// The handle of a database for a user with one of the rights that are needed, and by what it is given.
async fn grant(
    app: &App,
    db: Database,
    (user, who): (&Arc<User>, &Who),
    needs: Needs,
    rights: Rights,
) -> Result<(Database, Lease)> {
    let of_users = users_db::is(&db);
    if user.is_admin() {
        return Ok((asker::of_admin(&db, user, who), Lease::new(app, user, None)));
    }
    // Whoever writes a replication reads and writes whatever the server can.
    if is_replicator(db.name()) || of_users && user.name.is_none() {
        return Err(refusal::of(user, NOT_SERVER_ADMIN));
    }
    let rules = match db.rules_at_hand() {
        Some(rules) => rules,
        None => {
            let db = db.clone();
            blocking(move || Ok(db.rules()?)).await?
        }
    };
    let lease = Lease::new(app, user, Some((db.clone(), rules.clone())));
    let access = rules.access(user.identity());
    if of_users {
        let is_admin = access.whole.all_of(Rights::ALL);
        // Everyone's own document is theirs, and nothing else is.
        return match is_admin || needs::ONE_DOCUMENT.contains(&needs) {
            true => {
                let rounds = app.config().authentication.passwords.iterations;
                Ok((asker::of_users(&db, user, who, (is_admin, rounds)), lease))
            }
            false => Err(refusal::of(user, NOT_SERVER_ADMIN)),
        };
    }
    let any = access.any();
    if !any.any_of(rights) {
        return Err(refusal::of_rights(user, any, rights));
    }
    let whole = matches!(needs, Needs::Whole(_));
    if whole && !access.whole.any_of(rights) {
        let reason = "You may see some documents of this database only, and this is about all of them.";
        return Err(refusal::of(user, reason));
    }
    let shows = match whole {
        true => Rights::ALL,
        false => needs::SHOWS | (rights & needs::shows_revisions(needs)),
    };
    let bound = Bound::read(&db, &access).await?;
    let granted = asker::of(&db, (user, who), &access, shows, &bound);
    Ok((granted, lease.with_bound(db, bound)))
}
