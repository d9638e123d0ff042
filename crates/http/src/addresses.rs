//! How many connections come from each address: one client does not take the places of all.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

/// The addresses that connections come from just now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Addresses(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection's share of its address; given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    of: Addresses,
    /// `None` where nobody counts.
    client: Option<IpAddr>,
}

impl Addresses {
    /// Takes a share, if the address has fewer than `max`. This machine's own, and a unix socket, have as many as they want.
    pub(crate) fn take(&self, address: Option<IpAddr>, max: usize) -> Option<Share> {
        let client = address.and_then(client);
        if let Some(client) = client {
            let mut counts = self.0.lock();
            let count = counts.get(&client).copied().unwrap_or(0);
            if count >= max {
                return None;
            }
            counts.insert(client, count + 1);
        }
        let of = self.clone();
        Some(Share { of, client })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let Some(client) = self.client else {
            return;
        };
        if let Entry::Occupied(mut count) = self.of.0.lock().entry(client) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// Who has an address: of IPv6 a client has 64 bits to itself.
fn client(address: IpAddr) -> Option<IpAddr> {
    (!address.to_canonical().is_loopback()).then(|| network(address))
}

/// The same without a difference for this machine's own.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_share_and_nothing_is_left_of_it() {
        let addresses = Addresses::default();
        let take = |address: &str| addresses.take(Some(address.parse().unwrap()), 2);
        // The same client, in other words.
        for (first, second, third, other) in [
            ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1", "192.0.2.2"),
            (
                "2001:db8::1",
                "2001:db8::2:1",
                "2001:db8::ffff:1:1:1",
                "2001:db8:0:1::1",
            ),
        ] {
            let (kept, gone) = (take(first).unwrap(), take(second).unwrap());
            assert!(take(third).is_none());
            assert!(take(other).is_some());
            drop(gone);
            let again = take(third).unwrap();
            assert!(take(second).is_none());
            drop((kept, again));
        }
        for own in [None, Some("127.0.0.9"), Some("::1"), Some("::ffff:127.0.0.1")] {
            let own = own.map(|own| own.parse().unwrap());
            let shares = [(); 3].map(|()| addresses.take(own, 2).unwrap());
            drop(shares);
        }
        assert!(addresses.0.lock().is_empty());
    }
}
