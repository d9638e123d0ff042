//! The file of what was set while a server ran: nobody but its owner reads it, and it is there whole or not at all.

use super::layer::Layer;
use super::{Problem, value};
use std::io::{self, Write};
use std::path::Path;

/// Writes it anew.
pub(super) fn write(layer: &Layer, path: &Path) -> Result<(), Problem> {
    replace(&text(layer), path).map_err(|cause| Problem::new(format!("{}: {cause}", path.display())))
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
    let dir = path.parent().unwrap_or(Path::new("."));
    // Made for its owner alone.
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    std::fs::File::open(dir)?.sync_all()
}
