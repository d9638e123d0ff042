//! What a setting may be, and how a text becomes one.

/// A value, as a file or a text gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `true` or `false`.
    Switch(bool),
    /// A number that is not negative.
    Number(u64),
    /// A text.
    Text(String),
    /// Texts.
    List(Vec<String>),
}

/// What the values of a key may be.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `true` or `false`.
    Switch,
    /// An integer.
    Number {
        /// The least that it may be.
        least: u64,
        /// The most that it may be.
        most: u64,
        /// What it counts.
        unit: &'static str,
    },
    /// A text.
    Text,
    /// The path of a file or a directory.
    Path,
    /// A text that nobody is shown.
    Secret,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// Texts; as one text, with commas between them.
    List,
    /// Texts that nobody is shown.
    Secrets,
}

/// What stands in the place of a secret.
pub const HIDDEN: &str = "…";

impl Kind {
    /// What it must be, in words.
    pub fn words(self) -> String {
        match self {
            Kind::Switch => "true or false".to_owned(),
            Kind::Number { least, most, unit } if most >= i64::MAX as u64 => {
                format!("an integer from {least} ({unit})")
            }
            Kind::Number { least, most, unit } => format!("an integer from {least} to {most} ({unit})"),
            Kind::Text => "a text".to_owned(),
            Kind::Path => "a path".to_owned(),
            Kind::Secret => "a text that is not empty (secret)".to_owned(),
            Kind::OneOf(names) => {
                let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
                names.join(" or ")
            }
            Kind::List => "a list of texts".to_owned(),
            Kind::Secrets => "a list of texts that are not empty (secret)".to_owned(),
        }
    }

    /// Whether nobody is shown it.
    pub fn is_secret(self) -> bool {
        matches!(self, Kind::Secret | Kind::Secrets)
    }

    /// The value itself if it may be one of this kind; else what it must be.
    pub(super) fn check(self, value: Value) -> Result<Value, String> {
        let fits = match (self, &value) {
            (Kind::Switch, Value::Switch(_)) => true,
            (Kind::Number { least, most, .. }, Value::Number(number)) => (least..=most).contains(number),
            (Kind::Text, Value::Text(_)) => true,
            (Kind::Path | Kind::Secret, Value::Text(text)) => !text.is_empty(),
            (Kind::OneOf(names), Value::Text(text)) => names.contains(&text.as_str()),
            (Kind::List, Value::List(_)) => true,
            // Anybody signs with nothing.
            (Kind::Secrets, Value::List(texts)) => texts.iter().all(|text| !text.is_empty()),
            _ => false,
        };
        if fits {
            Ok(value)
        } else {
            Err(format!("must be {}", self.words()))
        }
    }

    /// Reads a variable, an argument or the body of a request.
    pub(super) fn read(self, text: &str) -> Result<Value, String> {
        let value = match self {
            Kind::Switch => text.parse().ok().map(Value::Switch),
            Kind::Number { .. } => text.parse().ok().map(Value::Number),
            Kind::Text | Kind::Path | Kind::Secret | Kind::OneOf(_) => Some(Value::Text(text.to_owned())),
            Kind::List | Kind::Secrets => {
                let texts = text.split(',').map(str::trim);
                Some(Value::List(
                    texts.filter(|text| !text.is_empty()).map(str::to_owned).collect(),
                ))
            }
        };
        match value {
            Some(value) => self.check(value),
            None => Err(format!("must be {}", self.words())),
        }
    }

    /// As one text, without what nobody is shown.
    pub(super) fn show(self, value: &Value) -> String {
        match (self, value) {
            (Kind::Secret, _) => HIDDEN.to_owned(),
            (Kind::Secrets, Value::List(texts)) => vec![HIDDEN; texts.len()].join(", "),
            (_, Value::Switch(switch)) => switch.to_string(),
            (_, Value::Number(number)) => number.to_string(),
            (_, Value::Text(text)) => text.clone(),
            (_, Value::List(texts)) => texts.join(", "),
        }
    }
}

impl Value {
    /// As TOML has it.
    pub fn toml(&self) -> String {
        match self {
            Value::Switch(switch) => switch.to_string(),
            Value::Number(number) => number.to_string(),
            Value::Text(text) => quoted(text),
            Value::List(texts) => {
                let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
                format!("[{}]", texts.join(", "))
            }
        }
    }
}

/// A TOML basic string: JSON's, but that DEL must be escaped, too.
pub(super) fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    json.replace('\u{7f}', "\\u007F")
}
