//! The file that shows every setting, commented out.

use super::key::{Holds, Key, Section};
use super::{Settings, keys};

/// Columns of its text.
const COLUMNS: usize = 100;

/// What is said first.
const HEAD: [&str; 6] = [
    "Settings of a Trunkline server. Lines that begin with # are comments: settings in them are the defaults.",
    "Variables (TRUNKLINE_SECTION_KEY) go over this file, and flags over those.",
    "Where names are of your choice, TRUNKLINE_SECTION__name sets one: the name as it is written, behind two underscores \
     (TRUNKLINE_ADMINS__anna). In [jwt_keys], the next two stand for the colon (TRUNKLINE_JWT_KEYS__hmac___default is \
     hmac:_default).",
    "Relative paths go from where the server is started, not from where this file is: write them in full.",
    "What is set while a server runs (PUT /_node/_local/_config/SECTION/KEY) is kept in settings.toml, in the directory of \
     the databases, and goes over this file, too.",
    "A change of this file counts after SIGHUP or POST /_node/_local/_config/_reload, and after a restart where it says so.",
];

/// A TOML file with every key as a comment: what it does, what it may be, and its default.
pub fn example() -> String {
    let defaults = Settings::default();
    let mut text = String::new();
    for line in HEAD {
        write_comment(&mut text, line);
    }
    for section in keys::SECTIONS {
        write_section(&mut text, section, &defaults);
    }
    text
}

fn write_section(text: &mut String, section: &Section, defaults: &Settings) {
    text.push('\n');
    write_comment(text, section.text);
    text.push_str(&format!("[{}]\n", section.name));
    match &section.holds {
        Holds::Keys(keys) => keys.iter().for_each(|key| write_key(text, key, defaults)),
        Holds::Names(names) => text.push_str(&format!("# {}\n", names.example)),
    }
}

fn write_key(text: &mut String, key: &Key, defaults: &Settings) {
    let when = if key.changes {
        ""
    } else {
        " Counts after a restart."
    };
    text.push('\n');
    write_comment(text, &format!("{} ({}.){when}", key.text, key.kind.words()));
    match (key.show)(defaults) {
        Some(value) => text.push_str(&format!("# {} = {}\n", key.name, value.toml())),
        None => text.push_str(&format!("# {} is not set\n", key.name)),
    }
}

/// A text over as many lines as it takes.
fn write_comment(text: &mut String, comment: &str) {
    let mut columns = 0;
    for word in comment.split_whitespace() {
        let width = word.chars().count();
        if columns == 0 || columns + 1 + width > COLUMNS {
            if columns > 0 {
                text.push('\n');
            }
            text.push_str("# ");
            columns = 2;
        } else {
            text.push(' ');
            columns += 1;
        }
        text.push_str(word);
        columns += width;
    }
    text.push('\n');
}
