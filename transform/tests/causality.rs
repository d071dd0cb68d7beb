//! Effects before their causes: counted, or moved behind them, against a plain reckoning over the whole stream.

use std::collections::HashMap;
use std::sync::Arc;

use etl_schemas::dump::Dump;
use etl_schemas::sql_type::SqlType;
use etl_schemas::ticks::{PER_SECOND, Ticks};
use etl_transform::{Ledger, Program, RunOptions, Window, seek};
use expect_test::expect;
use proptest::prelude::*;

use crate::sample::{Data, Seen, Table, at, catalog, compile, dump, project_with, run, table};

/// Answers stand before questions, so that an answer of its question's moment has to go a step further.
const EVENTS: &str = "message Answered { int32 question = 1; int32 answer = 2; } message Asked { int32 question = 1; } \
                      message Thanked { optional int32 answer = 1; }";
const SQL: &str = "\
INSERT INTO Asked SELECT q.At AT TIME ZONE 'UTC' AS occurred_at, q.Id AS key, 'q' AS stream, q.Question AS question
  FROM Q q WHERE q.Kind = 0;
INSERT INTO Answered SELECT q.At AT TIME ZONE 'UTC' AS occurred_at, q.Code AS key, 'q' AS stream,
  q.Question AS question, q.Code AS answer FROM Q q WHERE q.Kind = 1;
INSERT INTO Thanked SELECT q.At AT TIME ZONE 'UTC' AS occurred_at, q.Id AS key, 'q' AS stream,
  NULLIF(q.Question, 0) AS answer FROM Q q WHERE q.Kind = 2;";

const COUNTED: &str = "[[after]]\neffect = \"Answered.question\"\ncause = \"Asked.question\"\n\
                       [[after]]\neffect = \"Thanked.answer\"\ncause = \"Answered.answer\"\n";

/// Kind, time in seconds, question.
type Row = (i64, i64, i64);

struct World {
    folder: tempfile::TempDir,
    dump: Arc<Dump>,
    counted: Arc<Program>,
    repaired: Arc<Program>,
}

fn second(seconds: i64) -> Ticks {
    Ticks(at(2014, 1, 1, 0, 0).0 + seconds * PER_SECOND)
}

fn world(rows: &[Row]) -> World {
    let folder = tempfile::tempdir().unwrap();
    let columns = [
        ("Id", SqlType::Int),
        ("Kind", SqlType::Int),
        ("At", SqlType::DateTime),
        ("Question", SqlType::Int),
        ("Code", SqlType::Int),
    ];
    let schema = table("Q", &columns, Some("Id"));
    // A row that repeats the one before has its code, so that its answer is a duplicate.
    let row = |(id, row): (usize, &Row)| {
        let (kind, at, question) = *row;
        let code = if id % 2 == 1 && rows[id - 1] == *row { id - 1 } else { id };
        let (id, code) = (Data::Int(id as i64), Data::Int(code as i64));
        vec![id, Data::Int(kind), Data::Time(second(at)), Data::Int(question), code]
    };
    let rows = rows.iter().enumerate().map(row).collect();
    let dump = dump(&folder.path().join("dump"), &[Table::new(schema.clone(), rows).cut(7, 3)]);
    let compiled = |more: &str| {
        let project = project_with(folder.path(), more);
        compile(&project, std::slice::from_ref(&schema), &catalog(&project, EVENTS), SQL)
            .unwrap_or_else(|error| panic!("{error}"))
    };
    let counted = compiled(COUNTED);
    let repaired = compiled(
        &COUNTED
            .replace("question\"\n[[", "question\"\nrepair = true\n[[")
            .replace("Answered.answer\"\n", "Answered.answer\"\nrepair = true\n"),
    );
    World { dump, counted, repaired, folder }
}

impl World {
    fn run(&self, program: &Arc<Program>, threads: usize, memory_bytes: usize) -> (Vec<Seen>, Ledger) {
        let options = RunOptions { threads, memory_bytes, ..RunOptions::new(self.folder.path().join("work")) };
        let (seen, ledger) = run(program, &self.dump, &options).unwrap();
        assert!(ledger.adds_up(), "{ledger:?}");
        assert!(std::fs::read_dir(self.folder.path().join("work/spill")).unwrap().next().is_none());
        (seen, ledger)
    }
}

/// The int32 fields of a body.
fn numbers(body: &[u8]) -> HashMap<u32, i64> {
    let mut reader = etl_schemas::wire::WireReader::new(body);
    let mut numbers = HashMap::new();
    while let Some((field, etl_schemas::wire::WireValue::Varint(value))) = reader.field().unwrap() {
        numbers.insert(field, value as i64);
    }
    numbers
}

/// Effects, those too early and those without a cause, by a look at every pair.
fn reckoned(seen: &[Seen], effect: (u16, u32, bool), cause: (u16, u32)) -> (u64, u64, u64) {
    let mut first: HashMap<i64, usize> = HashMap::new();
    for (place, event) in seen.iter().enumerate().filter(|(_, event)| event.rank == cause.0) {
        first.entry(numbers(&event.body).get(&cause.1).copied().unwrap_or(0)).or_insert(place);
    }
    let mut counts = (0, 0, 0);
    for (place, event) in seen.iter().enumerate().filter(|(_, event)| event.rank == effect.0) {
        let value = match numbers(&event.body).get(&effect.1) {
            Some(value) => *value,
            None if effect.2 => continue,
            None => 0,
        };
        counts.0 += 1;
        match first.get(&value) {
            None => counts.2 += 1,
            Some(cause) if *cause > place => counts.1 += 1,
            Some(_) => {}
        }
    }
    counts
}

/// Effect with its stream's field and repair, then cause.
type Declared = ((u16, u32, bool), (u16, u32));

const CONSTRAINTS: [Declared; 2] = [((0, 1, false), (1, 1)), ((2, 1, true), (0, 2))];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_counted_and_moved_is_what_a_look_at_every_pair_says(
        rows in proptest::collection::vec(((0i64..3, 0i64..500, 0i64..60), proptest::bool::weighted(0.2)), 1..200),
    ) {
        let rows: Vec<Row> = rows.into_iter().flat_map(|(row, twice)| vec![row; 1 + usize::from(twice)]).collect();
        let world = world(&rows);
        let (seen, ledger) = world.run(&world.counted, 1, 64 << 20);
        for (ledger, (effect, cause)) in ledger.causality.iter().zip(CONSTRAINTS) {
            prop_assert_eq!((ledger.effects, ledger.early, ledger.without_cause), reckoned(&seen, effect, cause));
            prop_assert_eq!(ledger.moved, 0);
        }
        let (moved, repaired) = world.run(&world.repaired, 1, 64 << 20);
        for (effect, cause) in CONSTRAINTS {
            prop_assert_eq!(reckoned(&moved, effect, cause).1, 0, "every effect stands behind its cause");
        }
        let order = |seen: &Seen| (seen.occurred_at, seen.rank, seen.key_bytes.clone());
        prop_assert!(moved.is_sorted_by(|left, right| order(left) < order(right)));
        // The same events but for their times, and none earlier than before.
        let by_key = |seen: &[Seen]| -> HashMap<(u16, Vec<u8>, Vec<u8>), Vec<Ticks>> {
            let mut times: HashMap<_, Vec<Ticks>> = HashMap::new();
            for event in seen {
                times.entry((event.rank, event.key_bytes.clone(), event.body.clone())).or_default().push(event.occurred_at);
            }
            times
        };
        let (before, after) = (by_key(&seen), by_key(&moved));
        prop_assert_eq!(before.len(), after.len());
        prop_assert!(before.iter().all(|(key, times)| after[key].iter().zip(times).all(|(after, before)| after >= before)));
        prop_assert_eq!(repaired.causality[0].moved, repaired.causality[0].early);
        for (threads, memory_bytes) in [(2, 0), (8, 64 << 20)] {
            let again = world.run(&world.repaired, threads, memory_bytes);
            prop_assert!(again == (moved.clone(), repaired.clone()), "{threads} threads, {memory_bytes} bytes");
        }
    }
}

#[test]
fn the_worst_offenders_are_named() {
    // Question 5 is asked at 400 and answered at 100 and 390; question 6 is answered and never asked.
    let world = world(&[(0, 400, 5), (0, 10, 9), (1, 390, 5), (0, 20, 8), (1, 100, 5), (0, 30, 7), (1, 50, 6)]);
    let (_, ledger) = world.run(&world.counted, 2, 64 << 20);
    let found = &ledger.causality[0];
    assert_eq!((found.effects, found.early, found.without_cause), (3, 2, 1));
    let worst: Vec<(&str, &str)> = found.worst.iter().map(|one| (one.row.as_str(), one.key.as_str())).collect();
    assert_eq!(worst, [("Id=4", "4"), ("Id=2", "2")]);
    assert_eq!((found.worst[0].effect_at, found.worst[0].cause_at), (second(100), second(400)));
    assert_eq!(found.worst[0].table.to_string(), "dbo.Q");
    let (seen, _) = world.run(&world.repaired, 2, 64 << 20);
    let answered: Vec<Ticks> = seen.iter().filter(|seen| seen.rank == 0).map(|seen| seen.occurred_at).collect();
    // An answer ranks before a question, so it comes a step later; both of them, in the order of their keys.
    assert_eq!(answered, [second(50), Ticks(second(400).0 + 1), Ticks(second(400).0 + 1)]);
}

#[test]
fn a_window_holds_moved_events_where_they_are_now() {
    let rows: Vec<Row> = (0..300).map(|id| if id % 2 == 0 { (0, 1000 + id, id) } else { (1, id, id - 1) }).collect();
    let world = world(&rows);
    let (all, _) = world.run(&world.repaired, 2, 64 << 20);
    let window = Window { since: Some(second(1100)), until: Some(second(1200)) };
    let options = RunOptions::new(world.folder.path().join("work"));
    let mut stream = seek(&world.repaired, &world.dump, &options, window).unwrap();
    let mut seen = Vec::new();
    while let Some(batch) = stream.next_batch().unwrap() {
        seen.extend(batch.events().map(|event| Seen::of(&event)));
    }
    let inside = |seen: &&Seen| seen.occurred_at >= second(1100) && seen.occurred_at < second(1200);
    assert_eq!(seen, all.iter().filter(inside).cloned().collect::<Vec<_>>());
    assert!(seen.iter().any(|seen| seen.rank == 0));
}

#[test]
fn repairs_are_part_of_the_fingerprint_and_counting_is_not() {
    let world = world(&[(0, 1, 1)]);
    let folder = tempfile::tempdir().unwrap();
    let columns = [
        ("Id", SqlType::Int),
        ("At", SqlType::DateTime),
        ("Kind", SqlType::Int),
        ("Question", SqlType::Int),
        ("Code", SqlType::Int),
    ];
    let project = project_with(folder.path(), "");
    let plain = compile(&project, &[table("Q", &columns, Some("Id"))], &catalog(&project, EVENTS), SQL).unwrap();
    assert_eq!(plain.fingerprint(), world.counted.fingerprint());
    assert_ne!(plain.fingerprint(), world.repaired.fingerprint());
}

#[test]
fn wrong_constraints_are_shown_in_their_lines() {
    let wrong = |more: &str| {
        let folder = tempfile::tempdir().unwrap();
        let project = project_with(folder.path(), more);
        let schema = table("Q", &[("Id", SqlType::Int)], Some("Id"));
        let shown = compile(&project, &[schema], &catalog(&project, EVENTS), "-- nothing").unwrap_err().to_string();
        shown.replace(&folder.path().display().to_string(), "")
    };
    expect![[r#"
        /etl.toml:8:9: Asked has no field `qestion`
          |
        8 | cause = "Asked.qestion"
          |         ^^^^^^^^^^^^^^^
          = did you mean `question`?"#]]
    .assert_eq(&wrong("[[after]]\neffect = \"Answered.question\"\ncause = \"Asked.qestion\"\n"));
    assert!(wrong("[[after]]\neffect = \"Asked.question\"\ncause = \"Asked.question\"\n").contains("its own cause"));
    let circle = "[[after]]\neffect = \"Answered.question\"\ncause = \"Asked.question\"\nrepair = true\n\
                  [[after]]\neffect = \"Asked.question\"\ncause = \"Answered.question\"\nrepair = true\n";
    assert!(wrong(circle).contains("repairs go in a circle"), "{}", wrong(circle));
    let kinds = "[[after]]\neffect = \"Answered.question\"\ncause = \"Asked.questio\"\n";
    assert!(wrong(kinds).contains("did you mean `question`?"));
}
