//! Rows cost no allocation on their way from blocks to events in order: decoding, lookups, conditions, texts, ids, the
//! event's bytes, merging, spilling.

#![allow(clippy::unwrap_used, reason = "what the tests build on fails a test by panicking")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use etl_fixtures::allocations::{COUNTING, Counting, alone, assert_none_per_row, per_row};
use etl_schemas::dump::Dump;
use etl_schemas::event::EventCatalog;
use etl_schemas::project::Project;
use etl_schemas::table::TableSchema;
use etl_schemas::ticks::Ticks;
use etl_transform::{Mappings, Program, RunOptions};

use sample::{Data, Table, at, text};

#[allow(dead_code, reason = "shared with the other tests")]
mod sample;

#[global_allocator]
static ALLOCATOR: &Counting = &COUNTING;

/// As many rows as a block of 1 MiB has.
const ROWS_PER_BLOCK: usize = 8_000;
const FEW: usize = 2 * ROWS_PER_BLOCK;
const MANY: usize = 5 * FEW;
/// Room for all events.
const ENOUGH: usize = 256 << 20;
/// Room for the lookup; pending events go to the disk.
const LITTLE: usize = 4 << 20;

/// What the job that speed is measured by doesn't have: every kind of text function, casts, patterns, times, decimals.
const LANGUAGE: &str = "
INSERT INTO FlirtSent
SELECT DATEADD(minute, 5, date_trunc('hour', m.SentAt)) + INTERVAL '1 day' AS occurred_at,
       concat(m.SenderId, '/', m.Id)                             AS key,
       'member/' || CAST(m.SenderId AS text)                     AS stream,
       encode(sha256(upper(replace(trim(m.Body), 'skogen', 'Skogen'))), 'base64') || lower(left(coalesce(m.Subject, ''), 3))
           || regexp_replace(m.Body, '(s\\w+)n', '<\\1>', 'g') || CAST(CAST(m.Id AS decimal(12,2)) * 1.25 AS text)
           || hex(m.RowVer) || split_part(m.Body, ' ', 2)        AS flirt_id,
       m.SenderId                                                AS sender,
       CASE WHEN m.Body LIKE '%skog%' AND coalesce(m.Subject, '') ILIKE 'hej%' THEN length(m.Body)
            ELSE coalesce(DATEDIFF(day, m.SentAt, m.ReadAt), 0) END           AS receiver,
       CAST(EXTRACT(month FROM m.SentAt) AS int) + CAST('17' || right(CAST(m.Id AS text), 1) AS int) AS kind
FROM dbo.Messages m
WHERE regexp_like(m.Body, 'sko[gj]') AND m.SenderId BETWEEN 1 AND 1000000 AND coalesce(m.Subject, 'x') <> 'y'
  AND TRY_CAST(m.Subject AS int) IS NULL;";

#[test]
fn rows_become_events_in_order_without_an_allocation_per_row() {
    let _alone = alone();
    let runs = Runs::new("transform_job", None, in_order);
    assert_none_per_row(|| runs.few.drain(ENOUGH), || runs.many.drain(ENOUGH));
}

#[test]
fn rows_of_no_order_are_merged_without_an_allocation_per_row() {
    let _alone = alone();
    let runs = Runs::new("transform_job", None, dealt_out);
    assert_none_per_row(|| runs.few.drain(ENOUGH), || runs.many.drain(ENOUGH));
}

#[test]
fn events_go_by_way_of_the_disk_without_an_allocation_per_row() {
    let _alone = alone();
    let runs = Runs::new("transform_job", None, dealt_out);
    let per_row = per_row(|| runs.few.drain(LITTLE), || runs.many.drain(LITTLE));
    // With so little memory frames are of 16 KiB, about 90 events, and each is loaded into memory of its own.
    assert!(per_row < 0.1, "each row costs {per_row:.4} allocations");
}

#[test]
fn the_language_costs_no_allocation_per_row() {
    let _alone = alone();
    let runs = Runs::new("transform_job", Some(LANGUAGE), in_order);
    assert_none_per_row(|| runs.few.drain(ENOUGH), || runs.many.drain(ENOUGH));
}

/// The same program over a small dump and over a large one.
struct Runs {
    few: Run,
    many: Run,
    _folder: tempfile::TempDir,
}

struct Run {
    program: Arc<Program>,
    dump: Arc<Dump>,
    work: PathBuf,
}

impl Runs {
    fn new(project: &str, sql: Option<&str>, second: fn(usize, usize) -> usize) -> Runs {
        let folder = tempfile::tempdir().unwrap();
        let run = |rows: usize| Run::new(project, sql, &folder.path().join(rows.to_string()), rows, second);
        Runs { few: run(FEW), many: run(MANY), _folder: folder }
    }
}

impl Run {
    fn new(project: &str, sql: Option<&str>, folder: &Path, rows: usize, second: fn(usize, usize) -> usize) -> Run {
        let dump = legacy(&folder.join("dump"), rows, second);
        let project = Project::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(project)).unwrap();
        let catalog = EventCatalog::load(&project.events_file(), project.namespace).unwrap();
        let mappings = match sql {
            Some(sql) => Mappings::from_texts([("mappings/test.sql".into(), sql.to_string())]),
            None => Mappings::load(&project).unwrap(),
        };
        let tables: Vec<TableSchema> = dump.tables().iter().map(|table| table.schema.clone()).collect();
        let program = mappings.compile(&project, &tables, &Arc::new(catalog));
        let program = Arc::new(program.unwrap_or_else(|error| panic!("{error}")));
        Run { program, dump, work: folder.join("work") }
    }

    /// Runs it to its end on two threads. Gives the rows that were read; all of them gave events.
    fn drain(&self, memory_bytes: usize) -> u64 {
        let options = RunOptions { threads: 2, memory_bytes, ..RunOptions::new(&self.work) };
        let mut stream = etl_transform::run(&self.program, &self.dump, &options).unwrap();
        let mut events = 0;
        while let Some(batch) = stream.next_batch().unwrap() {
            events += batch.len() as u64;
        }
        let progress = stream.progress();
        assert_eq!(progress.events_spilled > 0, memory_bytes == LITTLE, "events wait where they should");
        assert_eq!((progress.rejects, progress.events), (0, events));
        assert!(events >= progress.rows_read, "nearly every row gives an event or two");
        stream.finish().unwrap();
        progress.rows_read
    }
}

/// The second of a row that comes in the order of time.
fn in_order(row: usize, _rows: usize) -> usize {
    row
}

/// Every block spans the whole time of its table.
fn dealt_out(row: usize, rows: usize) -> usize {
    (row % ROWS_PER_BLOCK) * (rows / ROWS_PER_BLOCK) + row / ROWS_PER_BLOCK
}

/// The tables of the sample that the job takes, with rows of a tidier site: none of them is refused.
fn legacy(folder: &Path, rows: usize, second: fn(usize, usize) -> usize) -> Arc<Dump> {
    let tables = etl_fixtures::happypancake::definition().tables.into_iter();
    let tables = tables.filter_map(|table| {
        let row: fn(&str, i64, Ticks) -> Data = match table.schema.name.name.as_str() {
            "Members" => member,
            "Messages" => message,
            "Flirts" => flirt,
            _ => return None,
        };
        let rows = (0..rows).map(|place| {
            let time = Ticks(at(2010, 4, 1, 0, 0).0 + second(place, rows) as i64 * 10_000_000);
            let columns = table.schema.columns.iter();
            columns.map(|column| row(&column.name, place as i64 + 1, time)).collect()
        });
        let rows: Vec<Vec<Data>> = rows.collect();
        Some(Table::new(table.schema, rows).cut(ROWS_PER_BLOCK, 8))
    });
    sample::dump(folder, &tables.collect::<Vec<_>>())
}

fn member(column: &str, id: i64, time: Ticks) -> Data {
    match column {
        "Id" => Data::Int(id),
        "UserName" => Data::Text(format!(" Pancake {id} ")),
        "Gender" => Data::Int(id % 3),
        "CreatedAt" => Data::Time(time),
        _ => Data::Null,
    }
}

fn message(column: &str, id: i64, time: Ticks) -> Data {
    match column {
        "Id" => Data::Int(id),
        // Some senders have left: the lookup doesn't find them.
        "SenderId" => Data::Int(id * 7 % 20_000 + 1),
        "ReceiverId" => Data::Int(id * 11 % 20_000 + 1),
        "MessageType" => Data::Int(0),
        "Subject" if id % 3 == 0 => Data::Null,
        "Subject" => text("Hej på dig"),
        "Body" => Data::Text(format!(" Nu går vi ut i skogen och plockar {id} svampar, om du vill. ")),
        "SentAt" => Data::Time(time),
        "ReadAt" if id % 5 > 0 => Data::Time(Ticks(time.0 + 600_000_000)),
        "RowVer" => Data::Bytes(id.to_be_bytes().to_vec()),
        _ => Data::Null,
    }
}

fn flirt(column: &str, id: i64, time: Ticks) -> Data {
    match column {
        "Id" | "FromMemberId" | "ToMemberId" => Data::Int(id),
        "FlirtType" => Data::Int(id % 4 + 1),
        "SentAt" => Data::Time(time),
        "SeenAt" if id % 2 == 0 => Data::Time(Ticks(time.0 + 600_000_000)),
        _ => Data::Null,
    }
}
