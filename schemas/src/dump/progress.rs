//! `.progress/`: what an unfinished dump has behind it.
//!
//! It holds the plan that the parts belong to, a record for each finished part, and a lock that a running extract
//! holds. A record counts only while its part and index lie there with the length it says; the rest is done again.

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::manifest::{PartInfo, PartJson};
use super::{DumpError, durable, index};
use crate::table::TableName;

/// The folder's name in a dump.
pub(crate) const PROGRESS_FOLDER: &str = ".progress";
const LOCK_FILE: &str = "lock";
const PLAN_FILE: &str = "plan";
/// Plans and records are small; this is far beyond any.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// A finished part of a dump under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartRecord {
    /// The table.
    pub table: TableName,
    /// The part's number within the table, from 0.
    pub part: u32,
    /// What the manifest will say of it.
    pub info: PartInfo,
}

#[derive(Serialize, Deserialize)]
struct RecordJson {
    schema: String,
    table: String,
    part: u32,
    #[serde(flatten)]
    info: PartJson,
}

/// The folder, locked.
#[derive(Debug)]
pub(crate) struct Progress {
    folder: PathBuf,
    /// Released when the file is closed.
    _lock: File,
}

impl Progress {
    /// Opens the folder of the dump in `dir`, making it if need be. Only one process holds it at a time.
    pub(crate) fn open(dir: &Path) -> Result<Progress, DumpError> {
        let folder = dir.join(PROGRESS_FOLDER);
        fs::create_dir_all(&folder).map_err(DumpError::io("create the folder", &folder))?;
        let path = folder.join(LOCK_FILE);
        let lock = File::create(&path).map_err(DumpError::io("create the file", &path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Progress { folder, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(DumpError::Occupied {
                dir: dir.to_path_buf(),
                problem: "another etl is writing this dump; wait for it, or end it".to_string(),
            }),
            Err(TryLockError::Error(source)) => Err(DumpError::io("lock", &path)(source)),
        }
    }

    /// The plan that the dump was begun by.
    pub(crate) fn plan(&self) -> Result<Option<String>, DumpError> {
        read_plan(&self.folder)
    }

    pub(crate) fn write_plan(&self, plan: &str) -> Result<(), DumpError> {
        durable::write(&self.folder.join(PLAN_FILE), plan.as_bytes())
    }

    /// Keeps a record of a finished part, so that it outlasts a power cut.
    pub(crate) fn write_record(&self, record: &PartRecord) -> Result<(), DumpError> {
        let json = RecordJson {
            schema: record.table.schema.clone(),
            table: record.table.name.clone(),
            part: record.part,
            info: PartJson::from(&record.info),
        };
        let bytes = serde_json::to_vec(&json).expect("strings, numbers and lists are JSON");
        durable::write(&self.folder.join(record_name(&record.info.file)), &bytes)
    }

    /// All records whose files are there. `file_of` says where a part of a table lies, if the plan has the table.
    pub(crate) fn records(
        &self,
        dir: &Path,
        file_of: impl Fn(&TableName, u32) -> Option<String>,
    ) -> Result<HashMap<(TableName, u32), PartRecord>, DumpError> {
        let mut records = HashMap::new();
        let entries = fs::read_dir(&self.folder).map_err(DumpError::io("list", &self.folder))?;
        for entry in entries {
            let path = entry.map_err(DumpError::io("list", &self.folder))?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let record = parse_record(&durable::read_bounded(&path, FILE_BYTES_MAX)?)
                .filter(|record| file_of(&record.table, record.part).is_some_and(|file| file == record.info.file));
            match record {
                Some(record) if is_there(dir, &record.info) => {
                    records.insert((record.table.clone(), record.part), record);
                }
                _ => fs::remove_file(&path).map_err(DumpError::io("remove", &path))?,
            }
        }
        Ok(records)
    }

    /// Removes the folder: the dump is finished.
    pub(crate) fn remove(self) -> Result<(), DumpError> {
        fs::remove_dir_all(&self.folder).map_err(DumpError::io("remove the folder", &self.folder))
    }
}

/// The plan in a progress folder, if both are there.
pub(crate) fn read_plan(folder: &Path) -> Result<Option<String>, DumpError> {
    match durable::read_bounded(&folder.join(PLAN_FILE), FILE_BYTES_MAX) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(DumpError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// `dbo.Messages/00000.pb.gz` -> `dbo.Messages.00000.json`
fn record_name(file: &str) -> String {
    format!("{}.json", file.strip_suffix(".pb.gz").unwrap_or(file).replace('/', "."))
}

fn parse_record(bytes: &[u8]) -> Option<PartRecord> {
    let json: RecordJson = serde_json::from_slice(bytes).ok()?;
    let info = json.info.into_part().ok()?;
    Some(PartRecord { table: TableName::new(json.schema, json.table), part: json.part, info })
}

fn is_there(dir: &Path, info: &PartInfo) -> bool {
    let part = dir.join(&info.file);
    let length = |path: &Path| fs::metadata(path).map(|metadata| metadata.len()).ok();
    length(&part) == Some(info.summary.bytes) && length(&index::index_path(&part)).is_some()
}
