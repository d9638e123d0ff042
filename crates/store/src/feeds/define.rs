//! What a change of a design document makes of its feeds.

use super::Feed;
use trunkline_core::Seq;
use trunkline_wire::feeds::Selected;

/// A feed as it is declared from now on (or not any more, without a selector), where that is another than before.
/// `at` is the newest seq: whatever comes later is written with the feed in mind.
pub(crate) fn redefined(
    before: Option<&Feed>,
    name: &str,
    selector: Option<Selected>,
    at: Seq,
    number: impl FnOnce() -> u32,
) -> Option<Feed> {
    let known = before.and_then(|feed| feed.selector.as_ref());
    let same = match (known, &selector) {
        (None, None) => true,
        (Some((_, old)), Some((_, new))) => old.canonical() == new.canonical(),
        _ => false,
    };
    if same {
        return None;
    }
    Some(Feed {
        number: before.map_or_else(number, |feed| feed.number),
        name: name.into(),
        selector,
        fresh: before.is_none_or(|feed| feed.fresh),
        cursor: 0,
        goal: at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_core::selector::Selector;

    fn selected(text: &str) -> Option<Selected> {
        Some((text.to_owned(), Selector::parse(text).unwrap()))
    }

    #[test]
    fn only_what_differs_is_built_anew() {
        let first = redefined(None, "d/f", selected(r#"{"a":1}"#), 5, || 7).unwrap();
        assert_eq!(
            (first.number, first.fresh, first.cursor, first.goal),
            (7, true, 0, 5)
        );
        let built = Feed {
            fresh: false,
            cursor: 5,
            ..first.clone()
        };
        assert!(redefined(Some(&built), "d/f", selected(r#"{ "a": {"$eq": 1} }"#), 9, || 8).is_none());
        let wider = redefined(Some(&built), "d/f", selected("{}"), 9, || 8).unwrap();
        assert_eq!(
            (wider.number, wider.fresh, wider.cursor, wider.goal),
            (7, false, 0, 9)
        );
        let gone = redefined(Some(&wider), "d/f", None, 12, || 8).unwrap();
        assert!(gone.selector.is_none() && !gone.is_built());
        assert!(redefined(Some(&gone), "d/f", None, 13, || 8).is_none());
        let back = redefined(Some(&gone), "d/f", selected(r#"{"a":1}"#), 14, || 8).unwrap();
        assert_eq!((back.number, back.fresh), (7, false), "somebody may have read it");
        assert!(redefined(None, "d/f", None, 1, || 8).is_none());
    }
}
