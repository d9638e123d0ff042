//! Name and password in `Authorization`.

use crate::error::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A name and a password that nobody has found right yet.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) name: String,
    pub(crate) password: String,
}

/// Reads what follows `Basic`. `None` for `_:_`, which browsers are made to send to log out.
pub(super) fn read(encoded: &str) -> Result<Option<Credentials>> {
    let invalid = || Error::bad("Authorization header has invalid base64 value");
    let decoded = STANDARD.decode(encoded.trim()).map_err(|_| invalid())?;
    let text = String::from_utf8(decoded).map_err(|_| invalid())?;
    match text.split_once(':') {
        None | Some(("_", "_")) => Ok(None),
        Some((name, password)) => Ok(Some(Credentials {
            name: name.to_owned(),
            password: password.to_owned(),
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials() {
        let read = |text: &str| {
            read(&STANDARD.encode(text))
                .unwrap()
                .map(|found| (found.name, found.password))
        };
        let pair = |name: &str, password: &str| Some((name.to_owned(), password.to_owned()));
        assert_eq!(read("anna:secret"), pair("anna", "secret"));
        assert_eq!(read("anna:a:b:"), pair("anna", "a:b:"));
        assert_eq!(read("jörg:"), pair("jörg", ""));
        assert_eq!(read("_:_"), None);
        assert_eq!(read("anna"), None);
        assert!(super::read("!").is_err());
        assert!(super::read(&STANDARD.encode([0xff, b':'])).is_err());
    }
}
