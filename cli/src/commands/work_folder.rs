//! The folder in which a run keeps rejected rows and temporary files. Two runs never share one.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use etl_schemas::project::Project;

/// Locked by the run that works in the folder; the lock goes with the process, however it ends.
const LOCK: &str = "lock";
/// Folders of runs that keep nothing begin like this.
const PASSING: &str = "passing-";

/// Where a project's runs work, unless the command line says it.
pub(super) fn of_project(project: &Project) -> PathBuf {
    project.folder.join(".etl")
}

/// A folder that is ours as long as this lives.
pub(super) struct WorkFolder {
    path: PathBuf,
    /// Whether it is removed at the end.
    passing: bool,
    _lock: File,
}

impl WorkFolder {
    /// A folder whose quarantine is kept for a look: of `seed`, one a project.
    pub(super) fn kept(path: &Path) -> anyhow::Result<WorkFolder> {
        fs::create_dir_all(path).with_context(|| path.display().to_string())?;
        match lock(path)? {
            Some(lock) => Ok(WorkFolder { path: path.to_path_buf(), passing: false, _lock: lock }),
            None => {
                bail!("{}: another run of etl works here; wait for it, or give this one a --work DIR", path.display())
            }
        }
    }

    /// A folder of its own under `parent`, removed at the end; those that killed runs have left are removed now.
    pub(super) fn passing(parent: &Path) -> anyhow::Result<WorkFolder> {
        let told = || parent.display().to_string();
        fs::create_dir_all(parent).with_context(told)?;
        for entry in fs::read_dir(parent).with_context(told)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(PASSING) && lock(&entry.path())?.is_some() {
                fs::remove_dir_all(entry.path()).with_context(|| entry.path().display().to_string())?;
            }
        }
        let path = parent.join(format!("{PASSING}{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        let lock = lock(&path)?.with_context(|| format!("{}: locked by somebody else", path.display()))?;
        Ok(WorkFolder { path, passing: true, _lock: lock })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        if self.passing {
            // What can't be removed now is removed by the next run.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// The folder's lock, or `None` while another process holds it.
fn lock(folder: &Path) -> anyhow::Result<Option<File>> {
    let path = folder.join(LOCK);
    let told = || path.display().to_string();
    let file = File::options().create(true).append(true).open(&path).with_context(told)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error).with_context(told),
    }
}
