//! Which members of a document some maps read.
//!
//! To make objects of a document's text is most of what a simple map costs. One that only ever says `doc.name` sees
//! nothing of the other members, so that they need not be made. As in [`harmless`](crate::harmless), whatever is not
//! understood counts as a reading of all.

use std::collections::BTreeSet;

use trunkline_core::json::{self, JsonError};

use crate::harmless::{
    BEFORE_VALUE, Token, among, is_one_body, is_one_function, leaves_documents_alone, tokens,
};

/// The members that maps read of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Members(BTreeSet<String>);

impl Members {
    /// Those that any of the maps reads; none if one of them may read all.
    pub(crate) fn read_by(maps: &[String]) -> Option<Members> {
        let mut names = BTreeSet::new();
        for source in maps {
            if !leaves_documents_alone(source) {
                return None;
            }
            for name in members_read(&tokens(source)?)? {
                names.insert(name.to_owned());
            }
        }
        Some(Members(names))
    }

    /// A document with these members alone.
    pub(crate) fn of(&self, doc: &str) -> Result<String, JsonError> {
        let mut text = String::with_capacity(doc.len());
        text.push('{');
        json::members(doc, |name, value| {
            if self.0.contains(&*name) {
                if text.len() > 1 {
                    text.push(',');
                }
                text.push('"');
                text.push_str(&name);
                text.push_str("\":");
                text.push_str(value);
            }
            Ok::<_, JsonError>(())
        })?;
        text.push('}');
        Ok(text)
    }
}

fn members_read<'a>(tokens: &[Token<'a>]) -> Option<BTreeSet<&'a str>> {
    use Token::{Mark, Word};
    // With where its parameters, or its body, begin.
    let (doc, begin) = match tokens {
        [Word("function"), Mark("("), Word(doc), Mark(")" | ","), ..]
            if is_one_function(tokens.get(2..)?) =>
        {
            (doc, 3)
        }
        [
            Word("function"),
            Word(_),
            Mark("("),
            Word(doc),
            Mark(")" | ","),
            ..,
        ] if is_one_function(tokens.get(3..)?) => (doc, 4),
        [Mark("("), Word(doc), Mark(")"), Mark("=>"), body @ ..] if is_one_body(body) => (doc, 2),
        [Word(doc), Mark("=>"), body @ ..] if is_one_body(body) => (doc, 1),
        _ => return None,
    };
    let mut names = BTreeSet::new();
    for at in begin..tokens.len() {
        let near = |offset: isize| at.checked_add_signed(offset).and_then(|at| tokens.get(at));
        let Some(Word(word)) = near(0) else { continue };
        if *word == "arguments" {
            return None;
        }
        // Behind two dots, or the dot of a number, no member follows.
        let is_number = |word: &str| word.starts_with(|first: char| first.is_ascii_digit());
        let is_member = match (near(-2), near(-1)) {
            (Some(Mark(".")), _) => false,
            (Some(Word(word)), Some(Mark("."))) => !is_number(word),
            (_, last) => matches!(last, Some(Mark("." | "?."))),
        };
        if word != doc || is_member {
            continue;
        }
        match (near(1)?, near(2)?, near(3)) {
            // A method of all objects sees the others.
            (Mark("." | "?."), Word(_), Some(Mark("("))) => return None,
            (Mark("." | "?."), Word(name), _) if !among(BEFORE_VALUE, name) => names.insert(*name),
            _ => return None,
        };
    }
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::Members;

    fn read(source: &str) -> Option<String> {
        let members = Members::read_by(&[source.to_owned()])?;
        Some(members.0.into_iter().collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn members_that_are_named_are_known() {
        for (source, want) in [
            (
                "function (doc) { if (doc.type === 'cdr') emit([doc.a, doc.b.c], doc.n) }",
                "a b n type",
            ),
            (
                "function map(d, req) { for (var i in d.legs) { emit(d.legs[i].doc, x.d) } }",
                "legs",
            ),
            ("doc => emit(doc?._id, doc\n.\nname.length)", "_id name"),
            (
                "(doc) => { doc.list.forEach(function (x) { emit(x, doc.a ? doc.b : doc.c) }) }",
                "a b c list",
            ),
            ("function (doc) { emit('doc', 1) /* doc */ }", ""),
            (
                "function (doc) { emit(doc.day, doc.calls.new / doc.hours / 60) };",
                "calls day hours",
            ),
            ("doc => emit(doc.a, {b: doc.b});", "a b"),
        ] {
            assert_eq!(read(source).as_deref(), Some(want), "{source}");
        }
    }

    #[test]
    fn what_may_see_all_reads_all() {
        for body in [
            "emit(doc)",
            "emit(doc.a, doc)",
            "emit(doc['a'])",
            "for (var name in doc) emit(name)",
            "if ('a' in doc) emit(1)",
            "var d = doc; emit(d.a)",
            "emit({doc})",
            "emit([...doc])",
            "emit(...doc.a, ...doc)",
            "emit(arguments[0].a)",
            "emit(doc.hasOwnProperty('a'))",
            "emit(doc.a = 1)",
            "emit(this.a)",
            "emit(toJSON(doc))",
            "emit(`${doc.a}`)",
            "doc: for (;;) emit(doc.a)",
            "eval('emit(doc.a)')",
        ] {
            assert_eq!(read(&format!("function (doc) {{ {body} }}")), None, "{body}");
        }
        for source in [
            "function is(d) { return d.type == 'cdr' }\nfunction map(doc) { if (is(doc)) emit(doc.a) }\nmap",
            "function (a) { emit(a.x) }, function (b) { emit(b.y) }",
            "doc => emit(doc.a)\nx => emit(x.b)",
            "doc => emit(doc.a), x",
            "doc => { emit(doc.a) }, x",
            "function (x) { return function (d) { emit(d._id, d) } }()",
            "function (doc) { var n = 1.\ndoc.list.forEach(function (x) { emit(x, n) }); doc }",
        ] {
            assert_eq!(read(source), None, "{source}");
        }
        assert_eq!(
            read("function (doc) { var n = 1.\ndoc.list.forEach(function (x) { emit(x, n) }) }").as_deref(),
            Some("list")
        );
        assert_eq!(read("function ({a}) { emit(a) }"), None);
        assert_eq!(read("function (doc = {}) { emit(doc.a) }"), None);
        assert_eq!(read("var x = function (doc) { emit(doc.a) }; x"), None);
        let maps = ["doc => emit(doc.a)".to_owned(), "doc => emit(doc)".to_owned()];
        assert_eq!(Members::read_by(&maps), None);
    }

    #[test]
    fn the_other_members_are_left_out() {
        let maps = ["doc => emit(doc.a)".to_owned(), "doc => emit(doc._id)".to_owned()];
        let members = Members::read_by(&maps).unwrap();
        for (doc, want) in [
            (
                r#"{"_id":"x","b":{"a":1},"a":[1, {"c":"}"}],"c":2}"#,
                r#"{"_id":"x","a":[1, {"c":"}"}]}"#,
            ),
            (r#"{"\u0061":1,"a":2}"#, r#"{"a":1,"a":2}"#),
            ("{}", "{}"),
        ] {
            assert_eq!(members.of(doc).unwrap(), want);
        }
        assert!(members.of("{").is_err());
    }
}
