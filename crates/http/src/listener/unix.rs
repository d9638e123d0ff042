//! A unix socket and its file.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream as Connected;
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};
use tokio::net::{UnixListener, UnixStream};

/// Its owner and group may connect; whose group that is, the directory says.
const MODE: u32 = 0o660;

/// A socket that listens; its file goes with it.
#[derive(Debug)]
pub(super) struct Socket {
    listener: UnixListener,
    path: PathBuf,
    inode: u64,
}

impl Socket {
    /// The file appears at `path` with its mode and ready to be connected to: it is made beside it.
    pub(super) fn bind(path: &Path) -> io::Result<Socket> {
        refuse_what_lives(path)?;
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{}", std::process::id()));
        let beside = PathBuf::from(beside);
        // Of a process of this number that was killed here.
        let _ = fs::remove_file(&beside);
        let listener = UnixListener::bind(&beside)?;
        let placed = fs::set_permissions(&beside, fs::Permissions::from_mode(MODE))
            .and_then(|()| Ok(fs::metadata(&beside)?.ino()))
            .and_then(|inode| fs::rename(&beside, path).map(|()| inode));
        match placed {
            Ok(inode) => Ok(Socket {
                listener,
                path: path.to_owned(),
                inode,
            }),
            Err(error) => {
                let _ = fs::remove_file(&beside);
                Err(error)
            }
        }
    }

    pub(super) fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<UnixStream>> {
        self.listener.poll_accept(context).map_ok(|(stream, _)| stream)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path).is_ok_and(|file| file.ino() == self.inode);
        if is_ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Only a socket that nobody answers at may be replaced.
fn refuse_what_lives(path: &Path) -> io::Result<()> {
    let refused = |why: &str| {
        let text = format!("{}: {why}", path.display());
        Err(io::Error::new(io::ErrorKind::AddrInUse, text))
    };
    match fs::symlink_metadata(path) {
        Ok(file) if !file.file_type().is_socket() => refused("there is a file that is no socket"),
        Ok(_) => match Connected::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            Err(error) => refused(&format!("there is a socket that cannot be asked ({error})")),
            Ok(_) => refused("somebody listens there already"),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_nobody_answers_at_is_replaced_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trunkline.sock");
        let first = Socket::bind(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, MODE);
        assert_eq!(Socket::bind(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(first);
        assert!(!path.exists());

        // As a server that was killed leaves it.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let second = Socket::bind(&path).unwrap();
        // Its file is another's by now, and not its own to remove.
        fs::remove_file(&path).unwrap();
        fs::write(&path, "a file").unwrap();
        drop(second);
        assert!(path.exists());
        assert!(Socket::bind(&path).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "a file");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
