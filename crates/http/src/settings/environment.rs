//! Settings in the environment: `TRUNKLINE_SECTION_KEY`, and `TRUNKLINE_SECTION__name` where the operator chooses names.

use super::key::Holds;
use super::layer::Layer;
use super::{Value, keys, nearest};
use std::collections::BTreeMap;

/// Before the name of each of our variables.
const PREFIX: &str = "TRUNKLINE_";
/// An administrator for one run, and the password: command lines show in process lists, so that no flag takes one.
const USER: &str = "TRUNKLINE_USER";
const PASSWORD: &str = "TRUNKLINE_PASSWORD";
/// The file; whoever starts the server reads it.
const CONFIG: &str = "TRUNKLINE_CONFIG";
/// Shorter names of some keys.
const SHORT: [(&str, &str, &str); 3] = [
    ("TRUNKLINE_LISTEN", "server", "listen"),
    ("TRUNKLINE_LOG", "log", "filter"),
    ("TRUNKLINE_SECRETS", "replication", "secrets"),
];

/// What the variables set, their mistakes, and what to warn of.
pub(super) fn read(variables: &[(String, String)]) -> (Layer, Vec<String>) {
    let ours: BTreeMap<&str, &str> = variables
        .iter()
        .filter(|(name, _)| name.starts_with(PREFIX))
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let names = names();
    let (mut layer, mut warnings) = (Layer::default(), Vec::new());
    for (short, section, key) in SHORT {
        let text = ours
            .get(short)
            .filter(|_| !ours.contains_key(name(section, key).as_str()));
        if let Some(text) = text {
            take(&mut layer, short, (section, key), text);
        }
    }
    for (variable, text) in &ours {
        if let Some((section, key)) = names.get(*variable) {
            take(&mut layer, variable, (section, key), text);
        } else if let Some((section, name)) = chosen(variable) {
            take(&mut layer, variable, (section, &name), text);
        } else if !is_other(variable) && !is_service_link(variable, text) {
            let all = names
                .keys()
                .map(String::as_str)
                .chain(SHORT.map(|(short, ..)| short));
            let unknown = format!("unknown variable {variable}{}", nearest::hint(variable, all));
            // Whoever names a section means a setting; other variables may be somebody else's.
            if let Some(section) = keys::SECTIONS
                .iter()
                .find(|section| variable.starts_with(&name(section.name, "")))
            {
                layer.mistake(match section.holds {
                    Holds::Keys(_) => unknown,
                    Holds::Names(_) => format!(
                        "{variable}: a name in [{}] stands behind two underscores, {}name",
                        section.name,
                        name(section.name, "_")
                    ),
                });
            } else {
                warnings.push(unknown);
            }
        }
    }
    if let Err(wrong) = add_administrator(&mut layer, &ours) {
        layer.mistake(wrong);
    }
    (layer, warnings)
}

fn take(layer: &mut Layer, variable: &str, (section, key): (&str, &str), text: &str) {
    if let Err(wrong) = layer.read(section, key, text) {
        layer.mistake(format!("{variable}: {wrong}"));
    }
}

/// Every variable, with its section and key.
fn names() -> BTreeMap<String, (&'static str, &'static str)> {
    let mut names = BTreeMap::new();
    for section in keys::SECTIONS {
        if let Holds::Keys(keys) = &section.holds {
            names.extend(
                keys.iter()
                    .map(|key| (name(section.name, key.name), (section.name, key.name))),
            );
        }
    }
    names
}

/// The section and the name in it that a variable of the operator's choice sets. A `:` cannot be in a variable's name
/// everywhere: the two underscores behind the family of a key of tokens are one, too.
fn chosen(variable: &str) -> Option<(&'static str, String)> {
    let mut free = keys::SECTIONS
        .iter()
        .filter(|section| matches!(section.holds, Holds::Names(_)));
    free.find_map(|section| {
        let name = variable.strip_prefix(&name(section.name, "_"))?;
        let name = match section.name {
            "jwt_keys" if !name.contains(':') => name.replacen("__", ":", 1),
            _ => name.to_owned(),
        };
        Some((section.name, name))
    })
}

/// The variable of a key.
pub(super) fn name(section: &str, key: &str) -> String {
    format!("{PREFIX}{section}_{key}").to_ascii_uppercase()
}

fn is_other(variable: &str) -> bool {
    [USER, PASSWORD, CONFIG].contains(&variable) || SHORT.iter().any(|(short, ..)| *short == variable)
}

/// Whether it tells where a service is: Kubernetes sets such variables in every container, and a service called
/// trunkline-server gets those of a section.
fn is_service_link(variable: &str, text: &str) -> bool {
    let is_port = |(_, port): (&str, &str)| port.starts_with(|c: char| c.is_ascii_digit());
    variable.ends_with("_SERVICE_HOST")
        || variable.ends_with("_SERVICE_PORT")
        || variable.contains("_SERVICE_PORT_")
        || variable.split_once("_PORT_").is_some_and(is_port)
        || variable.ends_with("_PORT") && text.contains("://")
}

fn add_administrator(layer: &mut Layer, ours: &BTreeMap<&str, &str>) -> Result<(), String> {
    let lacks = |one: &str, other: &str| format!("{one} is set, and {other} is not");
    match (ours.get(USER), ours.get(PASSWORD)) {
        (None, None) => Ok(()),
        (Some(_), None) => Err(lacks(USER, PASSWORD)),
        (None, Some(_)) => Err(format!(
            "{} (it is also what `--user` logs in with: unset it here)",
            lacks(PASSWORD, USER)
        )),
        (Some(user), Some(password)) if user.is_empty() || password.is_empty() => {
            Err(format!("{USER} and {PASSWORD} must not be empty"))
        }
        (Some(user), Some(password)) => layer.add("admins", user, Value::Text((*password).to_owned())),
    }
}
