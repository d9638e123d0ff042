//! What settings name on disk: whether a server could use it.

use super::Process;
use crate::config::{Tls, TlsVersion};
use crate::tls;
use std::path::Path;

impl Process {
    /// What is wrong with the files of its listeners and of its log, each told; without them no server starts. Blocks.
    pub fn wrong_files(&self) -> Vec<String> {
        let files = self.tls().map(|files| tls::wrong_files(&files));
        let files = files.unwrap_or_default().into_iter();
        let mut wrong: Vec<String> = files.map(|error| format!("[tls] {error}")).collect();
        let socket = ("`unix_socket` in [server]", self.unix_socket.as_deref());
        let audit = ("`audit` in [log]", self.log_audit.as_deref());
        for (key, path) in [socket, audit] {
            wrong.extend(path.and_then(|path| no_place(key, path)));
        }
        wrong
    }

    /// What is wrong with the files that peers are shown and known by, and with the directory of secrets, each told.
    /// Blocks.
    pub fn wrong_peer_files(&self) -> Vec<String> {
        let peers = &self.peers;
        let wrong = match (&peers.certificate, &peers.key, &peers.authorities) {
            (Some(certificate), Some(key), authorities) => tls::wrong_files(&Tls {
                certificate: certificate.clone(),
                key: key.clone(),
                client_authorities: authorities.clone(),
                client_crl_file: None,
                require_client_certificate: false,
                version_min: TlsVersion::default(),
            }),
            (_, _, Some(authorities)) => tls::wrong_authorities(authorities).into_iter().collect(),
            _ => Vec::new(),
        };
        let wrong = wrong.into_iter().map(|error| format!("[replication] {error}"));
        wrong
            .chain(self.secrets.as_deref().and_then(no_directory))
            .collect()
    }
}

/// Why there are no secrets in a directory.
fn no_directory(path: &Path) -> Option<String> {
    let why = match path.metadata() {
        Ok(found) if found.is_dir() => return None,
        Ok(_) => "it is no directory".to_owned(),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => "there is no such directory".to_owned(),
        Err(cause) => cause.to_string(),
    };
    Some(format!("`secrets` in [replication]: {}: {why}", path.display()))
}

/// Why there can be no file at a path.
fn no_place(key: &str, path: &Path) -> Option<String> {
    let parent = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let dir = parent.unwrap_or(Path::new("."));
    match dir.metadata() {
        _ if path.is_dir() => Some(format!("{key}: {} is a directory", path.display())),
        Ok(found) if found.is_dir() => None,
        Ok(_) => Some(format!("{key}: {} is no directory", dir.display())),
        Err(cause) => Some(format!("{key}: {}: {cause}", dir.display())),
    }
}
