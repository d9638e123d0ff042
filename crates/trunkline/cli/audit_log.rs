//! The audit log's file: a line of JSON for each event. It may be moved away while a server runs; SIGHUP begins another.

use super::Failure;
use super::output::tell;
use parking_lot::RwLock;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The file; each clone writes the same.
#[derive(Clone)]
pub(crate) struct AuditLog(Arc<Open>);

struct Open {
    path: PathBuf,
    file: RwLock<Arc<File>>,
    /// That nothing could be written is told once, and again after the next SIGHUP.
    told: AtomicBool,
}

impl AuditLog {
    pub(crate) fn open(path: &Path) -> Result<AuditLog, Failure> {
        let file = open(path).map_err(|cause| {
            Failure::new(format!(
                "{}: the audit log cannot be opened: {cause}",
                path.display()
            ))
        })?;
        Ok(AuditLog(Arc::new(Open {
            path: path.to_owned(),
            file: RwLock::new(Arc::new(file)),
            told: AtomicBool::new(false),
        })))
    }

    /// Opens it anew. When that fails, the former file stays in use.
    pub(crate) fn reopen(&self) -> io::Result<()> {
        *self.0.file.write() = Arc::new(open(&self.0.path)?);
        self.0.told.store(false, Ordering::Relaxed);
        Ok(())
    }
}

impl Write for AuditLog {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let file = Arc::clone(&self.0.file.read());
        let written = (&*file).write(line);
        if let Err(cause) = &written
            && cause.kind() != io::ErrorKind::Interrupted
            && !self.0.told.swap(true, Ordering::Relaxed)
        {
            // Not logged: that could come back here.
            let path = self.0.path.display();
            tell(format_args!(
                "trunkline: {path}: the audit log is not written: {cause}"
            ));
        }
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_moved_away_is_begun_anew() {
        let dir = tempfile::tempdir().unwrap();
        let (path, moved) = (dir.path().join("audit"), dir.path().join("audit.1"));
        let mut log = AuditLog::open(&path).unwrap();
        let other = log.clone();
        log.write_all(b"one\n").unwrap();
        std::fs::rename(&path, &moved).unwrap();
        log.write_all(b"two\n").unwrap();
        other.reopen().unwrap();
        log.write_all(b"three\n").unwrap();
        assert_eq!(std::fs::read_to_string(&moved).unwrap(), "one\ntwo\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "three\n");
    }
}
