//! Parts and chunks change nothing: whatever the key, the dump has the same rows in the same order.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use etl_extract::extract;
use etl_extract::progress::Progress;
use etl_extract::report::Outcome;
use etl_extract::run::PartSize;
use etl_fixtures::cell::{Cell, OwnedCell};
use etl_fixtures::sqlserver::database::DatabaseWriter;
use etl_fixtures::sqlserver::definition::{DatabaseDefinition, TableDefinition};
use etl_fixtures::sqlserver::faults::{Fault, FaultKind};
use etl_fixtures::tds::Tls;
use etl_schemas::dump::Dump;
use etl_schemas::sql_type::SqlType;
use etl_schemas::table::{Column, Key, KeyKind, TableName, TableSchema};
use etl_schemas::ticks::{PER_SECOND, Ticks};

use crate::dumped::{assert_equal, assert_whole, each_row};
use crate::source::{Source, name};
use etl_schemas::project::SourceClient;

/// Rows of every table.
const ROWS: i64 = 5_000;

/// A table with a column for each type, the first `key` of them its clustered key.
fn table(table: &str, types: &[SqlType], key: usize) -> TableDefinition {
    let columns = types.iter().zip(1..).map(|(sql_type, id)| Column {
        id,
        name: format!("C{id}"),
        field: format!("C{id}"),
        sql_type: sql_type.clone(),
        nullable: false,
        collation: matches!(sql_type, SqlType::VarChar { .. } | SqlType::NVarChar { .. })
            .then(|| "Finnish_Swedish_CI_AS".to_string()),
        identity: false,
        computed: false,
    });
    let key = Key { name: format!("PK_{table}"), kind: KeyKind::Clustered, unique: true, columns: (0..key).collect() };
    let columns = columns.collect();
    TableDefinition::new(TableSchema { name: name(table), message: table.into(), columns, key: Some(key) })
}

/// Spreads 0, 1, 2, ... over all of 64 bits, each value once.
fn scattered(row: i64) -> i64 {
    (row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) as i64
}

fn guid(row: i64) -> [u8; 16] {
    let mut guid = [0; 16];
    guid[..8].copy_from_slice(&scattered(row).to_le_bytes());
    guid[8..].copy_from_slice(&scattered(row + ROWS).to_be_bytes());
    guid
}

const WORDS: [&str; 10] = ["ana", "Bo", "dag", "EVA", "ida", "Kim", "ola", "SIV", "tor", "åsa"];

/// Upper and lower case lie mixed in the collation's order.
fn word(row: i64) -> String {
    let word = format!("{}-{row:05}", WORDS[(row % 10) as usize]);
    if row % 2 == 0 { word } else { word.to_uppercase() }
}

fn definition() -> DatabaseDefinition {
    use SqlType as T;
    let text = T::NVarChar { length: Some(40) };
    let narrow = T::VarChar { length: Some(40) };
    DatabaseDefinition {
        name: "keys".into(),
        collation: "Finnish_Swedish_CI_AS".into(),
        tables: vec![
            table("Int", &[T::Int], 1),
            table("BigInt", &[T::BigInt], 1),
            table("Guid", &[T::UniqueIdentifier], 1),
            table("Text", std::slice::from_ref(&text), 1),
            table("Narrow", std::slice::from_ref(&narrow), 1),
            table("DateTime", &[T::DateTime], 1),
            table("Moment", &[T::DateTimeOffset { scale: 7 }], 1),
            table("Decimal", &[T::Decimal { precision: 30, scale: 6 }], 1),
            table("Money", &[T::Money], 1),
            table("Binary", &[T::Binary { length: 16 }], 1),
            table("Pair", &[T::Int, T::Int], 2),
            table("Triple", &[T::Date, narrow, T::BigInt], 3),
            table("OneTenant", &[T::Int, T::UniqueIdentifier], 2),
        ],
    }
}

fn fill(writer: &mut DatabaseWriter, table: &str, row: impl Fn(i64) -> Vec<OwnedCell>) {
    let mut rows = writer.table(&name(table)).unwrap();
    for number in 0..ROWS {
        let cells = row(number);
        rows.append(&cells.iter().map(OwnedCell::as_cell).collect::<Vec<_>>()).unwrap();
    }
}

fn write(writer: &mut DatabaseWriter) {
    use OwnedCell as C;
    fill(writer, "Int", |row| vec![C::Int(row * 7 - 9_000)]);
    fill(writer, "BigInt", |row| vec![C::Int(scattered(row))]);
    fill(writer, "Guid", |row| vec![C::Guid(guid(row))]);
    fill(writer, "Text", |row| vec![C::Text(word(row))]);
    fill(writer, "Narrow", |row| vec![C::Text(word(row))]);
    // A datetime has steps of 1/300 s: each row takes one.
    fill(writer, "DateTime", |row| vec![C::DateTime(Ticks((row * 10 + 1) / 3 * (PER_SECOND / 1000)))]);
    fill(writer, "Moment", |row| {
        vec![C::DateTimeOffset { utc: Ticks(scattered(row) >> 4), offset_minutes: (row % 60) as i16 }]
    });
    fill(writer, "Decimal", |row| vec![C::Decimal(i128::from(scattered(row)) * 1_000_003)]);
    fill(writer, "Money", |row| vec![C::Decimal(i128::from(scattered(row)))]);
    fill(writer, "Binary", |row| vec![C::Bytes(guid(row).to_vec())]);
    fill(writer, "Pair", |row| vec![C::Int(row / 100), C::Int(row % 100 - 50)]);
    fill(writer, "Triple", |row| {
        let day = Ticks::from_days((row / 1000) as i32, 0);
        vec![C::DateTime(day), C::Text(["x", "Ä", "b"][(row % 3) as usize].into()), C::Int(-row)]
    });
    fill(writer, "OneTenant", |row| vec![C::Int(1), C::Guid(guid(row))]);
}

fn source() -> Source {
    Source::new(&definition(), Tls::Off, write)
}

/// Every row of a dump, by table, as text.
fn rows(dir: &Path) -> Vec<(TableName, Vec<String>)> {
    assert_whole(dir);
    let dump = Dump::open(dir).unwrap();
    let read = |table: &etl_schemas::dump::DumpTable| {
        let mut rows = Vec::new();
        each_row(table, |cells| rows.push(format!("{cells:?}")));
        (table.schema.name.clone(), rows)
    };
    dump.tables().iter().map(read).collect()
}

fn parts_of_a_thousand_rows_hold_the_rows_of_one_part_in_the_same_order(client: SourceClient) {
    let source = source();
    let out = tempfile::tempdir().unwrap();
    let (one, many) = (out.path().join("one"), out.path().join("many"));
    let mut options = source.extract(client, &one);
    assert_eq!(extract(&options, &(), &AtomicBool::new(false)).unwrap().outcome, Outcome::Complete);

    (options.out, options.jobs) = (many.clone(), 2);
    options.part_size = PartSize { rows: 1000, ..PartSize::default() };
    let report = extract(&options, &(), &AtomicBool::new(false)).unwrap();
    assert_eq!(report.outcome, Outcome::Complete, "{:?}", report.failed);

    for ((table, alone), (_, cut)) in rows(&one).into_iter().zip(rows(&many)) {
        assert_eq!(alone.len() as i64, ROWS, "{table}");
        assert!(alone == cut, "{table} has other rows or another order");
    }
    let dump = Dump::open(&many).unwrap();
    for table in dump.tables() {
        let expected = if table.schema.name == name("OneTenant") { 1..=1 } else { 3..=5 };
        assert!(expected.contains(&table.parts.len()), "{}: {} parts", table.schema.name, table.parts.len());
        let largest = table.parts.iter().map(|part| part.summary.rows).max().unwrap();
        assert!(table.parts.len() == 1 || largest < ROWS as u64 / 2, "{}: {largest} rows in a part", table.schema.name);
    }
}

fn a_seek_reads_no_more_than_its_chunk(client: SourceClient) {
    let source = source();
    let out = tempfile::tempdir().unwrap();
    let mut options = source.extract(client, &out.path().join("dump"));
    options.part_size = PartSize { rows: 1000, ..PartSize::default() };
    let before = source.server.statistics();
    let report = extract(&options, &(), &AtomicBool::new(false)).unwrap();
    let after = source.server.statistics();
    let all = ROWS as u64 * definition().tables.len() as u64;
    assert_eq!(report.load.rows, all);
    // Every query also tells its number of rows; the catalog and keys come on top.
    assert!(after.rows - before.rows < all + report.load.queries + 600);
    assert!(report.load.queries > 100, "{}", report.load.queries);
}

fn a_lone_surrogate_in_a_key_costs_a_single_pass_and_no_row(client: SourceClient) {
    let text = table("Odd", &[SqlType::NVarChar { length: Some(20) }], 1);
    let definition = DatabaseDefinition { tables: vec![text], ..definition() };
    let source = Source::new(&definition, Tls::Off, |writer| {
        let mut rows = writer.table(&name("Odd")).unwrap();
        for row in 0..500u16 {
            rows.append(&[Cell::Utf16(&[u16::from(b'a'), 0xd800, 0x100 + row])]).unwrap();
        }
    });
    let out = tempfile::tempdir().unwrap();
    let report = extract(&source.extract(client, &out.path().join("dump")), &(), &AtomicBool::new(false)).unwrap();
    assert_eq!((report.outcome, report.tables[0].rows), (Outcome::Complete, 500), "{:?}", report.failed);
    assert_eq!((report.replaced_characters, report.load.retries), (500, 1));
    assert_whole(&out.path().join("dump"));
}

/// Cancels the run after some rows.
#[derive(Default)]
struct CancelSoon(AtomicBool);

impl Progress for CancelSoon {
    fn finished(&self, _table: &TableName) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn a_resumed_run_keeps_the_ranges_it_began_with(client: SourceClient) {
    let source = source();
    let out = tempfile::tempdir().unwrap();
    let (calm, halved) = (out.path().join("calm"), out.path().join("halved"));
    let mut options = source.extract(client, &calm);
    options.part_size = PartSize { rows: 1000, ..PartSize::default() };
    extract(&options, &(), &AtomicBool::new(false)).unwrap();

    options.out = halved.clone();
    let watch = CancelSoon::default();
    let report = extract(&options, &watch, &watch.0).unwrap();
    assert_eq!(report.outcome, Outcome::Cancelled);
    // Another size of parts changes nothing any more, and a deadlock within a part neither.
    options.part_size = PartSize::default();
    source.server.faults().add(Fault::new(FaultKind::Error { number: 1205, after_rows: 7 }).on(name("Pair")).times(2));
    let report = extract(&options, &(), &AtomicBool::new(false)).unwrap();
    assert_eq!((report.outcome, source.server.faults().remaining()), (Outcome::Complete, 0), "{:?}", report.failed);
    assert_equal(&calm, &halved);
}

by_each_client!(
    parts_of_a_thousand_rows_hold_the_rows_of_one_part_in_the_same_order,
    a_seek_reads_no_more_than_its_chunk,
    a_lone_surrogate_in_a_key_costs_a_single_pass_and_no_row,
    a_resumed_run_keeps_the_ranges_it_began_with,
);
