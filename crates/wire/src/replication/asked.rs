//! How a replication is asked for: one reader for the bodies of `_replicate`, the documents of `_replicator` and what
//! programs give as JSON.

use crate::invalid::Invalid;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use std::str::FromStr;
use trunkline_core::json;

/// Everything that may be asked of a replication. What only tunes CouchDB's own replicator is passed over; `null` is
/// as good as absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Where from.
    pub source: Option<End>,
    /// Where to.
    pub target: Option<End>,
    /// Goes on waiting for changes.
    pub continuous: bool,
    /// Ends the replication instead of starting it.
    pub cancel: bool,
    /// Creates the target when it is not there.
    pub create_target: bool,
    /// Only winning revisions.
    pub winning_revs_only: bool,
    /// Deletions are not replicated.
    pub archive: bool,
    /// Ends at the first document that does not get to the target.
    pub strict: bool,
    /// Whether checkpoints are written.
    pub use_checkpoints: Option<bool>,
    /// Milliseconds between checkpoints.
    pub checkpoint_interval_ms: Option<u64>,
    /// Only these documents.
    pub doc_ids: Option<Vec<String>>,
    /// Only documents that match; JSON text.
    pub selector: Option<String>,
    /// Where to start; JSON text.
    pub since_seq: Option<String>,
    /// Where to end; JSON text.
    pub until: Option<String>,
    /// Names a filter function of the source, `design/name`, or `_view`.
    pub filter: Option<String>,
    /// Only what is in this named feed, `design/name`.
    pub feed_name: Option<String>,
    /// What is asked of it: `query_params`, in order of names.
    pub query_params: Vec<(String, String)>,
    /// `eager`, `lazy` or `none`, unchecked.
    pub attachments: Option<String>,
    /// Most bytes moved in a second.
    pub bytes_per_second: Option<u64>,
    /// Higher goes before lower.
    pub priority: i32,
    /// Names a replication that runs: `replication_id`, `id` or `_local_id`.
    pub replication_id: Option<String>,
    /// `_replication_state` of a document: how its replication ended.
    pub state: Option<String>,
    /// `_replication_state_reason`, or `error` and the like, of a document that says why it failed; as it stands there.
    pub state_reason: Option<String>,
    /// `_replication_state_time` of a document.
    pub state_time: Option<String>,
    /// `_replication_id` of a document.
    pub state_id: Option<String>,
    /// `_replication_stats` of a document; JSON text.
    pub stats: Option<String>,
}

/// One end of a replication: a URL, an object with one, or the name of a database here.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct End {
    /// URL or name.
    pub location: String,
    /// Sent with each request. Basic credentials are not among them.
    pub headers: Vec<(String, String)>,
    /// `auth.basic`, or an `Authorization` header of that kind.
    pub basic: Option<(String, String)>,
    /// `auth.secret`: names credentials that are kept elsewhere.
    pub secret: Option<String>,
    /// URL of a proxy.
    pub proxy: Option<String>,
    /// PEM file of authorities to trust beside the system's.
    pub ca_file: Option<String>,
    /// PEM file of the certificate to show.
    pub client_cert: Option<String>,
    /// PEM file of its key.
    pub client_key: Option<String>,
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("End")
    }
}

impl Asked {
    /// Reads a JSON object. What is wrong with it names the member.
    pub fn parse(text: &str) -> Result<Asked, Invalid> {
        let mut asked = Asked::default();
        let mut proxies = Proxies::default();
        json::members(text, |key, value| {
            if value == "null" || proxies.member(&key, value)? || asked.state_member(&key, value) {
                return Ok(());
            }
            asked.member(&key, value)
        })?;
        proxies.apply(&mut asked);
        Ok(asked)
    }

    fn member(&mut self, key: &str, value: &str) -> Result<(), Invalid> {
        match key {
            "source" => self.source = Some(end(key, value)?),
            "target" => self.target = Some(end(key, value)?),
            "continuous" => self.continuous = flag(key, value)?,
            "cancel" => self.cancel = flag(key, value)?,
            "create_target" => self.create_target = flag(key, value)?,
            "winning_revs_only" => self.winning_revs_only = flag(key, value)?,
            "archive" => self.archive = flag(key, value)?,
            "strict" => self.strict = flag(key, value)?,
            "use_checkpoints" => self.use_checkpoints = Some(flag(key, value)?),
            "checkpoint_interval" => self.checkpoint_interval_ms = Some(number(key, value)?),
            "bytes_per_second" => self.bytes_per_second = Some(number(key, value)?),
            "priority" => self.priority = number(key, value)?,
            "doc_ids" => self.doc_ids = Some(texts(key, value)?),
            "selector" if value.starts_with('{') => self.selector = Some(value.to_owned()),
            "selector" => return Err(wrong(key, "an object")),
            "since_seq" => self.since_seq = Some(value.to_owned()),
            "until" => self.until = Some(value.to_owned()),
            "filter" => self.filter = Some(text(key, value)?),
            "feed_name" => self.feed_name = Some(text(key, value)?),
            "query_params" => self.query_params = params(key, value)?,
            "attachments" => self.attachments = Some(text(key, value)?),
            "replication_id" | "id" | "_local_id" => self.replication_id = Some(text(key, value)?),
            _ => {}
        }
        Ok(())
    }

    /// Takes what a scheduler wrote into a document. Whoever wrote something else there did no harm.
    fn state_member(&mut self, key: &str, value: &str) -> bool {
        let text = || json::string(value).map(std::borrow::Cow::into_owned);
        match key {
            "_replication_state" => self.state = text(),
            "_replication_state_reason" => self.state_reason = text(),
            "_replication_state_time" => self.state_time = text(),
            "_replication_id" => self.state_id = text(),
            "_replication_stats" => self.stats = Some(value.to_owned()),
            _ => return false,
        }
        true
    }
}

/// `proxy` is for both ends, the others for one; what an end itself names comes first.
#[derive(Default)]
struct Proxies {
    both: Option<String>,
    source: Option<String>,
    target: Option<String>,
}

impl Proxies {
    fn member(&mut self, key: &str, value: &str) -> Result<bool, Invalid> {
        let proxy = match key {
            "proxy" => &mut self.both,
            "source_proxy" => &mut self.source,
            "target_proxy" => &mut self.target,
            _ => return Ok(false),
        };
        *proxy = Some(text(key, value)?);
        Ok(true)
    }

    fn apply(self, asked: &mut Asked) {
        for (end, own) in [(&mut asked.source, self.source), (&mut asked.target, self.target)] {
            if let Some(end) = end {
                let named = end.proxy.take();
                end.proxy = named.or(own).or_else(|| self.both.clone());
            }
        }
    }
}

fn end(which: &str, value: &str) -> Result<End, Invalid> {
    if let Some(location) = json::string(value) {
        return Ok(End {
            location: location.into_owned(),
            ..End::default()
        });
    }
    if !value.starts_with('{') {
        return Err(wrong(
            which,
            "a URL, an object with one, or the name of a database",
        ));
    }
    let mut end = End::default();
    let mut basic = None;
    json::members(value, |key, value| {
        let name = format!("{which}.{key}");
        match &*key {
            _ if value == "null" => {}
            "url" => end.location = text(&name, value)?,
            "headers" => headers(&name, value, &mut end)?,
            "auth" => basic = auth(&name, value, &mut end)?,
            "proxy" => end.proxy = Some(text(&name, value)?),
            "ca_file" => end.ca_file = Some(text(&name, value)?),
            "client_cert" => end.client_cert = Some(text(&name, value)?),
            "client_key" => end.client_key = Some(text(&name, value)?),
            _ => {}
        }
        Ok::<_, Invalid>(())
    })?;
    if end.location.is_empty() {
        return Err(Invalid::bad_request(format!("`{which}` needs a `url`")));
    }
    end.basic = basic.or(end.basic);
    Ok(end)
}

/// Basic credentials are kept apart from other headers, so that the two ways of giving them are one.
fn headers(name: &str, value: &str, end: &mut End) -> Result<(), Invalid> {
    object(name, value, |key, value| {
        let header = text(&format!("{name}.{key}"), value)?;
        let credentials = key
            .eq_ignore_ascii_case("authorization")
            .then(|| decode_basic(&header))
            .flatten();
        match credentials {
            Some(credentials) => end.basic = Some(credentials),
            None => end.headers.push((key.to_owned(), header)),
        }
        Ok(())
    })
}

fn auth(name: &str, value: &str, end: &mut End) -> Result<Option<(String, String)>, Invalid> {
    let mut basic = None;
    object(name, value, |key, value| {
        let name = format!("{name}.{key}");
        match key {
            "secret" => end.secret = Some(text(&name, value)?),
            "basic" => basic = Some(credentials(&name, value)?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(basic)
}

fn credentials(name: &str, value: &str) -> Result<(String, String), Invalid> {
    let (mut user, mut password) = (None, None);
    object(name, value, |key, value| {
        let given = || text(&format!("{name}.{key}"), value);
        match key {
            "username" => user = Some(given()?),
            "password" => password = Some(given()?),
            _ => {}
        }
        Ok(())
    })?;
    user.zip(password)
        .ok_or_else(|| Invalid::bad_request(format!("`{name}` needs `username` and `password`")))
}

fn decode_basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

fn object(
    name: &str,
    value: &str,
    mut member: impl FnMut(&str, &str) -> Result<(), Invalid>,
) -> Result<(), Invalid> {
    if !value.starts_with('{') {
        return Err(wrong(name, "an object"));
    }
    json::members(value, |key, value| member(&key, value))
}

fn flag(name: &str, value: &str) -> Result<bool, Invalid> {
    value.parse().map_err(|_| wrong(name, "true or false"))
}

fn number<N: FromStr>(name: &str, value: &str) -> Result<N, Invalid> {
    value.parse().map_err(|_| wrong(name, "a whole number"))
}

fn text(name: &str, value: &str) -> Result<String, Invalid> {
    let text = json::string(value).ok_or_else(|| wrong(name, "a string"))?;
    Ok(text.into_owned())
}

/// Members with their values as texts: strings as they are, others as JSON.
fn params(name: &str, value: &str) -> Result<Vec<(String, String)>, Invalid> {
    if !value.starts_with('{') {
        return Err(wrong(name, "an object"));
    }
    let mut params = Vec::new();
    json::members(value, |param, value| {
        crate::invalid::one_more(params.len())?;
        let text = json::string(value).map_or_else(|| value.to_owned(), |text| text.into_owned());
        params.push((param.into_owned(), text));
        Ok::<_, Invalid>(())
    })?;
    params.sort_unstable();
    Ok(params)
}

fn texts(name: &str, value: &str) -> Result<Vec<String>, Invalid> {
    if !value.starts_with('[') {
        return Err(wrong(name, "a list of strings"));
    }
    let mut texts = Vec::new();
    json::elements(value, |element| {
        crate::invalid::one_more(texts.len())?;
        let text = json::string(element).ok_or_else(|| wrong(name, "a list of strings"))?;
        texts.push(text.into_owned());
        Ok::<_, Invalid>(())
    })?;
    Ok(texts)
}

fn wrong(name: &str, wanted: &str) -> Invalid {
    Invalid::bad_request(format!("`{name}` must be {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_in_every_form() {
        let asked = Asked::parse(
            r#"{"source":"cdrs","target":{"url":"https://h/x","headers":{"X-A":"b","authorization":"Basic YW5uYTpzZWNyZXQ="},
               "auth":{"secret":"peer"},"client_cert":"c.pem","client_key":"k.pem","ca_file":"ca.pem"},"proxy":"http://p",
               "source_proxy":"http://sp"}"#,
        )
        .unwrap();
        let (source, target) = (asked.source.unwrap(), asked.target.unwrap());
        assert_eq!(
            (source.location.as_str(), source.proxy.as_deref()),
            ("cdrs", Some("http://sp"))
        );
        assert_eq!(target.basic, Some(("anna".to_owned(), "secret".to_owned())));
        assert_eq!(target.headers, [("X-A".to_owned(), "b".to_owned())]);
        assert_eq!(target.secret.as_deref(), Some("peer"));
        assert_eq!(target.proxy.as_deref(), Some("http://p"));
        assert_eq!(target.client_key.as_deref(), Some("k.pem"));
        assert!(!format!("{target:?}").contains("secret"));
        let basic = r#"{"source":{"url":"http://h/x","auth":{"basic":{"username":"u","password":"p"}},
            "headers":{"Authorization":"Basic YW5uYTpzZWNyZXQ="}}}"#;
        let source = Asked::parse(basic).unwrap().source.unwrap();
        assert_eq!(source.basic, Some(("u".to_owned(), "p".to_owned())));
    }

    #[test]
    fn every_option() {
        let asked = Asked::parse(
            r#"{"source":"a","target":"b","continuous":true,"create_target":true,"create_target_params":{"q":2},
               "winning_revs_only":true,"archive":true,"strict":true,"use_checkpoints":false,"checkpoint_interval":500,
               "doc_ids":["x","y"],"since_seq":"7-a","until":9,"attachments":"lazy","bytes_per_second":1000,"priority":-3,
               "worker_processes":4,"http_connections":"many","owner":null,"user_ctx":{},"_replication_state":"completed",
               "_replication_state_time":"2026-11-21T00:00:00Z","_replication_stats":{"docs_read":1},"selector":null}"#,
        )
        .unwrap();
        assert!(
            asked.continuous
                && asked.create_target
                && asked.winning_revs_only
                && asked.archive
                && asked.strict
        );
        assert_eq!(
            (asked.use_checkpoints, asked.checkpoint_interval_ms),
            (Some(false), Some(500))
        );
        assert_eq!(asked.doc_ids, Some(vec!["x".to_owned(), "y".to_owned()]));
        assert_eq!(
            (asked.since_seq.as_deref(), asked.until.as_deref()),
            (Some("\"7-a\""), Some("9"))
        );
        assert_eq!((asked.bytes_per_second, asked.priority), (Some(1000), -3));
        assert_eq!(
            (asked.state.as_deref(), asked.selector),
            (Some("completed"), None)
        );
        assert_eq!(asked.stats.as_deref(), Some(r#"{"docs_read":1}"#));
    }

    #[test]
    fn what_is_wrong_names_its_member() {
        for (text, member) in [
            (r#"{"continuous":"yes"}"#, "`continuous`"),
            (r#"{"source":7}"#, "`source`"),
            (r#"{"source":{"headers":{}}}"#, "`source` needs a `url`"),
            (
                r#"{"target":{"url":"http://h/x","headers":{"a":1}}}"#,
                "`target.headers.a`",
            ),
            (r#"{"target":{"url":"http://h/x","auth":[]}}"#, "`target.auth`"),
            (
                r#"{"target":{"url":"http://h/x","auth":{"basic":{"username":"u"}}}}"#,
                "`target.auth.basic`",
            ),
            (r#"{"doc_ids":"x"}"#, "`doc_ids`"),
            (r#"{"doc_ids":[1]}"#, "`doc_ids`"),
            (r#"{"selector":[]}"#, "`selector`"),
            (r#"{"checkpoint_interval":-1}"#, "`checkpoint_interval`"),
            (r#"{"filter":{}}"#, "`filter`"),
            (r#"{"feed_name":1}"#, "`feed_name`"),
        ] {
            let invalid = Asked::parse(text).unwrap_err();
            assert!(invalid.reason.contains(member), "{text}: {invalid}");
        }
    }
}
