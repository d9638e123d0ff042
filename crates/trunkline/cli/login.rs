//! Who this program is to the servers of a command.

use super::Failure;
use super::init::PASSWORD;
use super::output::tell;
use super::password;
use clap::Args;
use std::sync::OnceLock;

/// What commands take that talk to servers.
#[derive(Args, Clone, Debug)]
pub(crate) struct LoginArgs {
    /// Name to log in with at every URL that has none; the password is in TRUNKLINE_PASSWORD, or asked for, or the first
    /// line of standard input
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
}

struct Login {
    user: String,
    password: OnceLock<String>,
}

static GIVEN: OnceLock<Login> = OnceLock::new();
static WARNED: OnceLock<()> = OnceLock::new();

impl LoginArgs {
    /// Makes it count for the whole run.
    pub(crate) fn apply(&self) {
        if let Some(user) = self.user.clone() {
            let password = OnceLock::new();
            let _ = GIVEN.set(Login { user, password });
        }
    }

    /// Whether the password would be read from standard input, or from who sits there.
    pub(crate) fn asks(&self) -> bool {
        self.user.is_some() && std::env::var_os(PASSWORD).is_none()
    }
}

/// A URL that was given, with who is to log in there.
pub(crate) fn complete(url: &str) -> Result<String, Failure> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match (authority.rsplit_once('@'), GIVEN.get()) {
        (Some((user, _)), _) => {
            if user.contains(':') && WARNED.set(()).is_ok() {
                tell(format_args!(
                    "trunkline: process lists show the password of a URL: give --user, and it in {PASSWORD} or when asked"
                ));
            }
            Ok(url.to_owned())
        }
        (None, None) => Ok(url.to_owned()),
        (None, Some(login)) => {
            if login.password.get().is_none() {
                let _ = login.password.set(password::of(&login.user, false)?);
            }
            let password = login.password.get().map_or("", String::as_str);
            Ok(with(scheme, rest, &login.user, password))
        }
    }
}

fn with(scheme: &str, rest: &str, user: &str, password: &str) -> String {
    use super::remote::escaped;
    format!("{scheme}://{}:{}@{rest}", escaped(user), escaped(password))
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_and_passwords_are_escaped() {
        let url = super::with("http", "host:1/db", "an:na", "p@s/s");
        assert_eq!(url, "http://an%3Ana:p%40s%2Fs@host:1/db");
    }
}
