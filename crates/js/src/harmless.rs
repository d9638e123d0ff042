//! Which maps are known to leave documents as they are.
//!
//! Freezing a nested document takes as long as all else that is done with it for simple maps, and changes nothing for a
//! map that only reads. Such a map is recognised by its words: every assignment is to a plain name, every method called
//! is on a list of those that change nothing, and what could hide either (computed calls, templates, escapes) is not in
//! it. Whatever is not understood counts as harmful: documents are frozen, and only time is lost.

/// Methods that leave their object and their arguments alone.
const READING: &str = "UTC abs at ceil charAt charCodeAt codePointAt concat endsWith entries every exec \
    exp filter find findIndex flat floor forEach fromCharCode getDate getDay getFullYear getHours getMilliseconds \
    getMinutes getMonth getSeconds getTime getTimezoneOffset getUTCDate getUTCDay getUTCFullYear getUTCHours \
    getUTCMilliseconds getUTCMinutes getUTCMonth getUTCSeconds hasOwn hasOwnProperty includes indexOf isArray isFinite \
    isInteger isNaN join keys lastIndexOf localeCompare log map match max min now padEnd padStart parse parseFloat \
    parseInt pow random reduce replace replaceAll round search slice some sqrt startsWith stringify substr substring \
    test toFixed toISOString toJSON toLocaleLowerCase toLocaleUpperCase toLowerCase toPrecision toString toUTCString \
    toUpperCase trim trimEnd trimStart trunc valueOf values";

/// Words that change things, or by which things can be changed out of sight, wherever they stand.
const CHANGING: &str = "Function Object Proxy Reflect assign constructor copyWithin defineProperty delete eval fill pop \
    prototype push require reverse setPrototypeOf shift sort splice super this unshift with __defineGetter__ \
    __defineSetter__ __proto__";

/// After these a slash begins a regular expression, and a bracket an array.
pub(crate) const BEFORE_VALUE: &str = "return typeof in of case new void else do instanceof throw";

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Token<'a> {
    Word(&'a str),
    Text(&'a str),
    Pattern,
    Mark(&'a str),
}

/// Whether a map of this source cannot change what it is given.
pub(crate) fn leaves_documents_alone(source: &str) -> bool {
    tokens(source).is_some_and(|tokens| {
        (0..tokens.len()).all(|at| {
            let near = |offset: isize| {
                at.checked_add_signed(offset)
                    .and_then(|at| tokens.get(at))
                    .copied()
            };
            is_harmless([-2, -1, 0, 1, 2].map(near))
        })
    })
}

/// Judges a token by the two before and the two after it.
fn is_harmless([before_last, last, token, next, after_next]: [Option<Token<'_>>; 5]) -> bool {
    use Token::{Mark, Text, Word};
    let is_plain_name = matches!(last, Some(Word(word)) if !among(BEFORE_VALUE, word))
        && !matches!(before_last, Some(Mark("." | "?.")));
    match token {
        Some(Word("in" | "of")) => is_plain_name || matches!(last, Some(Text(_))),
        Some(Word(word)) if matches!(last, Some(Mark("." | "?."))) => {
            !among(CHANGING, word) && (next != Some(Mark("(")) || among(READING, word))
        }
        Some(Word(word)) => !among(CHANGING, word),
        Some(Text(text)) => !among(CHANGING, text),
        // A call of what an expression gave: it may be a member, called as one.
        Some(Mark("(")) => !matches!(last, Some(Mark("]" | ")" | "?."))),
        Some(Mark("++" | "--")) => {
            let is_before_name =
                matches!(next, Some(Word(_))) && !matches!(after_next, Some(Mark("." | "?." | "[")));
            match next {
                Some(Word(_)) => is_before_name && !is_plain_name,
                _ => is_plain_name,
            }
        }
        Some(Mark(mark)) if is_assignment(mark) => is_plain_name,
        _ => true,
    }
}

fn is_assignment(mark: &str) -> bool {
    mark.ends_with('=') && !matches!(mark, "==" | "===" | "!=" | "!==" | "<=" | ">=")
}

pub(crate) fn among(words: &str, word: &str) -> bool {
    words.split_ascii_whitespace().any(|listed| listed == word)
}

/// The tokens of a source, unless there is something in it of which it is not certain what it is.
pub(crate) fn tokens(source: &str) -> Option<Vec<Token<'_>>> {
    // The web's other comments, of which scripts are still full, as the language sees it.
    if source.contains("<!--") || source.contains("-->") {
        return None;
    }
    let mut tokens = Vec::new();
    let mut rest = source.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = if let Some(comment) = rest.strip_prefix("//") {
            (
                None,
                2 + comment
                    .find(['\n', '\r', '\u{2028}', '\u{2029}'])
                    .unwrap_or(comment.len()),
            )
        } else if let Some(comment) = rest.strip_prefix("/*") {
            (None, 4 + comment.find("*/")?)
        } else if is_of_word(first) {
            let length = rest.find(|c| !is_of_word(c)).unwrap_or(rest.len());
            (Some(Token::Word(rest.get(..length)?)), length)
        } else if matches!(first, '"' | '\'') {
            let length = quoted_length(rest, first)?;
            (Some(Token::Text(rest.get(1..length - 1)?)), length)
        } else if first == '/' && begins_pattern(&tokens)? {
            (Some(Token::Pattern), pattern_length(rest)?)
        } else {
            let length = mark_length(rest)?;
            (Some(Token::Mark(rest.get(..length)?)), length)
        };
        tokens.extend(token);
        rest = rest.get(length..)?.trim_start();
    }
    Some(tokens)
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$'
}

/// Whether a source is one function and nothing else, so that the parameters that come first in it are its own. `inside`
/// are the tokens behind their opening parenthesis.
pub(crate) fn is_one_function(inside: &[Token<'_>]) -> bool {
    match behind(inside, "(", ")") {
        Some([Token::Mark("{"), body @ ..]) => ends_with_block(body),
        Some([Token::Mark("=>"), body @ ..]) => is_one_body(body),
        _ => false,
    }
}

/// Whether nothing follows the body of an arrow function.
pub(crate) fn is_one_body(body: &[Token<'_>]) -> bool {
    if let [Token::Mark("{"), body @ ..] = body {
        return ends_with_block(body);
    }
    let ends = body.iter().rposition(|token| *token != Token::Mark(";"));
    let body = body.get(..ends.map_or(0, |last| last + 1)).unwrap_or_default();
    // An expression goes on as far as it can; what could come behind it has one of these.
    let mut depth = 0_i32;
    body.iter().all(|token| {
        match token {
            Token::Mark("(" | "[" | "{") => depth += 1,
            Token::Mark(")" | "]" | "}") => depth -= 1,
            _ => {}
        }
        let parts = matches!(token, Token::Mark("," | ";")) && depth == 0;
        !parts && !matches!(token, Token::Mark("=>") | Token::Word("function"))
    })
}

fn ends_with_block(body: &[Token<'_>]) -> bool {
    let rest = behind(body, "{", "}");
    rest.is_some_and(|rest| rest.iter().all(|token| *token == Token::Mark(";")))
}

/// What follows the end of what was opened.
fn behind<'t, 's>(tokens: &'t [Token<'s>], open: &str, shut: &str) -> Option<&'t [Token<'s>]> {
    let mut depth = 1_usize;
    let end = tokens.iter().position(|token| {
        match token {
            Token::Mark(mark) if *mark == open => depth += 1,
            Token::Mark(mark) if *mark == shut => depth -= 1,
            _ => {}
        }
        depth == 0
    })?;
    tokens.get(end + 1..)
}

/// With both quotes. A string with an escape is not read, it could spell anything.
fn quoted_length(rest: &str, quote: char) -> Option<usize> {
    let inner = rest.get(1..)?;
    let end = inner.find(['\\', '\n', '\r', quote])?;
    inner.get(end..)?.starts_with(quote).then_some(end + 2)
}

/// Whether a slash begins a pattern, or divides; none if that depends on more than what is before it.
fn begins_pattern(before: &[Token<'_>]) -> Option<bool> {
    let (last, before_last) = match before {
        [.., before_last, last] => (Some(*last), Some(*before_last)),
        [last] => (Some(*last), None),
        [] => (None, None),
    };
    match last {
        // A member may have the name of a keyword.
        Some(Token::Word(_)) if matches!(before_last, Some(Token::Mark("." | "?."))) => Some(false),
        Some(Token::Word(word)) => Some(among(BEFORE_VALUE, word)),
        Some(Token::Mark("]")) | Some(Token::Text(_)) => Some(false),
        Some(Token::Mark(
            "(" | "," | "=" | ":" | "[" | "!" | "&&" | "||" | "?" | "==" | "===" | "!=" | "!==",
        )) => Some(true),
        _ => None,
    }
}

/// With its slashes; flags are read as a word.
fn pattern_length(rest: &str) -> Option<usize> {
    let (mut escaped, mut in_class) = (false, false);
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '\n' | '\r' | '\u{2028}' | '\u{2029}' => return None,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => in_class = true,
            ']' => in_class = false,
            '/' if !in_class => return Some(at + 1),
            _ => {}
        }
    }
    None
}

fn mark_length(rest: &str) -> Option<usize> {
    const LONG: [&str; 29] = [
        ">>>=", "===", "!==", "**=", "<<=", ">>=", ">>>", "&&=", "||=", "??=", "=>", "==", "!=", "<=", ">=",
        "&&", "||", "??", "?.", "++", "--", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=",
    ];
    match LONG.iter().find(|mark| rest.starts_with(**mark)) {
        Some(mark) => Some(mark.len()),
        None => rest
            .starts_with(|c| "{}()[];,<>+-*/%&|!~?:=.^".contains(c))
            .then_some(1),
    }
}

#[cfg(test)]
mod tests {
    use super::leaves_documents_alone;

    #[test]
    fn maps_that_only_read_are_known() {
        for source in [
            "function (doc) { if (doc.type === 'cdr') emit([doc.account, doc.started], doc.seconds) }",
            "function(doc){if(doc.pvt_type!='cdr'||doc.pvt_deleted)return;emit(doc.a||'x',{'n':doc.n,})};",
            "function (doc) { for (i in doc.legs) { var leg = doc.legs[i]; count += 1; n++; emit(leg.to, n) } }",
            "doc => emit(doc.to.replace(/[^\"'/0-9]+/g, '').substr(0, 3), parseInt(doc.n / 2)) // it's = fine",
            "function (doc) { var d = new Date(doc.t * 1000); emit([d.getFullYear(), d.getMonth() + 1]) }",
            "function (doc) { if ('a' in doc) doc.list.forEach(function (x) { emit(x, {a: x.b ? 1 : 2}) }) }",
        ] {
            assert!(leaves_documents_alone(source), "{source}");
        }
    }

    #[test]
    fn whatever_could_change_something_is_not_trusted() {
        for body in [
            "doc.a = 1",
            "doc['a'] = 1",
            "doc.a += 1",
            "doc.a ++",
            "--doc.a",
            "x\n++doc.a",
            "doc . a /**/ = 1",
            "doc.list.push(1)",
            "doc.list['push'](1)",
            "doc.list[p](1)",
            "(doc.list.push)(1)",
            "(doc.list[p])(1)",
            "delete doc.a",
            "Object.assign(doc, {})",
            "[].push.call(doc.list, 1)",
            "doc.list.sort()",
            "doc.list?.pop()",
            "doc.list.pop?.()",
            "doc.list[p]?.(1)",
            "doc.l\\u0069st = 1",
            "var a = `${doc.a = 1}`",
            "for (doc.a in {b: 1});",
            "for (doc['a'] of [1]);",
            "[doc.a] = [1]",
            "({a: doc.a} = {a: 1})",
            "(doc.a) = 1",
            "doc.a ||= 1",
            "doc.a **= 2",
            "doc.a >>>= 1",
            "eval('doc.a' + '=1')",
            "a = 'pu\\x73h'",
            "Reflect.set(doc, 'a', 1)",
            "with (doc) a = 1",
            "doc.__proto__",
            "require('x').f(doc)",
            "a = b / c.d = /1/",
            "this.emit",
            "doc.list.unknown(1)",
            "if (a) /b/.test(c)",
            "'unended",
            "/unended",
            "/* unended",
            "é = 1",
            "@",
            "doc.when.setTime(1)",
            "a <!-- /*\ndoc.a = 1 // */",
            "doc.a = doc.new / (doc.b = 1) / 2",
            "emit(doc.new / (doc.b = 1) / 2)",
            "doc\n.a\n=\n1",
            "doc.a/*/*/ = 1",
            "//\u{2028}doc.a = 1",
            "return\n/x/.y = 1",
        ] {
            assert!(
                !leaves_documents_alone(&format!("function (doc) {{ {body} }}")),
                "{body}"
            );
        }
    }
}
