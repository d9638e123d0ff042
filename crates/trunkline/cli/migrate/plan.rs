//! Which databases are moved, and the `_replicator` documents that move them.

use super::{Ends, server};
use crate::cli::output::{one_line, say};
use crate::cli::remote::{Remote, escaped};
use crate::cli::{Failure, login};
use reqwest::Method;
use serde_json::{Map, Value, json};

/// Databases that are a server's own business.
const NOT_MOVED: [&str; 2] = ["_replicator", "_global_changes"];

/// A move between two servers.
pub(super) struct Plan {
    couchdb: Remote,
    pub(super) server: Remote,
    ends: Ends,
    /// Moved ones, in order.
    pub(super) databases: Vec<String>,
}

/// The document that moves a database to the Trunkline server.
pub(super) fn forward(database: &str) -> String {
    format!("migrate-{database}")
}

/// The document that replicates it back.
pub(super) fn back(database: &str) -> String {
    format!("migrate-back-{database}")
}

impl Plan {
    /// Asks the CouchDB for its databases.
    pub(super) async fn read(ends: &Ends) -> Result<Plan, Failure> {
        ends.login.apply();
        let ends = Ends {
            couchdb: login::complete(&ends.couchdb)?,
            server: login::complete(&ends.server)?,
            ..ends.clone()
        };
        let couchdb = server(&ends.couchdb)?;
        let all: Vec<String> = couchdb.ask_json(Method::GET, "/_all_dbs", None).await?;
        let replicators = |name: &String| name.ends_with("/_replicator");
        let databases: Vec<String> = if ends.databases.is_empty() {
            let moved = all.into_iter();
            moved
                .filter(|name| !NOT_MOVED.contains(&name.as_str()) && !replicators(name))
                .collect()
        } else {
            if let Some(missing) = ends.databases.iter().find(|name| !all.contains(name)) {
                return Err(Failure::new(format!("the CouchDB has no database {missing}")));
            }
            ends.databases.clone()
        };
        Ok(Plan {
            couchdb,
            server: server(&ends.server)?,
            ends,
            databases,
        })
    }

    /// Creates the copy, gives it the original's `_security`, and starts the replications that are not there; answers
    /// whether any was started.
    pub(super) async fn begin(&self, database: &str, both_ways: bool) -> Result<bool, Failure> {
        Remote::new(&self.server_url(database))?.create().await?;
        self.copy_security(database).await?;
        let couchdb = self.couchdb_endpoint(database)?;
        let copy = Value::String(database.to_owned());
        let mut begun = self.replicate(&forward(database), &couchdb, &copy).await?;
        if both_ways {
            begun |= self.replicate(&back(database), &copy, &couchdb).await?;
        }
        Ok(begun)
    }

    /// Gives the copy the original's `_security`. A server that has none to give, or none that is an object, does not
    /// keep its documents from being moved: that is said, and the copy's stays as it is.
    pub(super) async fn copy_security(&self, database: &str) -> Result<(), Failure> {
        let path = format!("/{}/_security", escaped(database));
        let why = match self.couchdb.ask_if_there::<Value>(&path).await {
            Ok(Some(security)) if security.is_object() => {
                self.server
                    .ask(Method::PUT, &path, Some(security.to_string()))
                    .await?;
                return Ok(());
            }
            Ok(Some(_)) => "the CouchDB's answer is no object".to_owned(),
            Ok(None) => "the CouchDB has none".to_owned(),
            Err(failure) => failure.to_string(),
        };
        say(one_line(&format!(
            "{database}: `_security` was not copied: {why}"
        )))
    }

    async fn replicate(&self, id: &str, source: &Value, target: &Value) -> Result<bool, Failure> {
        if self.is_under_way(id).await? {
            return Ok(false);
        }
        let document = json!({"source": source, "target": target, "continuous": true});
        self.server
            .ask(Method::PUT, &document_path(id), Some(document.to_string()))
            .await?;
        Ok(true)
    }

    pub(super) async fn is_under_way(&self, id: &str) -> Result<bool, Failure> {
        Ok(self.revision(id).await?.is_some())
    }

    async fn revision(&self, id: &str) -> Result<Option<String>, Failure> {
        let document: Option<Value> = self.server.ask_if_there(&document_path(id)).await?;
        let rev = document
            .as_ref()
            .and_then(|document| document.get("_rev")?.as_str());
        Ok(rev.map(str::to_owned))
    }

    /// Ends a replication, when it is there; answers whether it was.
    pub(super) async fn end(&self, id: &str) -> Result<bool, Failure> {
        let Some(rev) = self.revision(id).await? else {
            return Ok(false);
        };
        let path = format!("{}?rev={rev}", document_path(id));
        self.server.ask(Method::DELETE, &path, None).await?;
        Ok(true)
    }

    /// The copy's URL.
    pub(super) fn server_url(&self, database: &str) -> String {
        format!("{}/{}", self.ends.server.trim_end_matches('/'), escaped(database))
    }

    /// The original's URL.
    pub(super) fn couchdb_url(&self, database: &str) -> String {
        format!(
            "{}/{}",
            self.ends.couchdb.trim_end_matches('/'),
            escaped(database)
        )
    }

    /// The original as the server is told of it: with the name of a secret, or with the URL's credentials apart.
    fn couchdb_endpoint(&self, database: &str) -> Result<Value, Failure> {
        let mut url = reqwest::Url::parse(&self.couchdb_url(database))
            .map_err(|cause| Failure::new(format!("the CouchDB's URL: {cause}")))?;
        let decoded = |text: &str| {
            percent_encoding::percent_decode_str(text)
                .decode_utf8_lossy()
                .into_owned()
        };
        let user = decoded(url.username());
        let password = decoded(url.password().unwrap_or_default());
        // Neither fails for a URL with a host.
        let _ = (url.set_username(""), url.set_password(None));
        let mut endpoint = Map::new();
        endpoint.insert("url".into(), Value::String(url.into()));
        let auth = match &self.ends.secret {
            Some(name) => Some(json!({"secret": name})),
            None if user.is_empty() => None,
            None => Some(json!({"basic": {"username": user, "password": password}})),
        };
        if let Some(auth) = auth {
            endpoint.insert("auth".into(), auth);
        }
        Ok(Value::Object(endpoint))
    }
}

pub(super) fn document_path(id: &str) -> String {
    format!("/_replicator/{}", escaped(id))
}
