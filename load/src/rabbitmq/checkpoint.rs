//! How far publishing has come: a small file beside the project's other working files.
//!
//! It is written to another name and renamed, so that a crash leaves the old one or the new one. Everything up to its
//! position was confirmed by the broker, or is listed here as rejected.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use etl_schemas::percent;
use serde::{Deserialize, Serialize};

use super::{IfPublished, RabbitTarget};
use crate::LoadError;

/// The layout below; a later one will know by it what it finds.
const FORMAT: u32 = 1;
/// Rejected events that are listed; all are counted.
const LISTED_MAX: usize = 1_000;

/// The file's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    format: u32,
    /// Of dump, mappings and routes.
    fingerprints: [String; 3],
    /// Everything up to it is confirmed or rejected.
    pub(super) position: u64,
    pub(super) complete: bool,
    pub(super) published: u64,
    pub(super) rejected: u64,
    pub(super) listed: Vec<Rejected>,
    /// Of each module, in the order of their names, the position of its last event.
    pub(super) chain: Vec<u64>,
}

/// An event that can't be a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rejected {
    pub(super) position: u64,
    pub(super) event_id: String,
    pub(super) event_type: String,
    pub(super) reason: String,
}

impl Checkpoint {
    pub(super) fn new(fingerprints: [String; 3], modules: usize) -> Checkpoint {
        Checkpoint {
            format: FORMAT,
            fingerprints,
            position: 0,
            complete: false,
            published: 0,
            rejected: 0,
            listed: Vec::new(),
            chain: vec![0; modules],
        }
    }

    /// An event was rejected.
    pub(super) fn reject(&mut self, rejected: Rejected) {
        self.rejected += 1;
        if self.listed.len() < LISTED_MAX {
            self.listed.push(rejected);
        }
    }
}

/// Where a checkpoint is kept.
#[derive(Clone, Debug)]
pub(super) struct Keeper {
    path: PathBuf,
}

impl Keeper {
    /// Of what is published from a project to an exchange.
    pub(super) fn new(folder: &Path, target: &RabbitTarget, exchange: &str) -> Keeper {
        // Encoded, so that no two of them share a file.
        let [host, virtual_host] = [&target.host, &target.virtual_host].map(|name| percent::encoded(name));
        Keeper { path: folder.join(format!("published-{host}-{}-{virtual_host}-{exchange}.json", target.port)) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The checkpoint to go on from.
    pub(super) fn begin(
        &self,
        fingerprints: [String; 3],
        modules: usize,
        if_published: IfPublished,
    ) -> Result<Checkpoint, LoadError> {
        let new = Checkpoint::new(fingerprints, modules);
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(new),
            Err(source) => return Err(LoadError::Read { path: self.path.clone(), source }),
        };
        match if_published {
            IfPublished::Replace => return Ok(new),
            IfPublished::Fail => return self.refuse("events were published to it before"),
            IfPublished::Resume => {}
        }
        let Ok(found) = serde_json::from_slice::<Checkpoint>(&text) else {
            return self.refuse("the checkpoint can't be read");
        };
        if found.format != FORMAT || found.chain.len() != modules {
            return self.refuse("the checkpoint is of another version or of other modules");
        }
        let changed: Vec<&str> = ["dump", "mappings", "modules"]
            .into_iter()
            .zip(found.fingerprints.iter().zip(&new.fingerprints))
            .filter(|(_, (before, now))| before != now)
            .map(|(part, _)| part)
            .collect();
        match changed.is_empty() {
            true => Ok(found),
            false => self.refuse(&format!("the {} changed since it was published", changed.join(" and the "))),
        }
    }

    fn refuse(&self, problem: &str) -> Result<Checkpoint, LoadError> {
        Err(LoadError::Target {
            problem: format!("{}: {problem}", self.path.display()),
            help: "publish all of it anew with --if-exists replace, when the consumers are to begin anew".to_string(),
        })
    }

    /// Writes it, durably.
    pub(super) fn save(&self, checkpoint: &Checkpoint) -> Result<(), LoadError> {
        let text = serde_json::to_vec_pretty(checkpoint).expect("numbers and text are JSON");
        let next = self.path.with_extension("next");
        let write = || {
            if let Some(folder) = self.path.parent() {
                fs::create_dir_all(folder)?;
            }
            let mut file = File::create(&next)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&next, &self.path)
        };
        write().map_err(|source| LoadError::Write { sink: self.path.display().to_string(), source })
    }

    /// Forgets what was published, because it can't be relied on.
    pub(super) fn forget(&self) -> Result<(), LoadError> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(LoadError::Write { sink: self.path.display().to_string(), source: error })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprints(mappings: &str) -> [String; 3] {
        ["dump".to_string(), mappings.to_string(), "modules".to_string()]
    }

    #[test]
    fn a_checkpoint_is_kept_and_another_stream_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let target = RabbitTarget::parse("amqp://u@h/x%2Fy", None).unwrap();
        let keeper = Keeper::new(folder.path(), &target, "sample");
        let mut checkpoint = keeper.begin(fingerprints("a"), 2, IfPublished::Resume).unwrap();
        (checkpoint.position, checkpoint.chain) = (7, vec![5, 6]);
        keeper.save(&checkpoint).unwrap();
        assert_eq!(keeper.begin(fingerprints("a"), 2, IfPublished::Resume).unwrap(), checkpoint);
        let refused = keeper.begin(fingerprints("b"), 2, IfPublished::Resume).unwrap_err().to_string();
        assert!(refused.contains("mappings changed"), "{refused}");
        assert!(keeper.begin(fingerprints("a"), 2, IfPublished::Fail).is_err());
        assert_eq!(keeper.begin(fingerprints("b"), 2, IfPublished::Replace).unwrap().position, 0);
        let other = RabbitTarget::parse("amqp://u@h/x_y", None).unwrap();
        assert_ne!(Keeper::new(folder.path(), &other, "sample").path(), keeper.path());
        keeper.forget().unwrap();
        assert_eq!(keeper.begin(fingerprints("b"), 2, IfPublished::Fail).unwrap().position, 0);
    }
}
