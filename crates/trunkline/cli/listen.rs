//! The places that a server listens at, of which the network reaches none while everyone is an administrator.

use super::Failure;
use super::output::tell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use tokio::net::TcpListener;
use trunkline::http::settings::Live;
use trunkline::http::{Listener, ServerTls, is_loopback};

/// What was opened.
pub(crate) struct Listening {
    pub(crate) listeners: Vec<Listener>,
    /// URLs, and paths of sockets.
    pub(crate) places: Vec<String>,
    pub(crate) tls: Option<ServerTls>,
}

/// Opens all the places that the settings name.
pub(crate) async fn open(live: &Live, dir: &Path) -> Result<Listening, Failure> {
    let process = live.process();
    let guard = Guard {
        is_open: live.now().admins.is_empty(),
        dir,
    };
    let tls = process.tls().map(ServerTls::read).transpose()?;
    let mut listening = Listening {
        listeners: Vec::new(),
        places: Vec::new(),
        tls,
    };
    for address in guard.addresses(&process.listen)? {
        let listener = bind(address).await?;
        listening
            .places
            .push(format!("http://{}", listener.local_addr()?));
        listening.listeners.push(listener.into());
    }
    if let Some(tls) = &listening.tls {
        for address in guard.addresses(&process.tls_listen)? {
            let listener = bind(address).await?;
            listening
                .places
                .push(format!("https://{}", listener.local_addr()?));
            listening.listeners.push(Listener::tls(listener, tls.clone()));
        }
    }
    if let Some(path) = &process.unix_socket {
        let listener = Listener::unix(path);
        let failed = |cause| Failure::new(format!("cannot listen on {}: {cause}", path.display()));
        listening.listeners.push(listener.map_err(failed)?);
        listening.places.push(path.display().to_string());
    }
    if listening.listeners.is_empty() {
        return Err(Failure::new(
            "the settings name no place to listen at: see `listen` in [server]",
        ));
    }
    Ok(listening)
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|cause| Failure::new(format!("cannot listen on {address}: {cause}")))
}

struct Guard<'a> {
    /// There is no administrator.
    is_open: bool,
    dir: &'a Path,
}

impl Guard<'_> {
    fn addresses(&self, listed: &[String]) -> Result<Vec<SocketAddr>, Failure> {
        let mut addresses = Vec::new();
        for listed in listed {
            let address = self.inside(listed.parse()?);
            // Several may have become one.
            if address.port() == 0 || !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        Ok(addresses)
    }

    /// The address itself if there is an administrator, and else one that only this machine reaches.
    fn inside(&self, address: SocketAddr) -> SocketAddr {
        if !self.is_open || is_loopback(address) {
            return address;
        }
        let loopback = match address.ip() {
            IpAddr::V4(_) => IpAddr::from(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::from(Ipv6Addr::LOCALHOST),
        };
        let inside = SocketAddr::new(loopback, address.port());
        tell(format_args!(
            "trunkline: listens on {inside} and not on {address}, since there is no administrator and everyone would be \
             one; make one with `trunkline init {}`, or with TRUNKLINE_USER and TRUNKLINE_PASSWORD",
            self.dir.display()
        ));
        inside
    }
}
