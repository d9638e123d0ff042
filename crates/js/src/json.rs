//! What has to be known of JSON texts here: how to join them, and how to rid one of lone surrogates.

use memchr::memmem;

/// `[a,b,…]` of the texts of its elements.
pub(crate) fn array<'a>(elements: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = String::from("[");
    for element in elements {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(element);
    }
    text.push(']');
    text
}

/// The engine escapes lone surrogates and nothing else as `\uD…`. Few parsers take them: each becomes U+FFFD.
pub(crate) fn without_lone_surrogates(text: String) -> String {
    if memmem::find(text.as_bytes(), b"\\ud").is_none() {
        return text;
    }
    let mut mended = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        let (before, escape) = rest.split_at(at);
        let (replacement, length) = match escape.get(..6) {
            Some(six) if six.starts_with("\\ud") => ("\u{fffd}", 6),
            // Any other escape begins with two characters that are to be passed over as one.
            _ => (escape.get(..2).unwrap_or(escape), escape.len().min(2)),
        };
        mended.push_str(before);
        mended.push_str(replacement);
        rest = escape.get(length..).unwrap_or_default();
    }
    mended.push_str(rest);
    mended
}

#[cfg(test)]
mod tests {
    use super::{array, without_lone_surrogates};

    #[test]
    fn elements_are_joined() {
        assert_eq!(array([]), "[]");
        assert_eq!(array(["1", "[2]"]), "[1,[2]]");
    }

    #[test]
    fn lone_surrogates_are_replaced_and_nothing_else() {
        for (text, want) in [
            (r#""a\ud800b""#, "\"a\u{fffd}b\""),
            (r#""\ud800\udbff""#, "\"\u{fffd}\u{fffd}\""),
            (r#""\\ud800""#, r#""\\ud800""#),
            (r#""\\\ud800""#, "\"\\\\\u{fffd}\""),
            (r#""\n\u0001é😀""#, r#""\n\u0001é😀""#),
        ] {
            assert_eq!(without_lone_surrogates(text.into()), want, "{text}");
        }
    }
}
