//! Writes a dump's directory, and goes on with one that was interrupted.
//!
//! In: a plan, the tables, a record for each finished part. Out: a directory whose manifest appears last, by rename, so
//! that it is a dump or says that it isn't. What can't happen: parts of two plans in one dump, two writers at once, or
//! a finished dump overwritten.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::checksums::{self, CHECKSUMS_FILE, Checksums};
use super::durable::UNFINISHED_SUFFIX;
use super::folder::{folder_names, part_file};
use super::manifest::{self, MANIFEST_FILE, Manifest, ManifestTable, SourceInfo, describe_table};
use super::part_writer::sha256_hex;
use super::progress::{PROGRESS_FOLDER, PartRecord, Progress};
use super::schema_files::schema_files;
use super::{DumpError, KeyRange, PartInfo, PartSummary, durable, progress};
use crate::table::{TableName, TableSchema};

/// A table that is read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishedTable {
    /// The table.
    pub name: TableName,
    /// How many parts the plan gave it.
    pub parts: u32,
    /// What a reader of the dump should know of it: sentences.
    pub notes: Vec<String>,
}

/// A dump under way. Parts are written by [`PartWriter`](super::PartWriter) to [`part_path`](Self::part_path), by as
/// many threads as you like, and recorded when they are finished.
#[derive(Debug)]
pub struct DumpWriter {
    dir: PathBuf,
    tables: Vec<TableSchema>,
    folders: HashMap<TableName, String>,
    /// Of the schema files.
    checksums: Checksums,
    progress: Progress,
    records: Mutex<HashMap<(TableName, u32), PartRecord>>,
}

impl DumpWriter {
    /// Begins a dump in `dir`, which must be empty or missing, or goes on with the unfinished one that lies there.
    ///
    /// `plan` is text that says all that parts depend on beside the tables' schemas: tables, ranges, settings. One
    /// thing a line is best, since an unfinished dump of another plan is refused with the first line that differs.
    pub fn create(dir: &Path, plan: &str, tables: &[TableSchema]) -> Result<DumpWriter, DumpError> {
        let schema_files = schema_files(tables)?;
        fs::create_dir_all(dir).map_err(DumpError::io("create the folder", dir))?;
        refuse_finished(dir)?;
        let begun = dir.join(PROGRESS_FOLDER).exists();
        if !begun {
            refuse_foreign(dir)?;
        }
        let progress = Progress::open(dir)?;
        begin(dir, &progress, &whole_plan(plan, tables))?;
        let names = folder_names(tables.iter().map(|table| &table.name));
        let folders: HashMap<TableName, String> = tables.iter().map(|table| table.name.clone()).zip(names).collect();
        for folder in folders.values().map(|folder| dir.join(folder)) {
            fs::create_dir_all(&folder).map_err(DumpError::io("create the folder", &folder))?;
            remove_unfinished(&folder)?;
        }
        let mut checksums = Checksums::new();
        for (file, bytes) in &schema_files.files {
            write_within(dir, file, bytes)?;
            checksums.insert(file.clone(), sha256_hex(bytes));
        }
        let file_of = |table: &TableName, part| folders.get(table).map(|folder| part_file(folder, part));
        let records = Mutex::new(progress.records(dir, file_of)?);
        Ok(DumpWriter { dir: dir.to_path_buf(), tables: tables.to_vec(), folders, checksums, progress, records })
    }

    /// The plan that the unfinished dump in `dir` was begun with, as it was given to [`create`](Self::create), with lines
    /// for the tables' schemas behind it. `None` when nothing unfinished lies there.
    pub fn unfinished_plan(dir: &Path) -> Result<Option<String>, DumpError> {
        progress::read_plan(&dir.join(PROGRESS_FOLDER))
    }

    /// Removes an unfinished dump, so that another plan can begin in its place. A finished dump is refused, and files
    /// that no dump has stay where they are.
    pub fn discard(dir: &Path) -> Result<(), DumpError> {
        refuse_finished(dir)?;
        if !dir.join(PROGRESS_FOLDER).exists() {
            return Ok(());
        }
        let progress = Progress::open(dir)?;
        for entry in fs::read_dir(dir).map_err(DumpError::io("list", dir))? {
            let path = entry.map_err(DumpError::io("list", dir))?.path();
            if path.is_dir() && !path.ends_with(PROGRESS_FOLDER) {
                remove_dump_files(&path)?;
            } else if is_dump_file(&path) {
                fs::remove_file(&path).map_err(DumpError::io("remove", &path))?;
            }
        }
        progress.remove()
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where a part is to be written; parts of a table count from 0.
    ///
    /// # Panics
    ///
    /// When the table isn't one that [`create`](Self::create) was given.
    pub fn part_path(&self, table: &TableName, part: u32) -> PathBuf {
        self.dir.join(self.part_file(table, part))
    }

    /// The record of a part that is finished already, here or in a run before.
    pub fn finished_part(&self, table: &TableName, part: u32) -> Option<PartRecord> {
        self.lock_records().get(&(table.clone(), part)).cloned()
    }

    /// Keeps a finished part: from here on it is never read again from the source.
    ///
    /// # Panics
    ///
    /// When the table isn't one that [`create`](Self::create) was given.
    pub fn record_part(
        &self,
        table: &TableName,
        part: u32,
        range: KeyRange,
        summary: PartSummary,
        replaced_characters: u64,
    ) -> Result<(), DumpError> {
        let info = PartInfo { file: self.part_file(table, part), range, summary, replaced_characters };
        let record = PartRecord { table: table.clone(), part, info };
        self.progress.write_record(&record)?;
        self.lock_records().insert((table.clone(), part), record);
        Ok(())
    }

    /// Makes it a dump: checksums, and the manifest as the last file to appear. `finished` names every table.
    pub fn finish(self, source: SourceInfo, finished: &[FinishedTable]) -> Result<Manifest, DumpError> {
        let tables = self.tables.iter().map(|table| self.manifest_table(table, finished));
        let manifest = Manifest::new(source, tables.collect::<Result<Vec<_>, _>>()?);
        let json = manifest::to_json(&manifest);
        let mut checksums = self.checksums.clone();
        checksums.insert(MANIFEST_FILE.to_string(), sha256_hex(&json));
        for part in manifest.tables.iter().flat_map(|table| &table.parts) {
            let index = part.file.replace(".pb.gz", ".idx");
            checksums.insert(index, part.summary.index_sha256.clone());
            checksums.insert(part.file.clone(), part.summary.sha256.clone());
        }
        durable::write(&self.dir.join(CHECKSUMS_FILE), checksums::to_text(&checksums).as_bytes())?;
        durable::write(&self.dir.join(MANIFEST_FILE), &json)?;
        self.progress.remove()?;
        Ok(manifest)
    }

    fn manifest_table(&self, table: &TableSchema, finished: &[FinishedTable]) -> Result<ManifestTable, DumpError> {
        let missing = |part| DumpError::MissingPart { table: table.name.clone(), part };
        let finished = finished.iter().find(|finished| finished.name == table.name).ok_or_else(|| missing(0))?;
        let records = self.lock_records();
        let part = |part| {
            let record = records.get(&(table.name.clone(), part)).ok_or_else(|| missing(part))?;
            Ok(record.info.clone())
        };
        Ok(ManifestTable {
            schema: table.clone(),
            folder: self.folders[&table.name].clone(),
            parts: (0..finished.parts).map(part).collect::<Result<Vec<_>, DumpError>>()?,
            notes: finished.notes.clone(),
        })
    }

    fn part_file(&self, table: &TableName, part: u32) -> String {
        part_file(&self.folders[table], part)
    }

    fn lock_records(&self) -> std::sync::MutexGuard<'_, HashMap<(TableName, u32), PartRecord>> {
        // A map that a panicking thread left behind is whole: insertion is its only change.
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refuse_finished(dir: &Path) -> Result<(), DumpError> {
    match dir.join(MANIFEST_FILE).exists() {
        false => Ok(()),
        true => Err(DumpError::Occupied {
            dir: dir.to_path_buf(),
            problem: "a finished dump lies here, and it is never overwritten; name another directory, or remove it"
                .to_string(),
        }),
    }
}

/// A directory that holds anything but an unfinished dump is somebody's.
fn refuse_foreign(dir: &Path) -> Result<(), DumpError> {
    let mut entries = fs::read_dir(dir).map_err(DumpError::io("list", dir))?;
    let Some(entry) = entries.next() else { return Ok(()) };
    let name = entry.map_err(DumpError::io("list", dir))?.file_name();
    Err(DumpError::Occupied {
        dir: dir.to_path_buf(),
        problem: format!("the directory isn't empty ({} lies there); name a new one", name.to_string_lossy()),
    })
}

/// Writes the plan, or compares it with the one that the dump was begun by.
fn begin(dir: &Path, progress: &Progress, plan: &str) -> Result<(), DumpError> {
    match progress.plan()? {
        None => progress.write_plan(plan),
        Some(before) if before == plan => Ok(()),
        Some(before) => {
            let change = first_difference(&before, plan);
            Err(DumpError::PlanChanged { dir: dir.to_path_buf(), change })
        }
    }
}

/// The caller's plan, then the tables as the fingerprint describes them.
fn whole_plan(plan: &str, tables: &[TableSchema]) -> String {
    let mut whole = format!("{}\n", plan.trim_end());
    for line in tables.iter().flat_map(describe_table) {
        whole.push_str(&line.to_string());
        whole.push('\n');
    }
    whole
}

fn first_difference(before: &str, now: &str) -> String {
    let (mut before, mut now) = (before.lines(), now.lines());
    loop {
        match (before.next(), now.next()) {
            (Some(was), Some(is)) if was == is => {}
            (was, is) => {
                let shown = |line: Option<&str>| line.map_or_else(|| "nothing".to_string(), |line| format!("`{line}`"));
                return format!("it was {}, and now it is {}", shown(was), shown(is));
            }
        }
    }
}

fn write_within(dir: &Path, file: &str, bytes: &[u8]) -> Result<(), DumpError> {
    let path = dir.join(file);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(DumpError::io("create the folder", folder))?;
    }
    durable::write(&path, bytes)
}

/// Removes what an interrupted run left under an unfinished name.
fn remove_unfinished(folder: &Path) -> Result<(), DumpError> {
    for entry in fs::read_dir(folder).map_err(DumpError::io("list", folder))? {
        let path = entry.map_err(DumpError::io("list", folder))?.path();
        if path.as_os_str().to_string_lossy().ends_with(UNFINISHED_SUFFIX) {
            fs::remove_file(&path).map_err(DumpError::io("remove", &path))?;
        }
    }
    Ok(())
}

fn is_dump_file(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name == CHECKSUMS_FILE
        || [".pb.gz", ".idx", ".proto", ".binpb", UNFINISHED_SUFFIX].iter().any(|end| name.ends_with(end))
}

/// Removes a dump's files from a folder, and the folder when nothing is left in it.
fn remove_dump_files(folder: &Path) -> Result<(), DumpError> {
    let mut kept = false;
    for entry in fs::read_dir(folder).map_err(DumpError::io("list", folder))? {
        let path = entry.map_err(DumpError::io("list", folder))?.path();
        if is_dump_file(&path) && path.is_file() {
            fs::remove_file(&path).map_err(DumpError::io("remove", &path))?;
        } else {
            kept = true;
        }
    }
    match kept {
        true => Ok(()),
        false => fs::remove_dir(folder).map_err(DumpError::io("remove the folder", folder)),
    }
}
