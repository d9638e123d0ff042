//! The file of what was set while a server ran: nobody but its owner reads it, and it is there whole or not at all.
//!
//! `trunkline init` writes it as well, often as root for a server that is another user: what root makes is given to whoever
//! has the former file, or the directory.

use super::layer::Layer;
use super::{Problem, value};
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// Writes it anew.
pub(super) fn write(layer: &Layer, path: &Path) -> Result<(), Problem> {
    replace(&text(layer), path).map_err(|cause| failed(path, &cause))
}

/// Nobody else changes it until this is dropped: whoever reads it to write it anew takes this first. Blocks.
pub(super) fn lock(path: &Path) -> Result<File, Problem> {
    let path = path.with_added_extension("lock");
    let locked = open_lock(&path).and_then(|file| file.lock().map(|()| file));
    locked.map_err(|cause| failed(&path, &cause))
}

fn failed(path: &Path, cause: &io::Error) -> Problem {
    Problem::new(format!("{}: {cause}", path.display()))
}

fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // Whether it is new must be known: a link that somebody put there is not followed to make a file for him.
    match options.clone().create_new(true).open(path) {
        Ok(file) => {
            give(&file, &directory(path).metadata()?)?;
            Ok(file)
        }
        Err(cause) if cause.kind() == ErrorKind::AlreadyExists => options.open(path),
        Err(cause) => Err(cause),
    }
}

fn directory(path: &Path) -> &Path {
    let parent = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// Gives a file to the owner of another. Who is not root may not, and keeps it.
fn give(file: &File, like: &std::fs::Metadata) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        match fchown(file, Some(like.uid()), Some(like.gid())) {
            Err(cause) if cause.kind() == ErrorKind::PermissionDenied => {}
            given => given?,
        }
    }
    #[cfg(not(unix))]
    let _ = (file, like);
    Ok(())
}

fn text(layer: &Layer) -> String {
    let mut text =
        String::from("# Written by the server: what was set while it ran. Goes over trunkline.toml.\n");
    let mut last = None;
    for (section, key, value) in layer.iter() {
        if last != Some(section) {
            text.push_str(&format!("\n[{section}]\n"));
            last = Some(section);
        }
        text.push_str(&format!("{} = {}\n", value::quoted(key), value.toml()));
    }
    text
}

fn replace(text: &str, path: &Path) -> io::Result<()> {
    let dir = directory(path);
    // Made for its owner alone.
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    give(file.as_file(), &path.metadata().or_else(|_| dir.metadata())?)?;
    file.persist(path)?;
    File::open(dir)?.sync_all()
}
