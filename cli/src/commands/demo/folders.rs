//! Where a demo puts things. Only a folder that an earlier demo made is cleared, and of it only what a demo puts there.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// Marks a folder as a demo's.
const MARKER: &str = ".etl-demo";

/// The folders of a demo, absolute.
pub(super) struct Folders {
    pub(super) project: PathBuf,
    pub(super) legacy: PathBuf,
    pub(super) dump: PathBuf,
    pub(super) postgres: PathBuf,
    /// Locked as long as the demo runs.
    _marker: File,
}

impl Folders {
    /// Makes `dir`, or clears what an earlier demo left in it.
    pub(super) fn prepare(dir: &Path) -> anyhow::Result<Folders> {
        let told = || dir.display().to_string();
        let is_ours = dir.join(MARKER).exists();
        let is_empty = match fs::read_dir(dir) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) if error.kind() == ErrorKind::NotFound => true,
            Err(error) => return Err(error).with_context(told),
        };
        if !is_empty && !is_ours {
            bail!("{}: this folder holds other things; name an empty one, or a new one, with --dir", dir.display());
        }
        fs::create_dir_all(dir).with_context(told)?;
        let marker = File::options().create(true).append(true).open(dir.join(MARKER)).with_context(told)?;
        if marker.try_lock().is_err() {
            bail!("{}: a demo is running here; end it, or name another folder with --dir", dir.display());
        }
        let dir = fs::canonicalize(dir).with_context(told)?;
        let [project, legacy, dump, postgres] = ["project", "legacy", "dump", "postgres"].map(|name| dir.join(name));
        for folder in [&project, &legacy, &dump, &postgres] {
            clear(folder).with_context(|| folder.display().to_string())?;
        }
        Ok(Folders { project, legacy, dump, postgres, _marker: marker })
    }
}

/// Removes a folder with all it holds; of a link, what it leads to as well.
fn clear(folder: &Path) -> std::io::Result<()> {
    let is_link = fs::symlink_metadata(folder).is_ok_and(|metadata| metadata.is_symlink());
    if is_link {
        let behind = fs::read_link(folder)?;
        fs::remove_file(folder)?;
        return gone(fs::remove_dir_all(behind));
    }
    gone(fs::remove_dir_all(folder))
}

fn gone(result: std::io::Result<()>) -> std::io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
