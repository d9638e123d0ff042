//! Targets of requests as CouchDB reads them.

use axum::http::Uri;

/// `_design/` in one path segment.
const ESCAPED_DESIGN: &str = "_design%2F";

/// Whether every percent sign starts a percent-encoded byte.
pub(super) fn is_encoded(uri: &Uri) -> bool {
    let text = uri.path_and_query().map_or("", |target| target.as_str());
    text.split('%').skip(1).all(|behind| {
        let digits = behind.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

/// CouchDB drops empty path segments, so `/db/` is `/db` and `//db` too; and the slash of a design document's id may be
/// escaped.
pub(super) fn tidy_path(uri: &mut Uri) {
    let path = uri.path();
    let is_tidy = !path.ends_with('/') && !path.contains("//") && !path.contains("/_design%2");
    if path.len() < 2 || is_tidy {
        return;
    }
    let mut tidy = String::with_capacity(path.len());
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    for (place, segment) in segments.enumerate() {
        tidy.push('/');
        let design = segment
            .split_at_checked(ESCAPED_DESIGN.len())
            .filter(|(prefix, name)| prefix.eq_ignore_ascii_case(ESCAPED_DESIGN) && !name.is_empty());
        match design {
            Some((_, name)) if place == 1 => {
                tidy.push_str("_design/");
                tidy.push_str(name);
            }
            _ => tidy.push_str(segment),
        }
    }
    if tidy.is_empty() {
        tidy.push('/');
    }
    if let Some(query) = uri.query() {
        tidy.push('?');
        tidy.push_str(query);
    }
    if let Ok(tidied) = tidy.parse() {
        *uri = tidied;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_path_segments_are_dropped() {
        for (given, tidied) in [
            ("/", "/"),
            ("/db/", "/db"),
            ("//db//a%2F", "/db/a%2F"),
            ("/db/?x=/y/", "/db?x=/y/"),
            ("///", "/"),
            ("/a/b", "/a/b"),
            ("/db/_design%2Fx", "/db/_design/x"),
            (
                "/db/_design%2fx%2Fy/_view/v?key=1",
                "/db/_design/x%2Fy/_view/v?key=1",
            ),
            ("/db/_design%2F", "/db/_design%2F"),
            ("/db/x/_design%2Fy", "/db/x/_design%2Fy"),
        ] {
            let mut uri: Uri = given.parse().unwrap();
            tidy_path(&mut uri);
            assert_eq!(uri.to_string(), tidied);
        }
    }
}
