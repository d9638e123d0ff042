//! What functions of design documents are given, and what they give.

use trunkline_core::json;

/// What CouchDB 3 gives a new database for `_security`.
pub const DEFAULT_SECURITY: &str = r#"{"members":{"roles":["_admin"]},"admins":{"roles":["_admin"]}}"#;

/// Who asks something of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    name: Option<Box<str>>,
    /// Members of an object, JSON text.
    members: Box<str>,
}

impl User {
    /// One of that name (nobody has none), with these roles.
    pub fn new<'a>(name: Option<&str>, roles: impl IntoIterator<Item = &'a str>) -> User {
        let mut out = b"\"name\":".to_vec();
        match name {
            Some(name) => json::quote(name, &mut out),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b",\"roles\":[");
        for (place, role) in roles.into_iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            json::quote(role, &mut out);
        }
        out.push(b']');
        User {
            name: name.map(Into::into),
            members: String::from_utf8(out).unwrap_or_default().into(),
        }
    }
}

impl User {
    /// The name; nobody has none.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

impl Default for User {
    /// Nobody, with no role.
    fn default() -> User {
        User::new(None, [])
    }
}

/// Who asks, as functions are told (`userCtx`), JSON text; nobody in particular is the embedding program, and that the
/// administrator.
pub fn user_context(database: &str, user: Option<&User>) -> String {
    let mut out = b"{\"db\":".to_vec();
    json::quote(database, &mut out);
    let members = user.map_or(r#""name":null,"roles":["_admin"]"#, |user| &user.members);
    out.push(b',');
    out.extend_from_slice(members.as_bytes());
    out.push(b'}');
    String::from_utf8(out).unwrap_or_default()
}

/// What a validation function threw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// `{"forbidden":…}`
    Forbidden(String),
    /// `{"unauthorized":…}`
    Unauthorized(String),
    /// Anything else.
    Other(String),
}

/// Reads the thrown value, JSON text.
pub fn verdict(thrown: &str) -> Verdict {
    let text = |value: &str| json::string(value).map_or_else(|| value.to_owned(), |text| text.into_owned());
    let mut verdict = None;
    if thrown.starts_with('{') {
        let _ = json::members(thrown, |name, value| {
            if verdict.is_none() {
                verdict = Some(match &*name {
                    "forbidden" => Verdict::Forbidden(text(value)),
                    "unauthorized" => Verdict::Unauthorized(text(value)),
                    _ => Verdict::Other(text(value)),
                });
            }
            Ok::<_, json::JsonError>(())
        });
    }
    verdict.unwrap_or_else(|| Verdict::Other(text(thrown)))
}

/// What an update function gives: the document to write, and the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Updated {
    /// JSON text; `None` when nothing is to be written.
    pub doc: Option<String>,
    /// The answer.
    pub answer: Answer,
}

/// An answer that a function makes up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Its status, where the function gives one.
    pub code: Option<u16>,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: AnswerBody,
}

/// The body of an [`Answer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerBody {
    /// As it is.
    Text(String),
    /// JSON text.
    Json(String),
    /// Bytes in base64.
    Base64(String),
}

impl Default for AnswerBody {
    fn default() -> AnswerBody {
        AnswerBody::Text(String::new())
    }
}

/// Reads `[doc, answer]`; `None` when it is nothing of the kind.
pub fn parse_updated(text: &str) -> Option<Updated> {
    let mut parts = Vec::with_capacity(2);
    json::elements(text, |part| {
        parts.push(part.to_owned());
        Ok::<_, json::JsonError>(())
    })
    .ok()?;
    let [doc, answer] = <[String; 2]>::try_from(parts).ok()?;
    let doc = match doc.as_str() {
        "null" | "false" => None,
        object if object.starts_with('{') => Some(doc),
        _ => return None,
    };
    Some(Updated {
        doc,
        answer: answer_of(&answer)?,
    })
}

fn answer_of(text: &str) -> Option<Answer> {
    let mut answer = Answer::default();
    if let Some(body) = json::string(text) {
        answer.body = AnswerBody::Text(body.into_owned());
        return Some(answer);
    }
    if !text.starts_with('{') {
        return None;
    }
    let string = |value: &str| json::string(value).map(|text| text.into_owned());
    json::members(text, |name, value| {
        match &*name {
            "code" => answer.code = value.parse().ok(),
            "body" => answer.body = AnswerBody::Text(string(value).unwrap_or_default()),
            "json" => answer.body = AnswerBody::Json(value.to_owned()),
            "base64" => answer.body = AnswerBody::Base64(string(value).unwrap_or_default()),
            "headers" if value.starts_with('{') => json::members(value, |name, value| {
                let value = string(value).unwrap_or_else(|| value.to_owned());
                answer.headers.push((name.into_owned(), value));
                Ok::<_, json::JsonError>(())
            })?,
            _ => {}
        }
        Ok::<_, json::JsonError>(())
    })
    .ok()?;
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users() {
        assert_eq!(
            user_context("calls", None),
            r#"{"db":"calls","name":null,"roles":["_admin"]}"#
        );
        let user = User::new(Some("a\"b"), ["x", "y\\"]);
        assert_eq!(
            user_context("calls", Some(&user)),
            r#"{"db":"calls","name":"a\"b","roles":["x","y\\"]}"#
        );
        assert_eq!(
            user_context("calls", Some(&User::default())),
            r#"{"db":"calls","name":null,"roles":[]}"#
        );
    }

    #[test]
    fn verdicts() {
        for (thrown, expected) in [
            (r#"{"forbidden":"no"}"#, Verdict::Forbidden("no".into())),
            (r#"{"unauthorized":"who"}"#, Verdict::Unauthorized("who".into())),
            (
                r#"{"forbidden":{"a":1}}"#,
                Verdict::Forbidden(r#"{"a":1}"#.into()),
            ),
            (r#"{"odd":"x"}"#, Verdict::Other("x".into())),
            (r#""text""#, Verdict::Other("text".into())),
            ("7", Verdict::Other("7".into())),
        ] {
            assert_eq!(verdict(thrown), expected, "{thrown}");
        }
    }

    #[test]
    fn answers_of_updates() {
        let parsed = parse_updated(r#"[{"_id":"a"},"done"]"#).unwrap();
        assert_eq!(parsed.doc.as_deref(), Some(r#"{"_id":"a"}"#));
        assert_eq!(parsed.answer.body, AnswerBody::Text("done".into()));
        let parsed = parse_updated(r#"[null,{"code":202,"headers":{"X-A":"b"},"json":{"c":1}}]"#).unwrap();
        assert_eq!((parsed.doc, parsed.answer.code), (None, Some(202)));
        assert_eq!(parsed.answer.headers, [("X-A".to_owned(), "b".to_owned())]);
        assert_eq!(parsed.answer.body, AnswerBody::Json(r#"{"c":1}"#.into()));
        for odd in ["7", "[]", r#"["x","y"]"#, r#"[{},7]"#, r#"[{},"a",1]"#] {
            assert_eq!(parse_updated(odd), None, "{odd}");
        }
    }
}
