//! What one row became, told mapping by mapping.

use std::sync::Arc;

use etl_schemas::dump::Dump;
use etl_schemas::sql_type::SqlType;
use etl_schemas::table::TableName;
use etl_transform::{Explanation, Program, RowOutcome, RunOptions, explain};

use crate::sample::{Data, Table, at, catalog, compile, dump, project, run, table, text};

const EVENTS: &str = "enum Mood { MOOD_UNKNOWN = 0; MOOD_GOOD = 1; } \
                      message Said { string body = 1; int32 size = 2; Mood mood = 3; } message Named { string name = 1; }";
const SQL: &str = "\
INSERT INTO Said SELECT m.At AS occurred_at, m.Code AS key, 's' AS stream, m.Body AS body, m.Size / m.Parts AS size,
  CASE WHEN m.Size > 3 THEN 'GOOD' ELSE 'UNKNOWN' END AS mood
FROM M m WHERE m.Code <> 'skip' AND (m.Size IS NULL OR m.Size < 1000);
INSERT INTO Named SELECT m.At AS occurred_at, m.Id AS key, 's' AS stream, p.Name AS name
FROM M m JOIN P p ON p.Id = m.Who WHERE p.Name LIKE 'B%';";

struct World {
    folder: tempfile::TempDir,
    dump: Arc<Dump>,
    program: Arc<Program>,
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let columns = [
        ("Id", SqlType::Int),
        ("Code", SqlType::VarChar { length: Some(20) }),
        ("At", SqlType::DateTime),
        ("Body", SqlType::NVarChar { length: None }),
        ("Size", SqlType::Int),
        ("Parts", SqlType::Int),
        ("Who", SqlType::Int),
    ];
    let schema = table("M", &columns, Some("Id"));
    let people = table("P", &[("Id", SqlType::Int), ("Name", SqlType::NVarChar { length: None })], Some("Id"));
    let pairs = table("Pairs", &[("Left", SqlType::Int), ("Right", SqlType::Int)], None);
    let row = |id: i64, code: &str, size: i64, parts: i64, who: i64| {
        vec![
            Data::Int(id),
            text(code),
            Data::Time(at(2014, 1, 1, 0, id / 2)),
            text("hello"),
            Data::Int(size),
            Data::Int(parts),
            Data::Int(who),
        ]
    };
    let mut rows: Vec<Vec<Data>> = (0..100).map(|id| row(id, &format!("c{id}"), 4, 2, 1)).collect();
    rows[7] = row(7, "skip", 4, 2, 9);
    rows[11] = row(11, "zero", 4, 0, 2);
    rows[13] = row(13, "large", 5000, 1, 2);
    // Two rows of one time and code.
    rows[20] = row(20, "twice", 1, 1, 1);
    rows[21] = row(21, "twice", 2, 1, 1);
    let people_rows = vec![vec![Data::Int(1), text("Åsa")], vec![Data::Int(2), text("Bo")]];
    let tables = [
        Table::new(schema.clone(), rows).cut(10, 4),
        Table::new(people.clone(), people_rows),
        Table::new(pairs.clone(), vec![vec![Data::Int(1), Data::Int(2)]]),
    ];
    let dump = dump(&folder.path().join("dump"), &tables);
    let project = project(folder.path());
    let program = compile(&project, &[schema, people, pairs], &catalog(&project, EVENTS), SQL).unwrap();
    World { folder, dump, program }
}

impl World {
    fn explain(&self, table: &str, key: &str) -> Result<Explanation, String> {
        let mut found = explain(&self.program, &self.dump, &TableName::new("dbo", table), key, 1 << 20)
            .map_err(|error| error.to_string())?;
        assert_eq!(found.len(), 1);
        Ok(found.remove(0))
    }

    fn outcomes(&self, key: &str) -> [String; 2] {
        let explanation = self.explain("M", key).unwrap();
        assert_eq!(explanation.blocks_read, (1, 10), "the zone maps lead to the row's block");
        let told = |place: usize| match &explanation.mappings[place].outcome {
            RowOutcome::Event(batch) => format!("event {}", batch.event(0).key()),
            RowOutcome::Filtered(by) => format!("filtered: {by}"),
            RowOutcome::Quarantined(reason) => reason.clone(),
        };
        [told(0), told(1)]
    }
}

#[test]
fn every_outcome_names_its_cause() {
    let world = world();
    assert_eq!(world.outcomes("3"), ["event c3", "filtered: WHERE p.Name LIKE 'B%'"]);
    assert_eq!(world.outcomes("Id=7")[0], "filtered: WHERE m.Code <> 'skip'");
    assert_eq!(world.outcomes("7")[1], "filtered: JOIN dbo.P ON p.Id = m.Who");
    assert_eq!(world.outcomes("11"), ["size: division by zero", "event 11"]);
    assert_eq!(world.outcomes("13")[0], "filtered: WHERE m.Size IS NULL OR m.Size < 1000");
    let [first, _] = world.outcomes("20");
    assert_eq!(first, "event twice");
    let [second, _] = world.outcomes("21");
    assert!(
        second.starts_with("duplicate: ") && second.contains("block 2, row 0 by mappings/test.sql:1 Said"),
        "{second}"
    );
}

#[test]
fn values_stand_beside_their_expressions() {
    let explanation = world().explain("M", "@0:1:1").unwrap();
    assert_eq!(explanation.key, "Id=11");
    let said = &explanation.mappings[0];
    let value = |name: &str| {
        let found = said.values.iter().find(|value| value.name == name).unwrap();
        (found.expression.as_str(), found.value.clone())
    };
    assert_eq!(value("occurred_at"), ("m.At", Ok(Some("2013-12-31 23:05:00+00".to_string()))));
    assert_eq!(value("size"), ("m.Size / m.Parts", Err("division by zero".to_string())));
    assert_eq!(value("mood").1, Ok(Some("MOOD_GOOD".to_string())));
    assert!(said.conditions.iter().all(|condition| condition.value == Ok(Some("true".to_string()))));
    assert!(explanation.mappings[1].joins[0].1, "the lookup has the row");
    assert!(explanation.content.unwrap().contains("\"Code\":\"zero\""));
}

#[test]
fn what_cannot_be_found_says_how_to_ask() {
    let world = world();
    for (table, key, said) in [
        ("M", "1000", "dbo.M has no row 1000"),
        ("M", "seven", "`seven` is no integer"),
        ("M", "1,2", "`1,2` is no integer"),
        ("M", "@9:0:0", "has no row at @9:0:0"),
        ("M", "@1", "write @part:block:row"),
        ("Pairs", "1", "@part:block:row"),
        ("N", "1", "the dump has no table dbo.N"),
    ] {
        let error = world.explain(table, key).unwrap_err();
        assert!(error.contains(said), "{table} {key}: {error}");
    }
    assert!(world.explain("Pairs", "@0:0:0").unwrap().mappings.is_empty());
}

/// What is explained is what a run does: row for row, event for event.
#[test]
fn the_explanations_of_all_rows_are_the_run() {
    let world = world();
    let (seen, ledger) = run(&world.program, &world.dump, &RunOptions::new(world.folder.path().join("work"))).unwrap();
    let (mut events, mut quarantined) = (Vec::new(), 0);
    for id in 0..100 {
        for mapping in world.explain("M", &id.to_string()).unwrap().mappings {
            match mapping.outcome {
                RowOutcome::Event(batch) => events.push(crate::sample::Seen::of(&batch.event(0))),
                RowOutcome::Filtered(_) => {}
                RowOutcome::Quarantined(_) => quarantined += 1,
            }
        }
    }
    events.sort();
    let mut expected = seen;
    expected.sort();
    assert_eq!(events, expected);
    assert_eq!(quarantined, ledger.mappings.iter().map(|mapping| mapping.rejected).sum::<u64>());
}
