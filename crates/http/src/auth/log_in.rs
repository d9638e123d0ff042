//! Names and passwords: whether they are right, for those who have not guessed too often.

use super::accounts::Account;
use super::asked::note_failure;
use super::hashing;
use super::lockout::Guesser;
use super::password::Kept;
use super::{Credentials, is_open};
use crate::app::App;
use crate::config::Config;
use crate::error::{Error, Result};
use std::net::IpAddr;
use std::sync::Arc;

/// The account of a name whose password is right.
pub(super) async fn log_in(
    app: &App,
    config: &Config,
    address: Option<IpAddr>,
    given: &Credentials,
) -> Result<Arc<Account>> {
    let (auth, settings) = (&app.auth, &config.authentication);
    let account = auth.accounts.find(app, config, &given.name).await?;
    let kept = account.as_ref().map(|account| &account.fingerprint);
    let guesser = Guesser::new(&given.name, kept, address);
    let is_let_try = || {
        let refused = |_: &Error| note_failure(&given.name, address, "locked out");
        auth.failures
            .check(guesser, &settings.lockout)
            .inspect_err(refused)
    };
    is_let_try()?;
    let mark = auth.verified.mark(&given.name, &given.password);
    let known = || {
        let account = account.as_ref();
        account.filter(|account| auth.verified.holds(&mark, &account.fingerprint))
    };
    if let Some(account) = known() {
        return Ok(account.clone());
    }
    let turn = auth.hashing.turn().await?;
    // Others may have failed meanwhile, or found out what this one would.
    is_let_try()?;
    if let Some(account) = known() {
        return Ok(account.clone());
    }
    let nobodys = Kept::nobodys(&settings.passwords);
    // A name that is not known takes as long as one that is.
    let kept = account
        .as_ref()
        .map_or_else(|| nobodys.clone(), |account| account.kept.clone());
    let right = hashing::verify(turn, kept, nobodys, given.password.clone()).await?;
    match account.filter(|_| right) {
        Some(account) => {
            auth.verified.remember(mark, account.fingerprint);
            auth.failures.forget(guesser);
            Ok(account)
        }
        None => {
            let is_locked = auth.failures.add(guesser, &settings.lockout);
            let reason = match is_locked {
                true => "too many wrong passwords: locked out",
                false => "a wrong name or password",
            };
            note_failure(&given.name, address, reason);
            Err(Error::Unauthorized("Name or password is incorrect.".to_owned()))
        }
    }
}

/// Whether a server without administrator knows nothing of a name. There is nobody to make users there, and who brings
/// credentials all the same may do what everyone may.
pub(super) async fn is_stranger_to_open(app: &App, config: &Config, given: &Credentials) -> Result<bool> {
    Ok(is_open(config) && app.auth.accounts.find(app, config, &given.name).await?.is_none())
}

#[cfg(test)]
mod tests;
