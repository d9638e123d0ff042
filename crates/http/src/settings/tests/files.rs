//! The file: what it takes, and what is said of what it does not.

use crate::settings::key::Holds;
use crate::settings::{Settings, example, file, keys};
use std::path::Path;

fn parse(text: &str) -> Result<crate::settings::layer::Layer, String> {
    let layer = file::parse(text, Path::new("trunkline.toml"));
    layer.sound().map_err(|problem| problem.to_string())
}

#[test]
fn the_example_has_every_key_with_its_default() {
    let text = example();
    assert!(parse(&text).unwrap().iter().next().is_none());
    // With its comments taken off, it sets what is the default.
    let defaults = Settings::default();
    let is_setting = |line: &&str| {
        let key = line.split_once(" = ").map_or("", |(key, _)| key);
        line.starts_with('[') || (!key.is_empty() && !key.contains(|c: char| c.is_whitespace() || c == '.'))
    };
    let bare: Vec<&str> = text
        .lines()
        .map(|line| line.trim_start_matches("# "))
        .filter(is_setting)
        .collect();
    let layer = parse(&bare.join("\n")).unwrap();
    let mut count = 0;
    for section in keys::SECTIONS {
        let Holds::Keys(keys) = &section.holds else {
            continue;
        };
        for key in *keys {
            count += 1;
            assert!(key.text.ends_with('.'), "{}", key.text);
            let written = layer
                .iter()
                .find(|(of, name, _)| (*of, *name) == (section.name, key.name));
            let written = written.map(|(_, _, value)| value.clone());
            assert_eq!(written, (key.show)(&defaults), "{}/{}", section.name, key.name);
            assert!(text.contains(&format!("\n# {} ", key.name)), "{}", key.name);
        }
    }
    assert!(count > 40, "{count}");
    assert!(text.lines().all(|line| line.chars().count() <= 110), "{text}");
}

#[test]
fn every_key_takes_its_default_and_gives_it_back() {
    let defaults = Settings::default();
    for section in keys::SECTIONS {
        for (name, value) in section.list(&defaults) {
            let mut settings = Settings::default();
            let found = section.find(&name).unwrap();
            found.put(&mut settings, &name, value.clone()).unwrap();
            assert_eq!(section.list(&settings).get(&name), Some(&value), "{name}");
        }
    }
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_the_nearest_name() {
    for (text, told) in [
        (
            "\n\n[authentication]\n\n\n\nrequire_valid_usr = true\n",
            "trunkline.toml, line 7: unknown key `require_valid_usr` in [authentication]; did you mean `require_valid_user`?",
        ),
        (
            "[authentification]\n",
            "trunkline.toml, line 1: unknown section [authentification]; did you mean `authentication`?",
        ),
        ("[zzz]\n", "trunkline.toml, line 1: unknown section [zzz]"),
        (
            "[cors]\nqqqq = 1\n",
            "trunkline.toml, line 2: unknown key `qqqq` in [cors]",
        ),
        ("listen = 3\n", "trunkline.toml, line 1: unknown section [listen]"),
        ("cors = 3\n", "trunkline.toml, line 1: [cors] must be a section"),
        (
            "[lockout]\nfailures = 3\nseconds = -1\n",
            "trunkline.toml, line 3: `seconds` in [lockout] must be an integer from 1 to 86400 (seconds)",
        ),
        (
            "[lockout]\nseconds = 1.5\n",
            "trunkline.toml, line 2: `seconds` in [lockout] must be an integer from 1 to 86400 (seconds)",
        ),
        (
            "[cors]\ncredentials = \"yes\"\n",
            "trunkline.toml, line 2: `credentials` in [cors] must be true or false",
        ),
        (
            "[cors]\norigins = [1]\n",
            "trunkline.toml, line 2: `origins` in [cors] must be a list of texts",
        ),
        (
            "[passwords]\nprf = \"md5\"\n",
            "trunkline.toml, line 2: `prf` in [passwords] must be \"sha256\" or \"sha\"",
        ),
        (
            "[admins]\nanna = 123456\n",
            "trunkline.toml, line 2: `anna` in [admins] must be a text that is not empty (secret)",
        ),
        (
            "[admins]\nanna = \"\"\n",
            "trunkline.toml, line 2: `anna` in [admins] must be a text that is not empty (secret)",
        ),
    ] {
        assert_eq!(parse(text).err().as_deref(), Some(told), "{text}");
    }
    for (text, line) in [
        ("[cors]\nmax_age = \n", "line 2: "),
        ("[cors]\nmax_age = 1\nmax_age = 2\n", "line 3: "),
        ("[admins]\nanna = \"the secret\n", "line 2: "),
    ] {
        let told = parse(text).err().unwrap();
        assert!(told.starts_with(&format!("trunkline.toml, {line}")), "{told}");
        assert!(!told.contains("the secret") && !told.contains('\n'), "{told}");
    }
}

#[test]
fn no_depth_or_length_brings_it_down() {
    let deep = format!(
        "[cors]\norigins = {}{}\n",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert!(parse(&deep).is_err());
    assert!(parse("\u{feff}[cors]\n\0").is_err());
}
