//! Where spill files lie: a folder of the run's own, removed at its end, or by the next run when it was killed.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::TransformError;

/// The file whose lock says that a run still lives.
const LOCK: &str = "lock";

/// A run's folder for spill files. Removed when dropped.
#[derive(Debug)]
pub(crate) struct SpillFolder {
    path: PathBuf,
    files: u32,
    /// Held as long as the run lives.
    _lock: File,
}

impl SpillFolder {
    /// Makes a folder under `<work>/spill`, after removing those that dead runs left behind.
    pub(crate) fn create(work: &Path) -> Result<SpillFolder, TransformError> {
        let all = work.join("spill");
        let failed = |source| TransformError::Work { path: all.clone(), source };
        fs::create_dir_all(&all).map_err(failed)?;
        remove_dead(&all).map_err(failed)?;
        for number in 0u32.. {
            let path = all.join(format!("{}-{number}", std::process::id()));
            match fs::create_dir(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(error)),
                Ok(()) => {
                    let lock = File::create(path.join(LOCK)).map_err(failed)?;
                    lock.lock().map_err(failed)?;
                    return Ok(SpillFolder { path, files: 0, _lock: lock });
                }
            }
        }
        unreachable!("no process makes four billion folders")
    }

    /// The path of the next file.
    pub(crate) fn next_file(&mut self) -> PathBuf {
        self.files += 1;
        self.path.join(format!("{:06}.run", self.files))
    }
}

impl Drop for SpillFolder {
    fn drop(&mut self) {
        // The next run removes what could not be removed here.
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(folder = %self.path.display(), %error, "the spill folder can't be removed");
        }
    }
}

/// Removes folders whose lock nobody holds. A folder without a lock file is just being made by another run, or its
/// run was killed while making it; it is empty, so removing it may fail or succeed without harm.
fn remove_dead(all: &Path) -> io::Result<()> {
    for entry in fs::read_dir(all)? {
        let folder = entry?.path();
        match File::open(folder.join(LOCK)) {
            Err(_) => {}
            Ok(lock) => match lock.try_lock() {
                Ok(()) => fs::remove_dir_all(&folder)?,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            },
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_runs_folder_goes_and_a_living_ones_stays() {
        let work = tempfile::tempdir().unwrap();
        let living = SpillFolder::create(work.path()).unwrap();
        let dead = work.path().join("spill/1-0");
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join(LOCK), "").unwrap();
        fs::write(dead.join("000001.run"), "left behind").unwrap();
        let second = SpillFolder::create(work.path()).unwrap();
        assert!(!dead.exists());
        assert!(living.path.exists() && second.path.exists());
        let path = living.path.clone();
        drop(living);
        assert!(!path.exists());
    }
}
