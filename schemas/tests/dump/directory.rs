//! The directory: written, interrupted, gone on with, opened.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use etl_schemas::dump::{
    BlockBuffer, Dump, DumpError, DumpWriter, FinishedTable, KeyRange, Level, Manifest, PartSummary, RowLayout,
    SourceInfo,
};
use etl_schemas::sql_type::SqlType;
use etl_schemas::table::TableSchema;
use etl_schemas::ticks::Ticks;

use super::sample::{Row, blocks, small_row, table, types, write_part};

pub(crate) const PLAN: &str = "tables: all\nparts: by 30 rows";

pub(crate) fn source() -> SourceInfo {
    SourceInfo {
        server: "db1:1433".to_string(),
        version: "15.0.4153.1".to_string(),
        edition: "Developer".to_string(),
        database: "fi".to_string(),
        collation: "Finnish_Swedish_CI_AS".to_string(),
        consistency: "read-committed".to_string(),
        started_at: Ticks::from_timestamp(1_700_000_000, 120_000_000).unwrap(),
        finished_at: Ticks::from_timestamp(1_700_000_060, 0).unwrap(),
    }
}

pub(crate) fn tables() -> Vec<TableSchema> {
    let text = SqlType::NVarChar { length: Some(50) };
    let all: Vec<(u32, SqlType)> = types().into_iter().zip(1..).map(|(kind, id)| (id, kind)).collect();
    vec![table("Messages", &[(1, SqlType::Int), (2, SqlType::DateTime), (4, text)]), table("Types", &all)]
}

/// Rows of a part of the first table; the second table is empty.
fn rows(part: u32) -> Vec<Row> {
    (0..30).map(|row| small_row(i64::from(part * 30 + row))).collect()
}

fn range(part: u32) -> KeyRange {
    let key = |number: u32| vec![number.to_string()];
    match part {
        0 => KeyRange { after: Vec::new(), through: key(29) },
        1 => KeyRange { after: key(29), through: key(59) },
        _ => KeyRange { after: key(59), through: Vec::new() },
    }
}

fn write(writer: &DumpWriter, table: &TableSchema, part: u32, rows: &[Row]) -> PartSummary {
    let layout = Arc::new(RowLayout::new(table));
    let path = writer.part_path(&table.name, part);
    write_part(&path, &layout, &blocks(&layout, rows, 10), Level::default())
}

fn write_and_record(writer: &DumpWriter, table: &TableSchema, part: u32, rows: &[Row]) {
    let summary = write(writer, table, part, rows);
    writer.record_part(&table.name, part, range(part), summary, u64::from(part)).unwrap();
}

fn finish(writer: DumpWriter) -> Manifest {
    let finished = tables().into_iter().zip([3, 1]).map(|(table, parts)| FinishedTable {
        notes: vec![format!("{} is quiet.", table.name)],
        name: table.name,
        parts,
    });
    writer.finish(source(), &finished.collect::<Vec<_>>()).unwrap()
}

/// A whole dump of three parts and an empty one.
pub(crate) fn write_dump(dir: &Path) -> Manifest {
    let tables = tables();
    let writer = DumpWriter::create(dir, PLAN, &tables).unwrap();
    (0..3).for_each(|part| write_and_record(&writer, &tables[0], part, &rows(part)));
    write_and_record(&writer, &tables[1], 0, &[]);
    finish(writer)
}

/// All files below a folder with their content, by path.
fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(below, bytes)| (format!("{name}/{below}"), bytes)));
        } else {
            found.push((name, fs::read(path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn what_was_written_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    let written = write_dump(dir.path());
    let dump = Dump::open(dir.path()).unwrap();
    assert_eq!(*dump.manifest(), written);
    assert_eq!(dump.fingerprint(), written.fingerprint);
    assert_eq!(written.source, source());
    assert_eq!(dump.tables().iter().map(|table| table.schema.clone()).collect::<Vec<_>>(), tables());
    let messages = dump.table(&"dbo.messages".parse().unwrap()).unwrap();
    assert_eq!((messages.rows(), messages.parts.len()), (90, 3));
    assert_eq!(messages.parts[1].range, range(1));
    assert_eq!(messages.parts[2].replaced_characters, 2);
    let mut buffer = BlockBuffer::new();
    let part = messages.open_part(2).unwrap();
    part.read(2, &mut buffer).unwrap();
    assert_eq!(part.blocks()[2].zone(0).unwrap().range, Some((80, 89)));
    assert_eq!(buffer.row_count(), 10);
    let empty = dump.table(&"Types".parse().unwrap()).unwrap().open_part(0).unwrap();
    assert_eq!((empty.rows(), empty.blocks().len()), (0, 0));
}

#[test]
fn sha256sum_and_gunzip_agree() {
    let dir = tempfile::tempdir().unwrap();
    write_dump(dir.path());
    let check =
        Command::new("sha256sum").args(["--strict", "-c", "SHA256SUMS"]).current_dir(dir.path()).output().unwrap();
    let shown = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(check.status.success(), "{shown}");
    assert_eq!(shown.lines().count(), files(dir.path()).len() - 1);
    let part = dir.path().join("dbo.Messages/00001.pb.gz");
    let stream = Command::new("gzip").arg("-dc").arg(&part).output().unwrap();
    assert!(stream.status.success(), "{}", String::from_utf8_lossy(&stream.stderr));
    assert_eq!(stream.stdout.len() as u64, Dump::open(dir.path()).unwrap().tables()[0].parts[1].summary.content_bytes);
}

#[test]
fn an_interrupted_dump_goes_on_and_ends_like_an_undisturbed_one() {
    let (dir, undisturbed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let tables = tables();
    let writer = DumpWriter::create(dir.path(), PLAN, &tables).unwrap();
    write_and_record(&writer, &tables[0], 0, &rows(0));
    write_and_record(&writer, &tables[0], 1, &rows(1));
    // The third part was written and never recorded; a fourth file has no end.
    write(&writer, &tables[0], 2, &rows(1));
    fs::write(dir.path().join("dbo.Types/00000.pb.gz.tmp"), b"half").unwrap();
    drop(writer);
    assert!(matches!(Dump::open(dir.path()), Err(DumpError::Unfinished { .. })));
    // The second part was lost since.
    fs::remove_file(dir.path().join("dbo.Messages/00001.pb.gz")).unwrap();

    let writer = DumpWriter::create(dir.path(), PLAN, &tables).unwrap();
    let finished = |part| writer.finished_part(&tables[0].name, part).map(|record| record.info.summary.rows);
    assert_eq!([finished(0), finished(1), finished(2)], [Some(30), None, None]);
    (1..3).for_each(|part| write_and_record(&writer, &tables[0], part, &rows(part)));
    write_and_record(&writer, &tables[1], 0, &[]);
    finish(writer);
    write_dump(undisturbed.path());
    assert_eq!(files(dir.path()), files(undisturbed.path()));
}

#[test]
fn a_changed_plan_or_table_is_refused_with_what_changed_until_it_is_discarded() {
    let dir = tempfile::tempdir().unwrap();
    let mut tables = tables();
    let writer = DumpWriter::create(dir.path(), PLAN, &tables).unwrap();
    write_and_record(&writer, &tables[0], 0, &rows(0));
    drop(writer);
    let error = DumpWriter::create(dir.path(), &PLAN.replace("30", "40"), &tables).unwrap_err();
    let shown = error.to_string();
    assert!(shown.contains("it was `parts: by 30 rows`, and now it is `parts: by 40 rows`"), "{shown}");
    tables[0].columns[0].nullable = false;
    let shown = DumpWriter::create(dir.path(), PLAN, &tables).unwrap_err().to_string();
    assert!(shown.contains("\"Column 1\"") && shown.contains("--restart"), "{shown}");
    fs::write(dir.path().join("dbo.Messages/mine.txt"), b"keep").unwrap();
    DumpWriter::discard(dir.path()).unwrap();
    assert_eq!(files(dir.path()), [("dbo.Messages/mine.txt".to_string(), b"keep".to_vec())]);
    fs::remove_dir_all(dir.path().join("dbo.Messages")).unwrap();
    DumpWriter::create(dir.path(), PLAN, &tables).unwrap();
}

#[test]
fn other_peoples_directories_finished_dumps_and_running_ones_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.txt"), b"").unwrap();
    let shown = DumpWriter::create(dir.path(), PLAN, &tables()).unwrap_err().to_string();
    assert!(shown.contains("thesis.txt lies there"), "{shown}");
    assert!(matches!(Dump::open(dir.path()), Err(DumpError::NotADump { .. })));
    fs::remove_file(dir.path().join("thesis.txt")).unwrap();

    let writer = DumpWriter::create(dir.path(), PLAN, &tables()).unwrap();
    let shown = DumpWriter::create(dir.path(), PLAN, &tables()).unwrap_err().to_string();
    assert!(shown.contains("another etl is writing this dump"), "{shown}");
    assert!(DumpWriter::discard(dir.path()).is_err());
    drop(writer);

    write_dump(dir.path());
    let shown = DumpWriter::create(dir.path(), PLAN, &tables()).unwrap_err().to_string();
    assert!(shown.contains("a finished dump lies here"), "{shown}");
    assert!(DumpWriter::discard(dir.path()).is_err());
}

#[test]
fn a_dump_is_not_finished_without_all_its_parts() {
    let dir = tempfile::tempdir().unwrap();
    let tables = tables();
    let writer = DumpWriter::create(dir.path(), PLAN, &tables).unwrap();
    write_and_record(&writer, &tables[0], 0, &rows(0));
    let finished = [FinishedTable { name: tables[0].name.clone(), parts: 2, notes: Vec::new() }];
    let error = writer.finish(source(), &finished).unwrap_err();
    assert!(error.to_string().starts_with("dbo.Messages: part 1 is missing"), "{error}");
    assert!(matches!(Dump::open(dir.path()), Err(DumpError::Unfinished { .. })));
}

#[test]
fn manifests_that_cannot_be_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    write_dump(dir.path());
    let path = dir.path().join("manifest.json");
    let whole = fs::read_to_string(&path).unwrap();
    let changes = [
        ("\"major\": 1", "\"major\": 2", "this etl reads etl-dump 1"),
        ("dbo.Messages/00001.pb.gz", "../00001.pb.gz", "no path of a part"),
        ("\"folder\": \"dbo.Types\"", "\"folder\": \"/etc\"", "no folder within the dump"),
        ("\"rows\": 30", "\"rows\": 31", "don't add up"),
        ("\"type\": \"tinyint\"", "\"type\": \"cursor\"", "`cursor` is no type that a dump carries"),
        ("\"name\": \"Types\"", "\"name\": \"Messages\"", "stands there twice"),
        ("2023-11-14T22:13:20.120Z", "2023-11-34T22:13:20.120Z", "is no time in UTC"),
        ("\"field\": \"Column_1\"", "\"field\": \"x = 1; } message Y {\"", "is no name in protobuf"),
        ("\"field\": \"Column_1\"", "\"field\": \"Column_2\"", "doesn't compile"),
        ("\"id\": 2,", "\"id\": 1,", "ids have to rise"),
    ];
    for (from, to, expected) in changes {
        let changed = whole.replacen(from, to, 1);
        assert_ne!(changed, whole, "{from}");
        fs::write(&path, changed).unwrap();
        let shown = Dump::open(dir.path()).unwrap_err().to_string();
        assert!(shown.contains(expected) && shown.contains("manifest.json"), "{shown}");
    }
    for length in (0..whole.len() - 1).step_by(97) {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(matches!(Dump::open(dir.path()), Err(DumpError::Invalid { .. })), "{length}");
    }
}
