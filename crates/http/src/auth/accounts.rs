//! What is known of a name: an administrator of the settings, or a user of the database `_users`.

use super::asked::note_failure;
use super::password::{Hash, Kept};
use super::user::{ADMIN, Method, User};
use super::users_db;
use crate::app::App;
use crate::config::{Config, Passwords};
use crate::error::{Error, Result};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use trunkline_core::Seq;
use trunkline_core::db_name::DbName;
use trunkline_core::limits::{ACCOUNTS_MAX, USER_DOC_BYTES_MAX};
use trunkline_store::{self as store, Database};
use trunkline_wire::user_doc::{self, UserDoc};

/// CouchDB's words.
const CONFLICT: &str =
    "User document conflict must be resolved before the document is used for authentication purposes.";

/// Who may log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) roles: Vec<String>,
    pub(super) kept: Kept,
    /// [`Kept::fingerprint`].
    pub(super) fingerprint: blake3::Hash,
}

/// Accounts read from `_users`, until anything changes there.
#[derive(Debug, Default)]
pub(super) struct Accounts(Mutex<Read>);

#[derive(Debug, Default)]
struct Read {
    /// The database as it was when they were read.
    of: Option<Moment>,
    accounts: HashMap<String, Arc<Account>>,
}

/// A database that was deleted and made anew is another one: its handle says so.
#[derive(Debug)]
struct Moment {
    db: Database,
    seq: Seq,
    losses: u64,
}

impl Moment {
    fn now(db: Database) -> Result<Moment, store::Error> {
        let (losses, seq) = (db.losses(), db.last_seq()?);
        Ok(Moment { db, seq, losses })
    }

    fn is_now(&self) -> bool {
        self.db.last_seq().is_ok_and(|seq| seq == self.seq) && self.db.losses() == self.losses
    }
}

impl Account {
    fn new(roles: Vec<String>, kept: Kept) -> Account {
        Account {
            fingerprint: kept.fingerprint(),
            roles,
            kept,
        }
    }

    /// The user that it makes.
    pub(super) fn user(&self, name: String, by: Method) -> User {
        User {
            name: Some(name),
            roles: self.roles.clone(),
            by: Some(by),
            proof: Some(self.fingerprint),
            ends: None,
        }
    }
}

impl Accounts {
    /// The account of a name. Administrators come first: no document takes their place.
    pub(super) async fn find(&self, app: &App, config: &Config, name: &str) -> Result<Option<Arc<Account>>> {
        if let Some(secret) = config.admins.get(name) {
            return Ok(Some(Arc::new(admin(
                secret.reveal(),
                &config.authentication.passwords,
            ))));
        }
        if let Some(account) = self.known(name) {
            return Ok(Some(account));
        }
        let (app_, name_) = (app.clone(), name.to_owned());
        let found = app.reads.run(move || read(&app_, &name_)).await?;
        Ok(found.map(|(moment, account)| self.keep(moment, name.to_owned(), account)))
    }

    /// One that was read, if nothing changed since.
    fn known(&self, name: &str) -> Option<Arc<Account>> {
        let mut read = self.0.lock();
        if !read.of.as_ref().is_some_and(Moment::is_now) {
            *read = Read::default();
        }
        read.accounts.get(name).cloned()
    }

    fn keep(&self, moment: Moment, name: String, account: Account) -> Arc<Account> {
        let account = Arc::new(account);
        let mut read = self.0.lock();
        let same = |of: &Moment| of.seq == moment.seq && of.losses == moment.losses && of.is_now();
        if !read.of.as_ref().is_some_and(same) || read.accounts.len() >= ACCOUNTS_MAX {
            read.accounts.clear();
            read.of = Some(moment);
        }
        read.accounts.insert(name, account.clone());
        account
    }
}

fn admin(text: &str, passwords: &Passwords) -> Account {
    let kept = Kept::of_admin(text).unwrap_or_else(|| Kept::nobodys(passwords));
    Account::new(vec![ADMIN.to_owned()], kept)
}

/// Reads the document of a user, and the moment from which on it holds.
fn read(app: &App, name: &str) -> Result<Option<(Moment, Account)>> {
    let users = DbName::parse(users_db::NAME).map_err(|_| Error::DatabaseMissing)?;
    let db = match app.store.database(&users) {
        Err(store::Error::DatabaseMissing(_)) => return Ok(None),
        db => db?,
    };
    let moment = Moment::now(db)?;
    let id = format!("{}{name}", user_doc::ID_PREFIX);
    // Who takes a role away changes one leaf: the other may have it still, and be the one that counts some day.
    if let Some(tree) = moment.db.tree(&id)?
        && tree
            .revs
            .leaves()
            .iter()
            .filter(|(_, leaf)| !leaf.deleted)
            .count()
            > 1
    {
        note_failure(name, None, CONFLICT);
        return Ok(None);
    }
    let leaf = moment.db.get(&id, None)?;
    let account = leaf
        .filter(|leaf| !leaf.deleted && leaf.body.as_str().len() <= USER_DOC_BYTES_MAX)
        .and_then(|leaf| user_doc::read(leaf.body.as_str()))
        .and_then(|doc| {
            if let Some(prf) = unknown_hash(&doc) {
                tracing::warn!(
                    name,
                    prf,
                    "nobody logs in by a hash that is not known here: set another password"
                );
            }
            account(name, &doc)
        });
    Ok(account.map(|account| (moment, account)))
}

/// What a password was derived with, if it is nothing that is known here.
fn unknown_hash(doc: &UserDoc) -> Option<&str> {
    let of = doc
        .pbkdf2_prf
        .as_deref()
        .filter(|name| Hash::named(name).is_none());
    of.filter(|_| doc.password_scheme.as_deref() == Some("pbkdf2"))
}

/// What a document makes of its user; `None` when nobody can log in with it. System roles come from settings alone,
/// whatever a document says that another node accepted.
fn account(name: &str, doc: &UserDoc) -> Option<Account> {
    if doc.name.as_deref() != Some(name) || doc.has_totp {
        return None;
    }
    let salt = doc.salt.as_deref().unwrap_or_default();
    let kept = match doc.password_scheme.as_deref() {
        None | Some("simple") => Kept::simple(doc.password_sha.as_deref()?, salt),
        Some("pbkdf2") => {
            let hash = Hash::named(doc.pbkdf2_prf.as_deref().unwrap_or("sha"))?;
            Kept::pbkdf2(hash, doc.iterations?, doc.derived_key.as_deref()?, salt)
        }
        Some(_) => None,
    }?;
    let mut roles = doc.roles.clone().unwrap_or_default();
    roles.retain(|role| !role.starts_with('_'));
    Some(Account::new(roles, kept))
}

#[cfg(test)]
mod tests;
