//! Sort keys of ASCII strings from a table: the bytes that the collator writes, an order of magnitude sooner.

use super::COLLATOR;
use icu_collator::CollatorBorrowed;
use std::sync::LazyLock;

/// Ends a level of a sort key.
const LEVEL_END: u8 = 1;
/// The weight that nearly all characters have on the second and the third level: runs of it are counted, not written.
const COMMON: u8 = 5;
/// How many counts of such a run one byte has, on the second and on the third level.
const SECONDARY_RUN: usize = 0x21;
const TERTIARY_RUN: usize = 0x61;

/// What an ASCII character has in a sort key.
#[derive(Clone, Copy, Default)]
struct Weights {
    /// On the first level, the second byte zero when there is only one.
    primary: [u8; 2],
    /// On the third level; zero for a character that is nowhere in the key.
    tertiary: u8,
}

/// `None` when a version of the collator gives ASCII another shape than is relied on here.
static WEIGHTS: LazyLock<Option<[Weights; 128]>> = LazyLock::new(|| weights(COLLATOR.as_ref()?));

/// Appends the collator's sort key of `text` if it is ASCII; answers whether it was.
pub(super) fn write(text: &str, key: &mut Vec<u8>) -> bool {
    let Some(weights) = WEIGHTS.as_ref().filter(|_| text.is_ascii()) else {
        return false;
    };
    let mut count = 0;
    let mut all_common = true;
    for byte in text.bytes() {
        let Some(weights) = weights.get(usize::from(byte)) else {
            return false;
        };
        let [first, second] = weights.primary;
        match (weights.tertiary, second) {
            (0, _) => continue,
            (_, 0) => key.push(first),
            _ => key.extend_from_slice(&[first, second]),
        }
        count += 1;
        all_common &= weights.tertiary == COMMON;
    }
    key.push(LEVEL_END);
    end_run(count, SECONDARY_RUN, key);
    key.push(LEVEL_END);
    if all_common {
        end_run(count, TERTIARY_RUN, key);
    } else {
        write_tertiaries(text, weights, key);
    }
    true
}

fn write_tertiaries(text: &str, weights: &[Weights; 128], key: &mut Vec<u8>) {
    let mut run = 0;
    let tertiaries = text.bytes().filter_map(|byte| weights.get(usize::from(byte)));
    for tertiary in tertiaries.map(|weights| weights.tertiary) {
        match tertiary {
            0 => {}
            COMMON => run += 1,
            greater => {
                // Before a greater weight a longer run is less, so it is counted down.
                if let Some(rest) = whole_runs(run, TERTIARY_RUN, key) {
                    key.push(COMMON + 2 * (TERTIARY_RUN as u8 - 1) - rest);
                }
                run = 0;
                key.push(greater);
            }
        }
    }
    end_run(run, TERTIARY_RUN, key);
}

/// Appends a run of common weights at a level's end.
fn end_run(count: usize, run_max: usize, key: &mut Vec<u8>) {
    if let Some(rest) = whole_runs(count, run_max, key) {
        key.push(COMMON + rest);
    }
}

/// Appends the bytes for as many whole runs as there are; answers the rest, less one.
fn whole_runs(count: usize, run_max: usize, key: &mut Vec<u8>) -> Option<u8> {
    let rest = count.checked_sub(1)?;
    let middle = COMMON + run_max as u8 - 1;
    key.extend(std::iter::repeat_n(middle, rest / run_max));
    Some((rest % run_max) as u8)
}

/// Reads the table off the collator's own keys.
fn weights(collator: &CollatorBorrowed<'_>) -> Option<[Weights; 128]> {
    let mut table = [Weights::default(); 128];
    for (character, weights) in ('\0'..='\x7f').zip(&mut table) {
        let primary = |text: &str| {
            let mut key = Vec::new();
            let Ok(()) = collator.write_sort_key_to(text, &mut key);
            let end = key.iter().position(|byte| *byte == LEVEL_END)?;
            let rest = key.split_off(end);
            Some((key, rest))
        };
        let (once, rest) = primary(&character.to_string())?;
        let (twice, _) = primary(&format!("{character}{character}"))?;
        *weights = match (once.as_slice(), rest.as_slice()) {
            ([], [LEVEL_END, LEVEL_END]) => continue,
            (&[first, ref second @ ..], &[LEVEL_END, COMMON, LEVEL_END, tertiary])
                if second.len() <= 1 && tertiary >= COMMON && twice == [once.as_slice(); 2].concat() =>
            {
                Weights {
                    primary: [first, second.first().copied().unwrap_or_default()],
                    tertiary,
                }
            }
            _ => return None,
        };
    }
    Some(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Of the characters in `alphabet`, every string of three.
    fn strings_of_three(alphabet: &[char]) -> impl Iterator<Item = String> {
        let pairs = alphabet
            .iter()
            .flat_map(|a| alphabet.iter().map(move |b| [*a, *b]));
        pairs.flat_map(|[a, b]| alphabet.iter().map(move |c| String::from_iter([a, b, *c])))
    }

    fn check(text: &str) {
        let (mut fast, mut slow) = (Vec::new(), Vec::new());
        assert!(write(text, &mut fast), "{text:?}");
        let Ok(()) = COLLATOR.as_ref().unwrap().write_sort_key_to(text, &mut slow);
        assert_eq!(fast, slow, "{text:?}");
    }

    #[test]
    fn short_strings_have_the_collators_keys() {
        let all: Vec<char> = ('\0'..='\x7f').collect();
        for a in &all {
            for b in &all {
                check(&String::from_iter([*a, *b]));
            }
        }
        strings_of_three(&[
            '\0', '\t', ' ', '-', '_', '~', '0', '9', 'a', 'A', 'z', 'Z', '\x7f',
        ])
        .for_each(|text| check(&text));
    }

    #[test]
    fn runs_are_counted_as_the_collator_counts_them() {
        for length in (0..210).chain([300, 1000]) {
            for end in ["", "A", "Aa", "\0"] {
                check(&("a".repeat(length) + end));
                check(&("aB".repeat(2) + &"-".repeat(length) + end));
            }
        }
    }

    #[test]
    fn others_are_left_to_the_collator() {
        let mut key = vec![7];
        assert!(!write("a\u{301}", &mut key));
        assert_eq!(key, [7]);
    }

    proptest! {
        #[test]
        fn long_strings_have_the_collators_keys(text in "[\\x00-\\x7f]{0,200}") {
            check(&text);
        }
    }
}
