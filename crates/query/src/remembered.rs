//! Which design document the index of its views was last whole for: what answers while the index of a changed one is built.
//!
//! Beside the index files is one for each design document, named by its id: the body it had then.

use crate::Error;
use crate::design::Design;
use std::io::Write;
use std::path::{Path, PathBuf};
use trunkline_store::Database;
use trunkline_wire::design_doc;

/// What such a file's name ends in.
pub(crate) const EXTENSION: &str = "design";

/// Notes the body of a design document whose index is whole.
pub(crate) fn remember(db: &Database, id: &str, body: &str) -> Result<(), Error> {
    let dir = db.indexes_dir();
    let path = path(&dir, id);
    if std::fs::read(&path).is_ok_and(|before| before == body.as_bytes()) {
        return Ok(());
    }
    let mut file = tempfile::NamedTempFile::new_in(&dir)?;
    file.write_all(body.as_bytes())?;
    file.persist(&path).map_err(|failed| failed.error)?;
    Ok(())
}

/// What the design document was when its index was last whole.
pub(crate) fn remembered(db: &Database, id: &str) -> Option<Design> {
    let body = std::fs::read_to_string(path(&db.indexes_dir(), id)).ok()?;
    let document = design_doc::parse(&body).ok()?;
    Design::of(db, &document).ok()
}

pub(crate) fn path(dir: &Path, id: &str) -> PathBuf {
    let name = blake3::hash(id.as_bytes()).to_hex();
    let name = name.as_str().get(..32).unwrap_or_default();
    dir.join(name).with_extension(EXTENSION)
}
