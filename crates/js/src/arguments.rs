//! Which reduce functions never look at their first argument.
//!
//! To make an array of `[key,id]` for each row costs more than all else of a reduction, and most functions only read
//! `values`.

use crate::harmless::{Token, is_one_function, tokens};

/// Whether a reduce function may look at the keys that it is given; `null` will do for one that does not.
pub fn reads_keys(source: &str) -> bool {
    !ignores_keys(source)
}

fn ignores_keys(source: &str) -> bool {
    use Token::{Mark, Word};
    let Some(tokens) = tokens(source) else {
        return false;
    };
    let inside = match tokens.as_slice() {
        [Word("function"), Mark("("), inside @ ..] | [Word("function"), Word(_), Mark("("), inside @ ..] => {
            inside
        }
        [Mark("("), inside @ ..] => inside,
        _ => return false,
    };
    let [Word(keys), Mark(","), rest @ ..] = inside else {
        return false;
    };
    is_one_function(inside)
        && !rest.iter().any(|token| match token {
            Word(word) | Token::Text(word) => word == keys || matches!(*word, "arguments" | "eval"),
            _ => false,
        })
}

#[cfg(test)]
mod tests {
    use super::ignores_keys;

    #[test]
    fn functions_that_never_say_keys_are_known() {
        for (ignores, source) in [
            (true, "function (keys, values, rereduce) { return sum(values) }"),
            (
                true,
                "function total(k, v) { var n = 0; for (var i in v) n += v[i]; return n }",
            ),
            (true, "(keys, values) => values.length"),
            (false, "function (keys, values) { return keys.length }"),
            (false, "function (keys, values) { return values.keys }"),
            (false, "function (keys, values) { return arguments[0] }"),
            (false, "function f(keys, values) { return f['arguments'][0] }"),
            (false, "function (keys, values) { return eval('ke' + 'ys') }"),
            (false, "function (keys, values) { return `${keys}` }"),
            (false, "function (keys) { return 1 }"),
            (false, "function ({length}, values) { return length }"),
            (false, "function (keys = 1, values) { return 1 }"),
            (false, "(0, function (keys, values) { return keys.length })"),
            (
                false,
                "(undefined, function (keys, values) { return keys.length })",
            ),
            (
                false,
                "function pick(_, x) { return x }; function r(keys, values) { return keys[0][1] }; r",
            ),
            (
                false,
                "function (keys, values) { return values[0].new / keys.length / 2 }",
            ),
            (false, "var f = function (keys, values) { return 1 }; f"),
        ] {
            assert_eq!(ignores_keys(source), ignores, "{source}");
        }
    }
}
