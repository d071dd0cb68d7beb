//! The rows that expressions are evaluated for: an ordinary one, one of NULLs, the ends of every range, and an odd one.

use etl_schemas::sql_type::SqlType;
use etl_schemas::table::TableSchema;
use etl_schemas::ticks::{PER_SECOND, Ticks};
use etl_transform::{RunOptions, TransformError};

use super::Answer;
use crate::sample::{Data, Table, at, catalog, compile, dump, project, run, table, text};

/// Columns with their types in SQL Server and in Postgres.
fn columns() -> [(&'static str, SqlType, &'static str); 14] {
    [
        ("id", SqlType::Int, "bigint"),
        ("a", SqlType::BigInt, "bigint"),
        ("b", SqlType::BigInt, "bigint"),
        ("flag", SqlType::Bit, "boolean"),
        ("price", SqlType::Decimal { precision: 38, scale: 4 }, "numeric(38,4)"),
        ("ratio", SqlType::Float, "double precision"),
        ("name", SqlType::NVarChar { length: None }, "text"),
        ("other", SqlType::NVarChar { length: None }, "text"),
        ("day", SqlType::Date, "date"),
        ("clock", SqlType::Time { scale: 6 }, "time"),
        ("wall", SqlType::DateTime2 { scale: 6 }, "timestamp"),
        ("moment", SqlType::DateTimeOffset { scale: 6 }, "timestamptz"),
        ("guid", SqlType::UniqueIdentifier, "uuid"),
        ("bytes", SqlType::VarBinary { length: None }, "bytea"),
    ]
}

/// Microseconds after a minute, which is as fine as Postgres' clock is.
fn micros(minute: Ticks, micros: i64) -> Ticks {
    Ticks(minute.0 + micros * 10)
}

fn rows() -> Vec<Vec<Data>> {
    let day = |time: Ticks| Data::Int(i64::from(time.to_days().0));
    let clock = |micros: i64| Data::Int(micros * 1_000);
    let largest = "9999999999999999999999999999999999.9999";
    let last = Ticks(Ticks::MAX.0 / 10 * 10);
    vec![
        vec![
            Data::Int(1),
            Data::Int(7),
            Data::Int(2),
            Data::Bool(true),
            text("12.5000"),
            Data::Double(0.25),
            text("  Åsa Öberg "),
            text("Öb"),
            day(at(2014, 7, 1, 0, 0)),
            clock(45_000_123_000),
            Data::Time(micros(at(2014, 3, 1, 12, 30), 123_456)),
            Data::Offset(at(2014, 10, 25, 22, 30), 120),
            Data::Bytes((0..16).collect()),
            Data::Bytes(vec![0, 255, 16]),
        ],
        [Data::Int(2)].into_iter().chain(std::iter::repeat_n(Data::Null, 13)).collect(),
        vec![
            Data::Int(3),
            Data::Int(i64::MIN),
            Data::Int(-1),
            Data::Bool(false),
            text(&format!("-{largest}")),
            Data::Double(f64::MIN),
            text(""),
            text(""),
            day(Ticks::MIN),
            clock(0),
            Data::Time(Ticks::MIN),
            Data::Offset(Ticks::MIN, 0),
            Data::Bytes(vec![0; 16]),
            Data::Bytes(Vec::new()),
        ],
        vec![
            Data::Int(4),
            Data::Int(i64::MAX),
            Data::Int(0),
            Data::Bool(true),
            text(largest),
            Data::Double(f64::MAX),
            text("Straße 😀 50%_x\\\ny"),
            text("%a%"),
            day(Ticks::MAX),
            clock(86_399_999_999),
            Data::Time(last),
            Data::Offset(last, 0),
            Data::Bytes(vec![255; 16]),
            Data::Bytes((0..=255).collect()),
        ],
        vec![
            Data::Int(5),
            Data::Int(0),
            Data::Int(-3),
            Data::Bool(false),
            text("-0.0001"),
            Data::Double(-1e-9),
            text("a.b.c"),
            text("."),
            day(at(2024, 2, 29, 0, 0)),
            clock(1),
            Data::Time(at(2024, 3, 31, 2, 30)),
            Data::Offset(Ticks(-PER_SECOND / 2), -330),
            Data::Bytes((0..16).rev().collect()),
            Data::Bytes(b"a.b.c".to_vec()),
        ],
    ]
}

/// The rows as statements that make them in Postgres.
pub(super) fn as_sql() -> String {
    let declared: Vec<String> = columns().iter().map(|(name, _, theirs)| format!("{name} {theirs}")).collect();
    let rows: Vec<String> =
        rows().iter().map(|row| format!("({})", row.iter().map(literal).collect::<Vec<_>>().join(", "))).collect();
    // Dates and times of a day are numbers in a dump.
    let columns: Vec<String> = columns()
        .iter()
        .map(|(name, _, theirs)| match *theirs {
            "date" => format!("DATE '1970-01-01' + {name}::int"),
            "time" => format!("TIME '00:00' + {name}::bigint / 1000 * INTERVAL '1 microsecond'"),
            _ => format!("{name}::{theirs}"),
        })
        .collect();
    let names: Vec<&str> = self::columns().iter().map(|(name, ..)| *name).collect();
    format!(
        "CREATE TEMPORARY TABLE t ({}); INSERT INTO t SELECT {} FROM (VALUES {}) AS v({})",
        declared.join(", "),
        columns.join(", "),
        rows.join(", "),
        names.join(", ")
    )
}

fn literal(data: &Data) -> String {
    match data {
        Data::Null => "NULL".to_string(),
        Data::Bool(value) => format!("'{value}'"),
        Data::Int(value) => format!("'{value}'"),
        Data::Double(value) => format!("'{value:e}'"),
        Data::Text(value) => format!("'{}'", value.replace('\'', "''")),
        Data::Bytes(bytes) if bytes.len() == 16 => format!("'{}'", hex(bytes)),
        Data::Bytes(bytes) => format!("'\\x{}'", hex(bytes)),
        Data::Time(time) => format!("'{time}'"),
        Data::Offset(utc, _) => format!("'{utc}Z'"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn schema() -> TableSchema {
    let columns: Vec<(&str, SqlType)> = columns().into_iter().map(|(name, ours, _)| (name, ours)).collect();
    table("T", &columns, Some("id"))
}

/// A mapping per expression, so that one that fails takes no other with it.
fn mappings(expressions: &[&str]) -> (String, String) {
    let events =
        (0..expressions.len()).map(|place| format!("message E{place} {{ optional string v = 1; }}\n")).collect();
    let mapping = |(place, expression): (usize, &&str)| {
        format!(
            "INSERT INTO E{place} SELECT TIMESTAMP '2000-01-01' AT TIME ZONE 'UTC' AS occurred_at, t.id AS key, \
             's' AS stream, CAST({expression} AS text) AS v FROM T t;\n"
        )
    };
    (events, expressions.iter().enumerate().map(mapping).collect())
}

/// Whether a mapping with the expression compiles.
pub(super) fn compiles(expression: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path());
    let (events, sql) = mappings(&[expression]);
    match compile(&project, &[schema()], &catalog(&project, &events), &sql) {
        Ok(_) => true,
        Err(TransformError::Invalid(_)) => false,
        Err(other) => panic!("{expression}: {other}"),
    }
}

/// The answers of each expression, row by row, through a dump and a run.
pub(super) fn evaluate(expressions: &[&str]) -> Vec<Vec<Answer>> {
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path());
    let (events, sql) = mappings(expressions);
    let rows = rows();
    let count = rows.len();
    let dump = dump(&folder.path().join("dump"), &[Table::new(schema(), rows)]);
    let program =
        compile(&project, &[schema()], &catalog(&project, &events), &sql).unwrap_or_else(|error| panic!("{error}"));
    let (seen, ledger) = run(&program, &dump, &RunOptions::new(folder.path().join("work"))).unwrap();
    assert!(ledger.adds_up());
    let mut answers = vec![vec![Answer::Refused("the row is in quarantine".to_string()); count]; expressions.len()];
    for event in seen {
        // The first of equal keys' bytes is the tag; keys are the rows' ids.
        let row = usize::from(*event.key_bytes.last().unwrap()) - 1;
        let mut reader = etl_schemas::wire::WireReader::new(&event.body);
        answers[usize::from(event.rank)][row] = match reader.field().unwrap() {
            None => Answer::Null,
            Some((_, etl_schemas::wire::WireValue::Bytes(bytes))) => {
                Answer::Text(String::from_utf8(bytes.to_vec()).unwrap())
            }
            Some(other) => panic!("a string field, not {other:?}"),
        };
    }
    answers
}
