//! Proves a dump whole, or says all that is wrong with it.
//!
//! In: a directory. Out: what was checked, and a [`Finding`] for each thing that isn't as it was written. Nothing is
//! taken on trust: every file's SHA-256, every block's checksums, every row by its table's schema, every count, every
//! index against one made anew, and the manifest against its own fingerprint.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use super::checksums::{self, CHECKSUMS_FILE, Checksums, sha256_of};
use super::durable;
use super::index;
use super::manifest::{self, MANIFEST_FILE, Manifest};
use super::progress::PROGRESS_FOLDER;
use super::reader::{Dump, DumpTable, read_manifest};
use super::scan::{Decoder, scan};
use super::{BlockEntry, DumpError, Part};

/// The list of checksums has about 150 bytes a file.
const CHECKSUMS_BYTES_MAX: u64 = 256 << 20;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub path: PathBuf,
    /// The block, counted from 0, when it is one block's.
    pub block: Option<usize>,
    /// What is wrong, with the file's name and the place.
    pub problem: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

/// What a verification looked at, and what it found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Tables of the manifest.
    pub tables: u64,
    /// Parts read.
    pub parts: u64,
    /// Blocks inflated and checked.
    pub blocks: u64,
    /// Rows decoded.
    pub rows: u64,
    /// Bytes of all files that were read and summed.
    pub bytes: u64,
    /// What is wrong, by path; empty for a whole dump.
    pub findings: Vec<Finding>,
}

impl VerifyReport {
    /// Whether the dump is as it was written.
    pub fn is_whole(&self) -> bool {
        self.findings.is_empty()
    }

    fn add(&mut self, other: VerifyReport) {
        self.parts += other.parts;
        self.blocks += other.blocks;
        self.rows += other.rows;
        self.bytes += other.bytes;
        self.findings.extend(other.findings);
    }

    fn find(&mut self, path: &Path, problem: impl fmt::Display) {
        let problem = format!("{}: {problem}", path.display());
        self.findings.push(Finding { path: path.to_path_buf(), block: None, problem });
    }

    /// An error names its own file, or else it is about `path`.
    fn find_error(&mut self, path: &Path, error: &DumpError) {
        let (path, block) = match error {
            DumpError::Damaged { path, block, .. } => (path.as_path(), *block),
            DumpError::Row { path, block, .. } => (path.as_path(), Some(*block)),
            DumpError::Io { path, .. } | DumpError::Invalid { path, .. } => (path.as_path(), None),
            _ => (path, None),
        };
        self.findings.push(Finding { path: path.to_path_buf(), block, problem: error.to_string() });
    }
}

/// Verifies the dump in `dir` on `threads` threads (0 for as many as there are processors). `progress` gets the bytes
/// of files as they are checked; all together are [`Manifest::bytes`] and a little more.
///
/// Fails only where there is no dump to verify: no manifest, or one that can't be read.
pub fn verify(dir: &Path, threads: usize, progress: &(dyn Fn(u64) + Sync)) -> Result<VerifyReport, DumpError> {
    let manifest = read_manifest(dir)?;
    let mut report = VerifyReport { tables: manifest.tables.len() as u64, ..VerifyReport::default() };
    check_manifest(dir, &manifest, &mut report);
    let tables = match Dump::open(dir) {
        Ok(dump) => dump.tables().to_vec(),
        Err(error) => {
            report.find_error(&dir.join(MANIFEST_FILE), &error);
            manifest.tables.iter().map(|table| DumpTable::new(dir, table)).collect()
        }
    };
    let checksums = read_checksums(dir, &mut report);
    check_listing(dir, &manifest, &checksums, &mut report)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| DumpError::io("start threads for", dir)(std::io::Error::other(error)))?;
    let parts: Vec<(&DumpTable, usize)> =
        tables.iter().flat_map(|table| (0..table.parts.len()).map(move |part| (table, part))).collect();
    let reports: Vec<VerifyReport> = pool.install(|| {
        let sums = checksums.par_iter().map(|(file, sha256)| check_sum(dir, file, sha256, progress));
        let parts = parts.par_iter().map(|(table, part)| check_part(table, *part, progress));
        sums.chain(parts).collect()
    });
    reports.into_iter().for_each(|part| report.add(part));
    report.findings.sort_by(|a, b| (&a.path, a.block, &a.problem).cmp(&(&b.path, b.block, &b.problem)));
    // A missing file is found by whoever wants to read it.
    report.findings.dedup();
    Ok(report)
}

/// What the manifest says of itself.
fn check_manifest(dir: &Path, manifest: &Manifest, report: &mut VerifyReport) {
    let path = dir.join(MANIFEST_FILE);
    let fingerprint = manifest::fingerprint(&manifest.tables);
    if fingerprint != manifest.fingerprint {
        report.find(&path, "the fingerprint isn't that of the tables and parts it names");
    } else if manifest::dump_id(&fingerprint) != manifest.id {
        report.find(&path, "the dump's id isn't that of its fingerprint");
    }
}

/// The list of checksums, empty when it can't be read.
fn read_checksums(dir: &Path, report: &mut VerifyReport) -> Checksums {
    let path = dir.join(CHECKSUMS_FILE);
    let parsed = durable::read_bounded(&path, CHECKSUMS_BYTES_MAX).and_then(|bytes| {
        let text = String::from_utf8_lossy(&bytes);
        checksums::parse(&text).map_err(|problem| DumpError::invalid(&path, problem))
    });
    parsed.unwrap_or_else(|error| {
        report.find_error(&path, &error);
        Checksums::new()
    })
}

/// Whether the list of checksums, the manifest and the files that lie there name the same files and sums.
fn check_listing(
    dir: &Path,
    manifest: &Manifest,
    checksums: &Checksums,
    report: &mut VerifyReport,
) -> Result<(), DumpError> {
    for part in manifest.tables.iter().flat_map(|table| &table.parts) {
        let index = part.file.replace(".pb.gz", ".idx");
        for (file, sha256) in [(&part.file, &part.summary.sha256), (&index, &part.summary.index_sha256)] {
            if checksums.get(file) != Some(sha256) {
                report
                    .find(&dir.join(file), format!("{CHECKSUMS_FILE} and {MANIFEST_FILE} don't give it the same sum"));
            }
        }
    }
    let mut found = BTreeSet::new();
    list(dir, "", &mut found)?;
    for file in found.iter().filter(|file| *file != CHECKSUMS_FILE && !checksums.contains_key(*file)) {
        report.find(&dir.join(file), format!("{CHECKSUMS_FILE} doesn't know this file, so it isn't the dump's"));
    }
    Ok(())
}

/// All files below `dir` by their path within it, but for what lies in `.progress`.
fn list(dir: &Path, within: &str, found: &mut BTreeSet<String>) -> Result<(), DumpError> {
    let folder = dir.join(within);
    for entry in fs::read_dir(&folder).map_err(DumpError::io("list", &folder))? {
        let entry = entry.map_err(DumpError::io("list", &folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if within.is_empty() { name.clone() } else { format!("{within}/{name}") };
        let kind = entry.file_type().map_err(DumpError::io("look at", &folder))?;
        if !kind.is_dir() {
            found.insert(path);
        } else if path != PROGRESS_FOLDER {
            list(dir, &path, found)?;
        }
    }
    Ok(())
}

fn check_sum(dir: &Path, file: &str, sha256: &str, progress: &(dyn Fn(u64) + Sync)) -> VerifyReport {
    let mut report = VerifyReport::default();
    let path = dir.join(file);
    // A part's bytes count when its blocks are read, which takes longer.
    let silent = |_| {};
    let progress = if file.ends_with(".pb.gz") { &silent } else { progress };
    match sha256_of(&path, progress) {
        Ok(found) if found == *sha256 => {}
        Ok(_) => report.find(&path, format!("its SHA-256 isn't the one in {CHECKSUMS_FILE}")),
        Err(error) => report.find_error(&path, &error),
    }
    report.bytes = fs::metadata(&path).map_or(0, |metadata| metadata.len());
    report
}

/// Reads a part as if it had no index, decodes every column of every row, and then compares the index.
fn check_part(table: &DumpTable, place: usize, progress: &(dyn Fn(u64) + Sync)) -> VerifyReport {
    let mut report = VerifyReport::default();
    let path = table.part_path(place);
    let part = match Part::open_without_index(&path, Arc::clone(table.layout())) {
        Ok(part) => part,
        Err(error) => {
            report.find_error(&path, &error);
            return report;
        }
    };
    let mut errors = Vec::new();
    let keep = |error| {
        errors.push(error);
        Ok(())
    };
    let scanned = scan(&part, &Decoder::everything(part.layout()), keep, progress);
    let blocks = scanned.unwrap_or_else(|error| {
        errors.push(error);
        Vec::new()
    });
    errors.extend(table.check_counts(place, &part).err());
    report.parts = 1;
    report.blocks = blocks.len() as u64;
    report.rows = blocks.iter().map(|block| u64::from(block.rows)).sum();
    match errors.is_empty() {
        true => check_index(&part, &blocks, &mut report),
        false => errors.iter().for_each(|error| report.find_error(&path, error)),
    }
    report
}

fn check_index(part: &Part, blocks: &[BlockEntry], report: &mut VerifyReport) {
    let path = index::index_path(part.path());
    let expected = index::encode(part.layout(), part.bytes(), blocks);
    match durable::read_bounded(&path, expected.len() as u64) {
        Ok(found) if found == expected => {}
        Ok(_) | Err(DumpError::Invalid { .. }) => {
            report.find(&path, "it isn't the index that its part gives; readers make it anew each time");
        }
        Err(error) => report.find_error(&path, &error),
    }
}
