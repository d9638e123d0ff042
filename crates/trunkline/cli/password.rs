//! Where a password comes from, which is never the command line.

use super::Failure;
use super::init::PASSWORD;
use super::output::tell;
use console::Term;
use std::io::{BufRead, IsTerminal};

/// The password: from the environment, from the terminal, or else the first line of standard input.
pub(crate) fn of(user: &str, is_new: bool) -> Result<String, Failure> {
    let password = match std::env::var(PASSWORD) {
        Ok(password) => password,
        Err(_) => asked(user, is_new)?,
    };
    if password.is_empty() {
        return Err(Failure::new("the password must not be empty"));
    }
    Ok(password)
}

fn asked(user: &str, is_new: bool) -> Result<String, Failure> {
    let terminal = Term::stderr();
    if !std::io::stdin().is_terminal() || !terminal.is_term() {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line)?;
        return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
    }
    tell(format_args!("Password of {user} (not shown):"));
    let password = terminal.read_secure_line()?;
    if is_new {
        tell("Once more:");
        if terminal.read_secure_line()? != password {
            return Err(Failure::new("the two passwords differ"));
        }
    }
    Ok(password)
}
