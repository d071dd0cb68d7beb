//! Files that stand whole under their name or not at all, also after a power cut.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::DumpError;

/// What a file is called until it is whole.
pub(crate) const UNFINISHED_SUFFIX: &str = ".tmp";

/// The name beside `path` under which it is written.
pub(crate) fn unfinished_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(UNFINISHED_SUFFIX);
    PathBuf::from(name)
}

/// Writes `bytes` to another name, syncs, renames, and syncs the folder.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), DumpError> {
    let unfinished = unfinished_path(path);
    let mut file = File::create(&unfinished).map_err(DumpError::io("create the file", &unfinished))?;
    file.write_all(bytes).map_err(DumpError::io("write", &unfinished))?;
    file.sync_all().map_err(DumpError::io("sync", &unfinished))?;
    rename(&unfinished, path)
}

/// Renames, and syncs the folder, so that the new name outlasts a power cut.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), DumpError> {
    fs::rename(from, to).map_err(DumpError::io("rename the file to its final name", to))?;
    sync_folder(to.parent().unwrap_or(Path::new(".")))
}

/// Syncs a folder's entries.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), DumpError> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let handle = File::open(folder).map_err(DumpError::io("open the folder", folder))?;
    handle.sync_all().map_err(DumpError::io("sync the folder", folder))
}

/// Reads a file of at most `limit` bytes; a larger one is invalid.
pub(crate) fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, DumpError> {
    let file = File::open(path).map_err(DumpError::io("open", path))?;
    let mut bytes = Vec::new();
    // One byte more tells a file at the limit from a larger one.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(DumpError::io("read", path))?;
    match bytes.len() as u64 > limit {
        true => Err(DumpError::invalid(path, format!("the file is larger than the {limit} bytes it can have"))),
        false => Ok(bytes),
    }
}
