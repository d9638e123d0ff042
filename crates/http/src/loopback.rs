//! Who has no administrator is not on the network: everyone who reaches such a server may do everything.

use crate::Config;
use std::io;
use std::net::SocketAddr;

/// Refuses an address that other machines reach, while there is no administrator.
pub(crate) fn check(address: SocketAddr, config: &Config) -> io::Result<()> {
    if !config.admins.is_empty() || is_loopback(address) {
        return Ok(());
    }
    let reason = format!(
        "{address} can be reached from other machines, and there is no administrator: everyone would be one; \
         name one in `Config::admins`, or listen on a loopback address"
    );
    Err(io::Error::new(io::ErrorKind::PermissionDenied, reason))
}

/// Whether only this machine reaches it.
pub fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    #[test]
    fn only_with_an_administrator_does_the_network_reach_it() {
        let open = Config::default();
        let mut closed = Config::default();
        closed.admins.insert("anna".to_owned(), Secret::new("secret"));
        for (address, inside) in [
            ("127.0.0.1:0", true),
            ("127.3.2.1:5984", true),
            ("[::1]:5984", true),
            ("[::ffff:127.0.0.1]:5984", true),
            ("0.0.0.0:5984", false),
            ("[::]:5984", false),
            ("192.168.1.7:5984", false),
            ("[::ffff:10.0.0.1]:5984", false),
        ] {
            let address: SocketAddr = address.parse().unwrap();
            assert_eq!(check(address, &open).is_ok(), inside, "{address}");
            assert!(check(address, &closed).is_ok(), "{address}");
        }
    }
}
