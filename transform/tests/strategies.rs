//! Lookups, and what the plan says of a mapping.

use std::sync::Arc;

use etl_schemas::sql_type::SqlType;
use etl_transform::{RunOptions, Strategy, TransformError, plan};

use crate::sample::{Data, Table, at, catalog, compile, dump, project, run, table, text};

const EVENTS: &str = "message Said { string who = 1; optional string town = 2; }";

fn tables() -> [Table; 3] {
    let people = table(
        "People",
        &[
            ("Id", SqlType::Int),
            ("Name", SqlType::NVarChar { length: None }),
            ("TownCode", SqlType::Char { length: 2 }),
        ],
        Some("Id"),
    );
    let towns = table("Towns", &[("Code", SqlType::Char { length: 2 }), ("Name", SqlType::NText)], Some("Code"));
    let said = table("Said", &[("Id", SqlType::Int), ("Who", SqlType::Int), ("At", SqlType::DateTime)], Some("Id"));
    let people_rows = vec![
        vec![Data::Int(1), text("Åsa"), text("GB")],
        vec![Data::Int(2), text("Bo"), Data::Null],
        vec![Data::Int(3), Data::Null, text("XX")],
    ];
    let town_rows = vec![vec![text("GB"), text("Göteborg")], vec![text("ST"), text("Stockholm")]];
    let said_rows = [Some(1), Some(2), Some(3), Some(4), None].iter().enumerate().map(|(id, who)| {
        vec![Data::Int(id as i64), who.map_or(Data::Null, Data::Int), Data::Time(at(2014, 1, 1 + id as u32, 0, 0))]
    });
    [
        Table::new(people, people_rows).cut(2, 1),
        Table::new(towns, town_rows),
        Table::new(said, said_rows.collect()).cut(2, 2),
    ]
}

fn joined(join: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let tables = tables();
    let dump = dump(&folder.path().join("dump"), &tables);
    let project = project(folder.path());
    let schemas: Vec<_> = tables.iter().map(|table| table.schema.clone()).collect();
    let sql = format!(
        "INSERT INTO Said SELECT s.At AS occurred_at, s.Id AS key, 's' AS stream, t.Name AS town,
         coalesce(p.Name, '?') AS who FROM Said s {join}"
    );
    let program =
        compile(&project, &schemas, &catalog(&project, EVENTS), &sql).unwrap_or_else(|error| panic!("{error}"));
    let (seen, ledger) = run(&program, &dump, &RunOptions::new(folder.path().join("work"))).unwrap();
    assert!(ledger.adds_up());
    assert_eq!(ledger.lookups.len(), 2);
    seen.iter().map(|event| String::from_utf8_lossy(&event.body).into_owned()).collect()
}

#[test]
fn left_joins_keep_rows_and_inner_joins_filter_them() {
    let kept = joined("LEFT JOIN People p ON p.Id = s.Who LEFT JOIN Towns t ON p.TownCode = t.Code");
    assert_eq!(kept, ["\n\u{4}Åsa\u{12}\tGöteborg", "\n\u{2}Bo", "\n\u{1}?", "\n\u{1}?", "\n\u{1}?"]);
    let kept = joined("JOIN People p ON s.Who = p.Id LEFT JOIN Towns t ON t.Code = p.TownCode");
    assert_eq!(kept.len(), 3);
    let kept = joined("LEFT JOIN People p ON (p.Id = s.Who) INNER JOIN Towns t ON t.Code = p.TownCode");
    assert_eq!(kept, ["\n\u{4}Åsa\u{12}\tGöteborg"]);
}

#[test]
fn a_table_may_be_joined_with_itself() {
    let kept = joined(
        "JOIN People p ON p.Id = s.Who LEFT JOIN People q ON q.Id = p.Id LEFT JOIN Towns t ON t.Code = q.TownCode \
         WHERE q.Name = 'Åsa'",
    );
    assert_eq!(kept, ["\n\u{4}Åsa\u{12}\tGöteborg"]);
}

#[test]
fn a_lookup_past_the_memory_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut tables = tables();
    tables[0].rows = (0..2000).map(|id| vec![Data::Int(id), text(&"x".repeat(1000)), Data::Null]).collect();
    tables[0].rows_per_block = 100;
    let dump = dump(&folder.path().join("dump"), &tables);
    let project = project(folder.path());
    let schemas: Vec<_> = tables.iter().map(|table| table.schema.clone()).collect();
    let sql = "INSERT INTO Said SELECT s.At AS occurred_at, s.Id AS key, 's' AS stream, p.Name AS who FROM Said s
               JOIN People p ON p.Id = s.Who";
    let program = compile(&project, &schemas, &catalog(&project, EVENTS), sql).unwrap();
    let options = RunOptions { memory_bytes: 1 << 20, ..RunOptions::new(folder.path().join("work")) };
    let Err(error) = etl_transform::run(&program, &dump, &options) else { panic!("the lookup is too large") };
    assert!(matches!(&error, TransformError::LookupTooLarge { table, .. } if table == "dbo.People"), "{error}");
}

#[test]
fn a_lookup_with_a_key_twice_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut tables = tables();
    tables[1].rows.push(vec![text("GB"), text("Gbg")]);
    let dump = dump(&folder.path().join("dump"), &tables);
    let project = project(folder.path());
    let schemas: Vec<_> = tables.iter().map(|table| table.schema.clone()).collect();
    let sql = "INSERT INTO Said SELECT s.At AS occurred_at, s.Id AS key, 's' AS stream, t.Name AS who FROM Said s
               JOIN Towns t ON t.Code = 'GB'";
    let program = compile(&project, &schemas, &catalog(&project, EVENTS), sql).unwrap();
    let Err(error) = etl_transform::run(&program, &dump, &RunOptions::new(folder.path().join("work"))) else {
        panic!("the key is there twice")
    };
    assert!(error.to_string().contains("block 0, row 2: lookup dbo.Towns"), "{error}");
}

/// The strategy for a table whose rows have these times in minutes, ten rows a block.
fn strategy(occurred_at: &str, minutes: impl Iterator<Item = i64>) -> Strategy {
    let folder = tempfile::tempdir().unwrap();
    let schema = table("T", &[("Id", SqlType::Int), ("At", SqlType::DateTime)], Some("Id"));
    let rows = minutes.enumerate().map(|(id, minutes)| {
        vec![
            Data::Int(id as i64),
            Data::Time(etl_schemas::ticks::Ticks(at(2014, 1, 1, 0, 0).0 + minutes * 600_000_000)),
        ]
    });
    let dump = dump(&folder.path().join("dump"), &[Table::new(schema.clone(), rows.collect()).cut(10, 4)]);
    let project = project(folder.path());
    let sql = format!("INSERT INTO E SELECT {occurred_at} AS occurred_at, t.Id AS key, 's' AS stream FROM T t");
    let program = compile(&project, &[schema], &catalog(&project, "message E {}"), &sql).unwrap();
    let plans = plan(&program, &dump).unwrap();
    assert_eq!((plans[0].rows, plans[0].table.as_str()), (100, "dbo.T"));
    plans[0].strategy
}

#[test]
fn zone_maps_decide_the_strategy() {
    assert_eq!(strategy("t.At", 0..100), Strategy::InOrder);
    assert_eq!(strategy("coalesce(t.At, t.At) AT TIME ZONE 'UTC'", 0..100), Strategy::InOrder);
    assert_eq!(strategy("CAST(t.At AS date) AT TIME ZONE 'UTC'", 0..100), Strategy::Reordered { waiting_rows_max: 90 });
    let Strategy::Reordered { waiting_rows_max } = strategy("t.At", (0..100).map(|id| id + id % 7 * 3)) else {
        panic!("late rows make others wait")
    };
    assert!((10..=40).contains(&waiting_rows_max), "{waiting_rows_max}");
    assert_eq!(strategy("CAST(concat(t.At, '+01') AS timestamptz)", 0..100), Strategy::Sorted);
}

#[test]
fn the_fingerprint_follows_meaning_not_layout() {
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path());
    let schemas: Vec<_> = tables().into_iter().map(|table| table.schema).collect();
    let catalog = catalog(&project, EVENTS);
    let fingerprint = |sql: &str| compile(&project, &schemas, &catalog, sql).map(|p| p.fingerprint().to_string());
    let plain = "INSERT INTO Said SELECT s.At AS occurred_at, s.Id AS key, 's' AS stream, 'x' AS who FROM Said s";
    let same = fingerprint(plain).unwrap();
    assert_eq!(same.len(), 64);
    assert_eq!(fingerprint(&format!("-- a comment\n{}", plain.replace(", ", ",\n   "))).unwrap(), same);
    assert_ne!(fingerprint(&plain.replace("'x'", "'y'")).unwrap(), same);
    let program: Arc<_> = compile(&project, &schemas, &catalog, plain).unwrap();
    assert_eq!(program.unread_tables().len(), 2);
}
