//! The ledger and the quarantine, under rows that no mapping should take, and damage that must stop a run.

use std::sync::Arc;

use etl_schemas::dump::{BlockBuffer, Cell, Part, RowLayout, RowReader};
use etl_schemas::sql_type::SqlType;
use etl_schemas::table::{TableName, TableSchema};
use etl_schemas::ticks::Ticks;
use etl_transform::{RunOptions, TransformError, quarantine_schema};

use crate::sample::{Data, Table, at, catalog, compile, dump, project, run, table, text};

const EVENTS: &str = "message Said { string body = 1; int32 size = 2; optional google.protobuf.Timestamp read_at = 3; } \
                      message Counted { int32 number = 1; }";
const SQL: &str = "\
INSERT INTO Said SELECT m.SentAt AS occurred_at, m.Code AS key, concat('m/', m.Code) AS stream, m.Body AS body,
  m.Size AS size, m.ReadAt AS read_at FROM M m WHERE m.Code <> 'skip';
INSERT INTO Counted SELECT m.SentAt AS occurred_at, m.Id AS key, 'c' AS stream, m.Id AS number FROM M m
  WHERE m.Code = 'both';";

fn schema() -> TableSchema {
    table(
        "M",
        &[
            ("Id", SqlType::Int),
            ("Code", SqlType::VarChar { length: Some(20) }),
            ("SentAt", SqlType::DateTime2 { scale: 7 }),
            ("ReadAt", SqlType::DateTime2 { scale: 7 }),
            ("Body", SqlType::NVarChar { length: None }),
            ("Size", SqlType::BigInt),
        ],
        Some("Id"),
    )
}

fn row(id: i64, code: &str, sent: Data, body: Data, size: Data) -> Vec<Data> {
    vec![Data::Int(id), text(code), sent, Data::Null, body, size]
}

fn noon(day: u32) -> Data {
    Data::Time(at(2014, 5, day, 12, 0))
}

struct Rejected {
    key: String,
    mapping: String,
    reason: String,
    row: i64,
}

fn quarantined(work: &std::path::Path, table: &str) -> Vec<Rejected> {
    let layout = Arc::new(RowLayout::new(&quarantine_schema()));
    let path = work.join("quarantine").join(format!("{table}.pb.gz"));
    let part = Part::open(&path, Arc::clone(&layout)).unwrap();
    let reader = RowReader::all(&layout);
    let (mut buffer, mut found) = (BlockBuffer::new(), Vec::new());
    for block in 0..part.blocks().len() {
        part.read(block, &mut buffer).unwrap();
        for bytes in buffer.rows() {
            let mut cells = Vec::new();
            reader.read(bytes, &mut cells).unwrap();
            let [
                _,
                Cell::Text(key),
                Cell::Text(mapping),
                Cell::Text(reason),
                _,
                _,
                Cell::Integer(row),
                Cell::Bytes(bytes),
            ] = cells[..]
            else {
                panic!("{cells:?}")
            };
            assert!(!bytes.is_empty());
            let (key, mapping, reason) = (key.to_string(), mapping.to_string(), reason.to_string());
            found.push(Rejected { key, mapping, reason, row });
        }
    }
    found
}

#[test]
fn hostile_rows_lie_in_quarantine_with_their_reasons() {
    let folder = tempfile::tempdir().unwrap();
    let rows = vec![
        row(1, "good", noon(1), text("hello"), Data::Int(5)),
        row(2, "nul", noon(2), text("a\0b"), Data::Int(5)),
        row(3, "null", noon(2), Data::Null, Data::Int(5)),
        row(4, "timeless", Data::Null, text("x"), Data::Int(5)),
        row(5, "range", noon(3), text("x"), Data::Int(3_000_000_000)),
        row(6, "skip", noon(3), text("x"), Data::Int(1)),
        row(7, "year1", Data::Time(Ticks::MIN), text("x"), Data::Int(1)),
        row(8, "twice", noon(4), text("first"), Data::Int(1)),
        row(9, "twice", noon(4), text("second"), Data::Int(1)),
        row(10, "both", noon(5), text("x"), Data::Int(1)),
        row(11, "both", noon(6), Data::Null, Data::Int(1)),
        row(12, "nul\0", noon(6), text("x"), Data::Int(1)),
        row(13, "far", Data::Time(Ticks::MAX), text("x"), Data::Int(1)),
    ];
    let spare = table("Spare", &[("Id", SqlType::Int)], Some("Id"));
    let tables = [Table::new(schema(), rows).cut(4, 2), Table::new(spare.clone(), vec![vec![Data::Int(1)]])];
    let dump = dump(&folder.path().join("dump"), &tables);
    let project = project(folder.path());
    let program = compile(&project, &[schema(), spare], &catalog(&project, EVENTS), SQL).unwrap();
    for threads in [1, 4] {
        let work = folder.path().join(format!("work{threads}"));
        let options = RunOptions { threads, ..RunOptions::new(&work) };
        let (seen, ledger) = run(&program, &dump, &options).unwrap();
        assert!(ledger.adds_up(), "{ledger:?}");
        assert_eq!(seen.len(), 6);
        let table = &ledger.tables[0];
        let counts = (table.rows_read, table.rows_with_events, table.rows_filtered, table.rows_quarantined);
        assert_eq!(counts, (13, 4, 1, 8));
        assert_eq!((ledger.mappings[0].events, ledger.mappings[0].duplicates), (4, 1));
        assert_eq!((ledger.mappings[1].events, ledger.mappings[0].rejected), (2, 8));
        assert_eq!(ledger.unread, [(TableName::new("dbo", "Spare"), 1)]);
        let mut rejected = quarantined(&work, "dbo.M");
        rejected.sort_by_key(|rejected| rejected.key.len() * 100 + rejected.row as usize);
        let reasons: Vec<(&str, &str)> =
            rejected.iter().map(|rejected| (rejected.key.as_str(), rejected.reason.as_str())).collect();
        let reason = |key: &str| reasons.iter().find(|(known, _)| *known == key).map_or("", |(_, reason)| *reason);
        assert_eq!(reasons.len(), 8);
        assert_eq!(reason("Id=2"), "body holds a NUL character, which Postgres can't store in text");
        assert_eq!(reason("Id=3"), "body is NULL");
        assert_eq!(reason("Id=4"), "occurred_at is NULL");
        assert_eq!(reason("Id=5"), "size: 3000000000 is out of range of int32");
        assert!(reason("Id=7").contains("leaves the years 0001 to 9999"), "{}", reason("Id=7"));
        assert!(reason("Id=9").contains("duplicate: key twice"), "{}", reason("Id=9"));
        assert!(reason("Id=9").contains("dbo.M/00000.pb.gz, block 1, row 3"), "{}", reason("Id=9"));
        assert_eq!(reason("Id=11"), "body is NULL");
        assert_eq!(reason("Id=12"), "key holds a NUL character, which Postgres can't store in text");
        assert!(rejected.iter().all(|rejected| rejected.mapping == "mappings/test.sql:1 Said"));
    }
}

/// Our own writer can't make such text, but the format is open to others.
#[test]
fn text_that_is_no_utf8_lies_in_quarantine() {
    let folder = tempfile::tempdir().unwrap();
    let columns = |body| {
        let others = [("Id", SqlType::Int), ("At", SqlType::DateTime), ("Body", body)];
        table("M", &others, Some("Id"))
    };
    let schema = columns(SqlType::NVarChar { length: None });
    let row = |id: i64, body: &[u8]| vec![Data::Int(id), noon(1), Data::Bytes(body.to_vec())];
    let rows = vec![row(1, b"good"), row(2, b"\xc3\x28"), row(3, b"\xed\xa0\x80"), row(4, "så".as_bytes())];
    let foreign = Table {
        written_as: Some(columns(SqlType::VarBinary { length: None })),
        ..Table::new(schema.clone(), rows).cut(2, 9)
    };
    let dump = dump(&folder.path().join("dump"), &[foreign]);
    let project = project(folder.path());
    let sql = "INSERT INTO Said SELECT m.At AS occurred_at, m.Id AS key, 's' AS stream, m.Body AS body FROM M m";
    let program = compile(&project, &[schema], &catalog(&project, "message Said { string body = 1; }"), sql).unwrap();
    let work = folder.path().join("work");
    let (seen, ledger) = run(&program, &dump, &RunOptions::new(&work)).unwrap();
    assert!(ledger.adds_up(), "{ledger:?}");
    assert_eq!((seen.len(), ledger.tables[0].rows_quarantined), (2, 2));
    let rejected = quarantined(&work, "dbo.M");
    let keys: Vec<&str> = rejected.iter().map(|rejected| rejected.key.as_str()).collect();
    assert_eq!(keys, ["Id=2", "Id=3"]);
    assert!(rejected.iter().all(|one| one.reason.contains("column Body") && one.reason.contains("UTF-8")));
}

#[test]
fn too_many_rejects_stop_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let rows = (0..100).map(|id| row(id, "x", Data::Null, text("x"), Data::Int(1))).collect();
    let dump = dump(&folder.path().join("dump"), &[Table::new(schema(), rows)]);
    let project = project(folder.path());
    let program = compile(&project, &[schema()], &catalog(&project, EVENTS), SQL).unwrap();
    let options = RunOptions { max_rejects: Some(5), ..RunOptions::new(folder.path().join("work")) };
    let error = run(&program, &dump, &options).unwrap_err();
    assert!(matches!(error, TransformError::TooManyRejects { rejects: 6, max_rejects: 5, .. }), "{error}");
    assert_eq!(quarantined(&folder.path().join("work"), "dbo.M").len(), 6);
}

#[test]
fn a_flipped_byte_stops_the_run_and_names_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let body = "some text that is long enough".repeat(20);
    let rows = (0..2000).map(|id| row(id, "x", noon(1), text(&format!("{body}{id}")), Data::Int(1))).collect();
    let dump_folder = folder.path().join("dump");
    let dump = dump(&dump_folder, &[Table::new(schema(), rows).cut(100, 100)]);
    let part = dump_folder.join("dbo.M/00000.pb.gz");
    let mut bytes = std::fs::read(&part).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(&part, bytes).unwrap();
    let project = project(folder.path());
    let program = compile(&project, &[schema()], &catalog(&project, EVENTS), SQL).unwrap();
    let error = run(&program, &dump, &RunOptions::new(folder.path().join("work"))).unwrap_err();
    let shown = error.to_string();
    assert!(shown.contains("00000.pb.gz") && shown.contains("block"), "{shown}");
}

#[test]
fn a_dump_of_other_columns_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let other = table("M", &[("Id", SqlType::Int), ("Code", SqlType::Text)], Some("Id"));
    let dump = dump(&folder.path().join("dump"), &[Table::new(other, vec![vec![Data::Int(1), text("x")]])]);
    let project = project(folder.path());
    let program = compile(&project, &[schema()], &catalog(&project, EVENTS), SQL).unwrap();
    let error = run(&program, &dump, &RunOptions::new(folder.path().join("work"))).unwrap_err();
    assert!(error.to_string().contains("other columns"), "{error}");
}

const LOOSE: &str = "\
INSERT INTO Counted SELECT m.SentAt AS occurred_at, m.Size AS key, 'c' AS stream, m.Id AS number FROM M m;
INSERT INTO Said SELECT m.SentAt AS occurred_at, m.Code AS key, 's' AS stream, m.Body AS body, m.Id AS size FROM M m;";

/// `(Code, Size)` of each row; both are keys of events by [`LOOSE`], at another time in each row.
fn run_loose(rows: &[(&str, i64)], memory_bytes: usize) -> Result<usize, String> {
    let folder = tempfile::tempdir().unwrap();
    let rows = rows.iter().zip(1..).map(|((code, size), id)| {
        let time = Ticks(at(2014, 5, 1, 12, 0).0 + id * 1_000);
        row(id, code, Data::Time(time), text("x"), Data::Int(*size))
    });
    let dump = dump(&folder.path().join("dump"), &[Table::new(schema(), rows.collect()).cut(4, 2)]);
    let project = project(folder.path());
    let program = compile(&project, &[schema()], &catalog(&project, EVENTS), LOOSE).unwrap();
    let options = RunOptions { threads: 2, memory_bytes, ..RunOptions::new(folder.path().join("work")) };
    match run(&program, &dump, &options) {
        Ok((seen, _)) => Ok(seen.len()),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn a_key_that_comes_back_at_another_time_is_named_with_both_its_rows() {
    // In one block, in two blocks whose zones overlap, and as text, which no zone map knows.
    let rising: Vec<(String, i64)> = (0..40).map(|number| (format!("code {number}"), number)).collect();
    let with = |changes: &[(usize, &str, i64)]| {
        let mut rows: Vec<(&str, i64)> = rising.iter().map(|(code, size)| (code.as_str(), *size)).collect();
        for (place, code, size) in changes {
            rows[*place] = (code, *size);
        }
        run_loose(&rows, 64 << 20)
    };
    assert_eq!(with(&[]), Ok(80));
    assert_eq!(with(&[(3, "code 3", 1_000), (30, "code 30", -5)]), Ok(80), "keys in any order are fine");
    for (changes, event, first, second) in [
        (&[(10, "code 10", 9)][..], "Counted", "block 0, row 1", "block 0, row 2"),
        (&[(30, "code 30", 2)], "Counted", "00000.pb.gz, block 0, row 2", "00003.pb.gz, block 1, row 2"),
        (&[(17, "code 39", 17)], "Said", "00002.pb.gz, block 0, row 1", "00004.pb.gz, block 1, row 3"),
    ] {
        let error = with(changes).unwrap_err();
        assert!(error.contains(&format!("two events {event} have the same key at different times")), "{error}");
        assert!(error.find(first) < error.find(second) && error.contains(first), "{error}");
    }
}
