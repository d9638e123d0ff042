//! `_security` as JSON: CouchDB's `admins` and `members`, and `grants` beside them.
//!
//! ```json
//! {"admins": {"names": ["anna"], "roles": []}, "members": {"names": [], "roles": ["clerk"]},
//!  "grants": [{"roles": ["acme"], "may": ["read", "replicate-out"], "selector": {"account_id": "acme"}},
//!             {"names": ["report-1"], "may": ["replicate-out"], "feed": "billing/closed"}]}
//! ```

use crate::invalid::Invalid;
use std::sync::Arc;
use trunkline_core::access::{Grant, Group, Only, Rights, Security};
use trunkline_core::json;
use trunkline_core::limits::SECURITY_GRANTS_MAX;
use trunkline_core::selector::Selector;

/// Reads it. Members of other names are nobody's business.
pub fn parse(text: &str) -> Result<Security, Invalid> {
    if !text.trim_start().starts_with('{') {
        return Err(Invalid::bad_request("Request body must be a JSON object"));
    }
    let (mut admins, mut members, mut readers) = (Group::default(), None, None);
    let mut grants = None;
    json::members(text, |name, value| {
        match &*name {
            "admins" => admins = group(value)?,
            "members" => members = Some(group(value)?),
            "readers" => readers = Some(group(value)?),
            "grants" => grants = Some(self::grants(value)?),
            // Without members a database is everybody's: what was meant for one of these must not be passed over.
            name => {
                let known = ["admin", "member", "reader", "grant"];
                let lower = name.to_ascii_lowercase();
                if let Some(known) = known.iter().find(|known| lower.starts_with(*known)) {
                    return Err(Invalid::bad_request(format!(
                        "there is no `{name}` in _security; did you mean `{known}s`?"
                    )));
                }
            }
        }
        Ok::<_, Invalid>(())
    })?;
    Ok(Security {
        admins,
        // What CouchDB called them before 1.2.
        members: members.or(readers).unwrap_or_default(),
        grants,
    })
}

fn group(value: &str) -> Result<Group, Invalid> {
    if !value.starts_with('{') {
        return Err(Invalid::bad_request(
            "admins and members of _security must be JSON objects",
        ));
    }
    let mut group = Group::default();
    json::members(value, |name, value| {
        let lower = name.to_ascii_lowercase();
        match note(&mut group, &name, value)? {
            // Nobody is named then, and a group of nobody may mean everybody.
            false if lower.starts_with("name") || lower.starts_with("role") => Err(Invalid::bad_request(
                format!("there is no `{name}` in a group of _security; did you mean `names` or `roles`?"),
            )),
            _ => Ok(()),
        }
    })?;
    Ok(group)
}

/// Reads the member if it is one of a group.
fn note(group: &mut Group, name: &str, value: &str) -> Result<bool, Invalid> {
    match name {
        "names" => group.names = strings(value, "names must be a JSON list of strings")?,
        "roles" => group.roles = strings(value, "roles must be a JSON list of strings")?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn strings(value: &str, wrong: &'static str) -> Result<Vec<String>, Invalid> {
    let mut texts = Vec::new();
    if !value.starts_with('[') {
        return Err(Invalid::bad_request(wrong));
    }
    json::elements(value, |value| match json::string(value) {
        Some(text) => {
            texts.push(text.into_owned());
            Ok(())
        }
        None => Err(Invalid::bad_request(wrong)),
    })?;
    Ok(texts)
}

fn grants(value: &str) -> Result<Vec<Grant>, Invalid> {
    let mut grants = Vec::new();
    if !value.starts_with('[') {
        return Err(Invalid::bad_request("grants must be a JSON list of objects"));
    }
    json::elements(value, |value| {
        if grants.len() >= SECURITY_GRANTS_MAX {
            return Err(Invalid::bad_request(format!(
                "there may be {SECURITY_GRANTS_MAX} grants at most"
            )));
        }
        grants.push(grant(value)?);
        Ok(())
    })?;
    Ok(grants)
}

fn grant(value: &str) -> Result<Grant, Invalid> {
    if !value.starts_with('{') {
        return Err(Invalid::bad_request("grants must be a JSON list of objects"));
    }
    let mut to = Group::default();
    let (mut may, mut selector, mut feed) = (None, None, None);
    json::members(value, |name, value| {
        match &*name {
            "may" => may = Some(rights(value)?),
            "selector" => selector = Some(self::selector(value)?),
            "feed" => feed = Some(self::feed(value)?),
            name if note(&mut to, name, value)? => {}
            // Left out, a bound would be no bound.
            name => {
                return Err(Invalid::bad_request(format!(
                    "a grant has names, roles, may, and selector or feed, but no `{name}`"
                )));
            }
        }
        Ok::<_, Invalid>(())
    })?;
    let rights = may.ok_or_else(|| {
        Invalid::bad_request("a grant must say what those named `may`: a list of read, write, replicate-in, replicate-out, configure")
    })?;
    if to.is_empty() {
        return Err(Invalid::bad_request("a grant must have `names` or `roles`"));
    }
    let only = match (selector, feed) {
        (Some(_), Some(_)) => {
            return Err(Invalid::bad_request(
                "a grant has a `selector` or a `feed`, not both",
            ));
        }
        (selector, feed) => selector.or(feed),
    };
    if only.is_some() && rights.any_of(Rights::CONFIGURE) {
        return Err(Invalid::bad_request(
            "`configure` is for a whole database: it cannot be bound to a selector or a feed",
        ));
    }
    Ok(Grant { to, rights, only })
}

fn rights(value: &str) -> Result<Rights, Invalid> {
    let wrong = "`may` must be a list of read, write, replicate-in, replicate-out, configure";
    let names = strings(value, wrong)?;
    names.iter().try_fold(Rights::NONE, |rights, name| {
        let known = Rights::NAMES.iter().find(|(known, _)| known == name);
        match known {
            Some((_, right)) => Ok(rights | *right),
            None => Err(Invalid::bad_request(wrong)),
        }
    })
}

fn selector(value: &str) -> Result<Only, Invalid> {
    let selector = Selector::parse(value)
        .map_err(|invalid| Invalid::bad_request(format!("the `selector` of a grant: {invalid}")))?;
    Ok(Only::Selector(Arc::new(selector)))
}

fn feed(value: &str) -> Result<Only, Invalid> {
    let name = json::string(value).filter(|name| {
        name.split_once('/')
            .is_some_and(|(a, b)| !a.is_empty() && !b.is_empty())
    });
    match name {
        Some(name) => Ok(Only::Feed(name.into_owned())),
        None => Err(Invalid::bad_request(
            "the `feed` of a grant must be written design/name",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_couchdb_writes() {
        let security = parse(crate::functions::DEFAULT_SECURITY).unwrap();
        assert_eq!(security.admins, Security::closed().admins);
        assert_eq!(security.members, Security::closed().members);
        let open = parse(r#"{"cloudant":{"x":["_reader"]}}"#).unwrap();
        assert!(open.members.is_empty() && open.grants.is_none());
        let old = parse(r#"{"readers":{"names":["a"],"roles":[]}}"#).unwrap();
        assert_eq!(old.members.names, ["a"]);
    }

    #[test]
    fn reads_grants() {
        let text = r#"{"grants":[{"roles":["acme"],"may":["read","replicate-out"],"selector":{"a":1}},
            {"names":["r"],"may":["write"],"feed":"d/n"},{"names":["c"],"may":["configure"]}]}"#;
        let grants = parse(text).unwrap().grants.unwrap();
        assert_eq!(grants[0].rights, Rights::READ | Rights::REPLICATE_OUT);
        assert!(matches!(grants[0].only, Some(Only::Selector(_))));
        assert!(matches!(&grants[1].only, Some(Only::Feed(name)) if name == "d/n"));
        assert!(grants[2].only.is_none());
        assert_eq!(parse(r#"{"grants":[]}"#).unwrap().grants, Some(vec![]));
    }

    #[test]
    fn refuses_what_would_not_be_what_it_says() {
        for wrong in [
            "[]",
            r#"{"admins":[]}"#,
            r#"{"members":{"names":"x"}}"#,
            r#"{"members":{"roles":[1]}}"#,
            r#"{"members":{"name":["a"]}}"#,
            r#"{"admins":{"Roles":["a"]}}"#,
            r#"{"grants":{}}"#,
            r#"{"grant":[]}"#,
            r#"{"Members":{"names":["a"]}}"#,
            r#"{"member":{"names":["a"]}}"#,
            r#"{"grants":[{"may":["read"]}]}"#,
            r#"{"grants":[{"names":["a"]}]}"#,
            r#"{"grants":[{"names":["a"],"may":["reed"]}]}"#,
            r#"{"grants":[{"names":["a"],"may":["read"],"selektor":{}}]}"#,
            r#"{"grants":[{"names":["a"],"may":["read"],"selector":{"$x":1}}]}"#,
            r#"{"grants":[{"names":["a"],"may":["read"],"feed":"x"}]}"#,
            r#"{"grants":[{"names":["a"],"may":["read"],"feed":"d/n","selector":{}}]}"#,
            r#"{"grants":[{"names":["a"],"may":["configure"],"selector":{}}]}"#,
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
