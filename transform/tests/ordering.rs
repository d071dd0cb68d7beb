//! The order against a plain sort: random dumps, several threads, memory so small that everything spills.

use std::sync::Arc;

use etl_schemas::dump::Dump;
use etl_schemas::sql_type::SqlType;
use etl_schemas::ticks::{PER_SECOND, Ticks};
use etl_transform::{Program, RunOptions};
use proptest::prelude::*;

use crate::sample::{Data, Table, at, catalog, compile, dump, project, run, table, text};

const EVENTS: &str = "message Created { string note = 1; } message Touched { optional string note = 1; } \
                      message Noted { string note = 1; }";

const SQL: &str = "\
INSERT INTO Touched SELECT a.TouchedAt AT TIME ZONE 'Europe/Stockholm' AS occurred_at, a.Id AS key,
  concat('a/', a.Id) AS stream, a.Note AS note FROM A a WHERE a.TouchedAt IS NOT NULL;
INSERT INTO Created SELECT a.CreatedAt AT TIME ZONE 'Europe/Stockholm' AS occurred_at, a.Id AS key,
  concat('a/', a.Id) AS stream, COALESCE(a.Note, '') AS note FROM A a;
INSERT INTO Noted SELECT CAST(b.At AS timestamptz) AS occurred_at, b.Name AS key, 'b' AS stream, b.Name AS note
  FROM B b;";

/// What one row of `A` is: created, touched, note.
type RowA = (i64, Option<i64>, Option<String>);

struct World {
    _folder: tempfile::TempDir,
    dump: Arc<Dump>,
    program: Arc<Program>,
    work: std::path::PathBuf,
}

/// Around the clock's changes of spring and autumn 2014, in steps of a minute.
fn wall(minutes: i64) -> Ticks {
    Ticks(at(2014, 3, 30, 0, 0).0 + minutes * 60 * PER_SECOND)
}

fn world(a: &[RowA], b: &[i64], rows_per_block: usize, with_b: bool) -> World {
    let folder = tempfile::tempdir().unwrap();
    let table_a = table(
        "A",
        &[
            ("Id", SqlType::Int),
            ("CreatedAt", SqlType::DateTime),
            ("TouchedAt", SqlType::DateTime2 { scale: 7 }),
            ("Note", SqlType::NVarChar { length: None }),
        ],
        Some("Id"),
    );
    let table_b = table("B", &[("Name", SqlType::NVarChar { length: None }), ("At", SqlType::Text)], None);
    let rows_a = a.iter().enumerate().map(|(id, (created, touched, note))| {
        let touched = touched.map_or(Data::Null, |touched| Data::Time(wall(touched)));
        let note = note.as_deref().map_or(Data::Null, text);
        vec![Data::Int(id as i64), Data::Time(wall(*created)), touched, note]
    });
    let rows_b = b.iter().enumerate().map(|(number, minutes)| {
        vec![text(&format!("{}-{number}", number % 7)), text(&format!("{}Z", wall(*minutes)))]
    });
    let tables = [
        Table::new(table_a.clone(), rows_a.collect()).cut(rows_per_block, 3),
        Table::new(table_b.clone(), rows_b.collect()).cut(rows_per_block, 2),
    ];
    let dump = dump(&folder.path().join("dump"), &tables);
    let project = project(folder.path());
    let catalog = catalog(&project, EVENTS);
    let sql = if with_b { SQL } else { SQL.rsplit_once("INSERT").unwrap().0 };
    let program = compile(&project, &[table_a, table_b], &catalog, sql).unwrap_or_else(|error| panic!("{error}"));
    World { work: folder.path().join("work"), _folder: folder, dump, program }
}

impl World {
    fn options(&self, threads: usize, memory_bytes: usize) -> RunOptions {
        RunOptions { threads, memory_bytes, ..RunOptions::new(&self.work) }
    }

    /// Runs with several settings; all give the same events, in the order of a plain sort.
    fn check(&self, events: usize) {
        let (first, ledger) = run(&self.program, &self.dump, &self.options(1, 64 << 20)).unwrap();
        assert!(ledger.adds_up(), "{ledger}");
        assert_eq!(first.len(), events);
        let mut sorted = first.clone();
        sorted.sort_by(|left, right| {
            (left.occurred_at, left.rank, &left.key_bytes).cmp(&(right.occurred_at, right.rank, &right.key_bytes))
        });
        assert!(first == sorted, "the events are in order");
        for (threads, memory_bytes) in [(2, 64 << 20), (8, 0), (1, 0)] {
            let (again, ledger) = run(&self.program, &self.dump, &self.options(threads, memory_bytes)).unwrap();
            assert!(again == first, "{threads} threads and {memory_bytes} bytes give the same events");
            assert!(ledger.adds_up());
        }
        assert!(std::fs::read_dir(self.work.join("spill")).unwrap().next().is_none(), "spill files are removed");
    }
}

fn rows() -> impl Strategy<Value = Vec<RowA>> {
    let note = proptest::option::of("[a-zåäö]{0,40}");
    let row = (-200i64..200, proptest::option::of(0i64..5000), note);
    // Times that mostly rise, with rows that are late.
    proptest::collection::vec(row, 0..400).prop_map(|rows| {
        let late = |(place, (jitter, after, note)): (usize, RowA)| {
            let created = place as i64 * 3 + jitter;
            (created, after.map(|after| created + after), note)
        };
        rows.into_iter().enumerate().map(late).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_order_is_that_of_a_plain_sort(
        a in rows(),
        b in proptest::collection::vec(-3000i64..300_000, 0..200),
        rows_per_block in 1usize..50,
        with_b: bool,
    ) {
        let events = a.len() + a.iter().filter(|row| row.1.is_some()).count() + if with_b { b.len() } else { 0 };
        world(&a, &b, rows_per_block, with_b).check(events);
    }
}

/// Large enough that the least budget of a megabyte overflows many times, with a time that no zone map bounds.
#[test]
fn what_exceeds_the_memory_goes_by_way_of_the_disk() {
    let note = "x".repeat(300);
    let a: Vec<RowA> =
        (0..12_000i64).map(|id| (id * 7_919 % 100_000, Some(id * 104_729 % 300_000), Some(note.clone()))).collect();
    let b: Vec<i64> = (0..500).map(|number| number * 31 % 90_000).collect();
    let world = world(&a, &b, 500, true);
    let mut stream = etl_transform::run(&world.program, &world.dump, &world.options(2, 0)).unwrap();
    while stream.next_batch().unwrap().is_some() {}
    assert!(stream.progress().events_spilled > 10_000, "{:?}", stream.progress());
    drop(stream);
    world.check(24_500);
}

/// A single time for all rows, and more of them than a batch: only the key tells them apart.
#[test]
fn equal_times_are_ordered_by_type_and_key() {
    let a: Vec<RowA> = (0..30_000).map(|_| (0, Some(0), None)).collect();
    world(&a, &[], 700, false).check(60_000);
}

#[test]
fn a_stream_that_is_dropped_early_ends_its_threads() {
    let a: Vec<RowA> = (0..20_000).map(|id| (id, None, None)).collect();
    let world = world(&a, &[], 100, false);
    let mut stream = etl_transform::run(&world.program, &world.dump, &world.options(4, 64 << 20)).unwrap();
    assert!(stream.next_batch().unwrap().is_some());
    drop(stream);
    assert!(std::fs::read_dir(world.work.join("spill")).unwrap().next().is_none());
}

#[test]
fn batches_share_their_arenas_and_count_positions() {
    let a: Vec<RowA> = (0..50_000).map(|id| (id, Some(id + 10), None)).collect();
    let world = world(&a, &[], 5_000, false);
    let mut stream = etl_transform::run(&world.program, &world.dump, &world.options(2, 64 << 20)).unwrap();
    let (mut batches, mut last) = (0, 0);
    while let Some(batch) = stream.next_batch().unwrap() {
        assert_eq!(batch.first_position(), last + 1);
        assert!((1..=16_384).contains(&batch.len()));
        last = batch.last_position();
        batches += 1;
    }
    assert_eq!(last, 100_000);
    assert!(batches <= 100_000 / 4_096, "{batches} batches are large enough");
    assert!(stream.finish().unwrap().adds_up());
}
