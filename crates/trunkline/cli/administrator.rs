//! The administrator that the environment names, and what a server without any may do.

use super::Failure;
use super::output::tell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use trunkline::http::{Config, Secret, is_loopback};

/// Who is an administrator for one run of a server.
const USER: &str = "TRUNKLINE_USER";
/// And by which password: command lines show in process lists, so that no flag takes one.
const PASSWORD: &str = "TRUNKLINE_PASSWORD";

/// Name and password of the administrator that the environment names, if it does.
pub(crate) fn of_environment() -> Result<Option<(String, Secret)>, Failure> {
    let read = |name: &str| match std::env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(Failure::new(format!("{name} is not UTF-8"))),
    };
    let lacks = |one: &str, other: &str| Failure::new(format!("{one} is set, and {other} is not"));
    match (read(USER)?, read(PASSWORD)?) {
        (None, None) => Ok(None),
        (Some(user), Some(password)) => {
            if user.is_empty() || password.is_empty() {
                return Err(Failure::new(format!("{USER} and {PASSWORD} must not be empty")));
            }
            Ok(Some((user, Secret::new(password))))
        }
        (Some(_), None) => Err(lacks(USER, PASSWORD)),
        (None, Some(_)) => Err(lacks(PASSWORD, USER)),
    }
}

/// Where to listen: where it was asked for if there is an administrator, and else where only this machine asks.
pub(crate) fn guarded(listen: SocketAddr, config: &Config) -> SocketAddr {
    if !config.admins.is_empty() || is_loopback(listen) {
        return listen;
    }
    let loopback = match listen.ip() {
        IpAddr::V4(_) => IpAddr::from(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::from(Ipv6Addr::LOCALHOST),
    };
    let inside = SocketAddr::new(loopback, listen.port());
    tell(format_args!(
        "trunkline: listens on {inside} and not on {listen}, since there is no administrator and everyone would be \
         one; set {USER} and {PASSWORD} to make one"
    ));
    inside
}
