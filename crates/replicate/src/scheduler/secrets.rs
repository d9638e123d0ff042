//! Credentials kept in files, so that none needs to be in a document: those with a name, and the node's own certificate.

use std::path::PathBuf;
use std::sync::Arc;

/// More is no credential.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// Directories with a file per secret, read anew for each run. The file holds `user:password`, or an `Authorization`
/// header's value such as `Bearer …`; white space at its end does not count.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    dirs: Arc<[PathBuf]>,
    tls: Arc<Tls>,
}

/// TLS of a node towards its peers, where a replication names nothing else. Certificates of peers are always verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// PEM file of the certificate that the node shows to peers that want one; wants `key`.
    pub certificate: Option<PathBuf>,
    /// PEM file of its key.
    pub key: Option<PathBuf>,
    /// PEM file of authorities that vouch for peers, beside those that the system trusts.
    pub authorities: Option<PathBuf>,
}

/// What a file holds.
pub(super) enum Secret {
    /// User and password.
    Basic(String, String),
    /// The whole value of `Authorization`.
    Header(String),
}

impl Secrets {
    /// Looks in these directories, in order.
    pub fn in_dirs(dirs: impl IntoIterator<Item = PathBuf>) -> Secrets {
        Secrets {
            dirs: dirs.into_iter().collect(),
            tls: Arc::default(),
        }
    }

    /// With a certificate of the node's own, and authorities that it trusts.
    pub fn with_tls(self, tls: Tls) -> Secrets {
        Secrets {
            tls: Arc::new(tls),
            ..self
        }
    }

    pub(super) fn tls(&self) -> &Tls {
        &self.tls
    }

    /// What the secret says; the reason when there is none.
    pub(super) fn read(&self, name: &str) -> Result<Secret, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
            return Err(format!(
                "{name:?} cannot name a secret: letters, digits and -_. can"
            ));
        }
        let found = self
            .dirs
            .iter()
            .map(|dir| dir.join(name))
            .find(|path| path.is_file());
        let path = found.ok_or_else(|| match self.dirs.is_empty() {
            true => format!(
                "there is no secret {name:?}: no directory of secrets was given (`--secrets`, TRUNKLINE_SECRETS, or \
                 `secrets` in [replication])"
            ),
            false => format!("there is no secret {name:?}"),
        })?;
        let unreadable = |cause| format!("the secret {name:?} cannot be read: {cause}");
        if path.metadata().map_err(unreadable)?.len() > SECRET_BYTES_MAX {
            return Err(format!("the secret {name:?} is too long"));
        }
        let text = std::fs::read_to_string(&path).map_err(unreadable)?;
        parse(text.trim_end()).ok_or_else(|| {
            format!("the secret {name:?} holds neither user:password nor an Authorization header's value")
        })
    }
}

fn parse(text: &str) -> Option<Secret> {
    if text.is_empty() || text.contains(['\n', '\r']) {
        return None;
    }
    let scheme = text.split_once(' ').map(|(scheme, _)| scheme);
    if scheme.is_some_and(|scheme| scheme.bytes().all(|byte| byte.is_ascii_alphabetic())) {
        return Some(Secret::Header(text.to_owned()));
    }
    let (user, password) = text.split_once(':')?;
    Some(Secret::Basic(user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_by_name() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let write = |dir: &tempfile::TempDir, name: &str, text: &str| {
            std::fs::write(dir.path().join(name), text).unwrap();
        };
        write(&first, "peer", "anna:se:cret\n");
        write(&second, "peer", "other:one");
        write(&second, "token", "Bearer abc.def\n");
        write(&second, "empty", "\n");
        let secrets = Secrets::in_dirs([first.path().to_owned(), second.path().to_owned()]);
        assert!(
            matches!(secrets.read("peer"), Ok(Secret::Basic(user, password)) if user == "anna" && password == "se:cret")
        );
        assert!(matches!(secrets.read("token"), Ok(Secret::Header(value)) if value == "Bearer abc.def"));
        for bad in ["", "../peer", "a/b", ".hidden", "absent", "empty"] {
            assert!(secrets.read(bad).is_err(), "{bad}");
        }
    }
}
