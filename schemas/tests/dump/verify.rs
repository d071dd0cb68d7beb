//! `verify` finds every kind of damage, and only damage.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use etl_schemas::dump::{Dump, DumpError, VerifyReport, verify};

use super::directory::write_dump;

fn check(dir: &Path) -> VerifyReport {
    verify(dir, 2, &|_| {}).unwrap()
}

/// The findings, with the directory's name left out.
fn problems(dir: &Path) -> Vec<String> {
    let prefix = format!("{}/", dir.display());
    check(dir).findings.iter().map(|finding| finding.to_string().replace(&prefix, "")).collect()
}

/// Asserts that a finding begins so.
fn assert_found(dir: &Path, expected: &str) {
    let problems = problems(dir);
    assert!(problems.iter().any(|problem| problem.starts_with(expected)), "{expected} in {problems:#?}");
}

#[test]
fn a_whole_dump_is_whole_and_all_of_it_was_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = write_dump(dir.path());
    let seen = AtomicU64::new(0);
    let report = verify(dir.path(), 2, &|bytes| {
        seen.fetch_add(bytes, Ordering::Relaxed);
    })
    .unwrap();
    assert!(report.is_whole(), "{:?}", report.findings);
    assert_eq!((report.tables, report.parts, report.blocks, report.rows), (2, 4, 9, 90));
    assert!(report.bytes > manifest.bytes());
    assert_eq!(seen.into_inner(), report.bytes);
}

#[test]
fn a_flipped_byte_is_found_in_every_file() {
    let dir = tempfile::tempdir().unwrap();
    write_dump(dir.path());
    let files = [
        "dbo.Messages/00001.pb.gz",
        "dbo.Messages/00001.idx",
        "schema.proto",
        "schema.binpb",
        "etl/dump.proto",
        "SHA256SUMS",
        "manifest.json",
    ];
    for file in files {
        let path = dir.path().join(file);
        let whole = fs::read(&path).unwrap();
        for at in [0, whole.len() / 3, whole.len() / 2, whole.len() - 2] {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            fs::write(&path, &flipped).unwrap();
            // A manifest that is no JSON any more is an error, not a finding.
            match verify(dir.path(), 1, &|_| {}) {
                Ok(report) => assert!(!report.is_whole(), "{file} at {at}"),
                Err(error) => assert!(matches!(error, DumpError::Invalid { .. }) && file == "manifest.json", "{error}"),
            }
        }
        fs::write(&path, &whole).unwrap();
    }
    assert!(check(dir.path()).is_whole());
}

#[test]
fn every_damaged_block_is_named_not_only_the_first() {
    let dir = tempfile::tempdir().unwrap();
    write_dump(dir.path());
    let path = dir.path().join("dbo.Messages/00001.pb.gz");
    let dump = Dump::open(dir.path()).unwrap();
    let part = dump.tables()[0].open_part(1).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    for block in [0, 2] {
        bytes[part.blocks()[block].offset as usize + 40] ^= 0x20;
    }
    fs::write(&path, bytes).unwrap();
    let blocks: Vec<_> = check(dir.path()).findings.iter().map(|finding| finding.block).collect();
    assert_eq!(blocks, [None, Some(0), Some(2)]);
    assert_found(dir.path(), "dbo.Messages/00001.pb.gz: block 2 at byte ");
    assert_found(dir.path(), "dbo.Messages/00001.pb.gz: its SHA-256 isn't the one in SHA256SUMS");
}

#[test]
fn files_missing_too_many_exchanged_or_cut_are_found() {
    let dir = tempfile::tempdir().unwrap();
    write_dump(dir.path());
    let part = |number: u32| dir.path().join(format!("dbo.Messages/0000{number}.pb.gz"));
    let first = fs::read(part(0)).unwrap();

    fs::write(dir.path().join("dbo.Messages/00009.pb.gz"), &first).unwrap();
    assert_found(dir.path(), "dbo.Messages/00009.pb.gz: SHA256SUMS doesn't know this file");
    fs::remove_file(dir.path().join("dbo.Messages/00009.pb.gz")).unwrap();

    let second = fs::read(part(1)).unwrap();
    fs::write(part(0), &second).unwrap();
    assert_found(dir.path(), "dbo.Messages/00000.pb.gz: its SHA-256");
    fs::write(part(0), &first[..first.len() - 1]).unwrap();
    assert_found(dir.path(), "dbo.Messages/00000.pb.gz: the part at byte");
    fs::remove_file(part(0)).unwrap();
    assert_found(dir.path(), "dbo.Messages/00000.pb.gz: can't open");
    fs::write(part(0), &first).unwrap();

    fs::remove_file(dir.path().join("dbo.Messages/00000.idx")).unwrap();
    assert_found(dir.path(), "dbo.Messages/00000.idx: can't open");
    fs::remove_file(dir.path().join("SHA256SUMS")).unwrap();
    assert_found(dir.path(), "SHA256SUMS: can't open");
    fs::remove_file(dir.path().join("manifest.json")).unwrap();
    assert!(matches!(verify(dir.path(), 1, &|_| {}), Err(DumpError::NotADump { .. })));
}

#[test]
fn a_manifest_that_was_edited_is_found_by_its_fingerprint() {
    let dir = tempfile::tempdir().unwrap();
    write_dump(dir.path());
    let path = dir.path().join("manifest.json");
    let edited = fs::read_to_string(&path).unwrap().replacen("\"nullable\": true", "\"nullable\": false", 1);
    fs::write(&path, edited).unwrap();
    assert_found(dir.path(), "manifest.json: the fingerprint isn't that of the tables and parts it names");
}
