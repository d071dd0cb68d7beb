//! Beginning at a time: the same events as in a whole run, and blocks that can't hold them stay unread.

use std::sync::Arc;

use etl_schemas::dump::Dump;
use etl_schemas::sql_type::SqlType;
use etl_schemas::ticks::{PER_SECOND, Ticks};
use etl_transform::{Program, Progress, RunOptions, Window, seek};
use proptest::prelude::*;

use crate::sample::{Data, Seen, Table, at, catalog, compile, dump, project, run, table};

const EVENTS: &str = "message Made {} message Seen {} message Ended {}";
const SQL: &str = "\
INSERT INTO Made SELECT t.At AT TIME ZONE 'Europe/Stockholm' AS occurred_at, t.Id AS key, 's' AS stream FROM T t;
INSERT INTO Seen SELECT coalesce(t.Later, t.At) AS occurred_at, t.Id AS key, 's' AS stream FROM T t WHERE t.Id % 3 = 0;
INSERT INTO Ended SELECT DATEADD(month, 1, t.Later) AS occurred_at, t.Id AS key, 's' AS stream FROM T t
  WHERE t.Later IS NOT NULL;";

struct World {
    folder: tempfile::TempDir,
    dump: Arc<Dump>,
    program: Arc<Program>,
}

/// Around the clock's change of spring 2014.
fn minute(minutes: i64) -> Ticks {
    Ticks(at(2014, 3, 29, 0, 0).0 + minutes * 60 * PER_SECOND)
}

fn world(rows: &[(i64, Option<i64>)]) -> World {
    let folder = tempfile::tempdir().unwrap();
    let columns = [("Id", SqlType::Int), ("At", SqlType::DateTime), ("Later", SqlType::DateTime2 { scale: 7 })];
    let schema = table("T", &columns, Some("Id"));
    let rows = rows.iter().enumerate().map(|(id, (made, later))| {
        let later = later.map_or(Data::Null, |later| Data::Time(minute(later)));
        vec![Data::Int(id as i64), Data::Time(minute(*made)), later]
    });
    let dump = dump(&folder.path().join("dump"), &[Table::new(schema.clone(), rows.collect()).cut(10, 7)]);
    let project = project(folder.path());
    let program = compile(&project, &[schema], &catalog(&project, EVENTS), SQL).unwrap();
    World { folder, dump, program }
}

impl World {
    fn options(&self) -> RunOptions {
        RunOptions { threads: 2, ..RunOptions::new(self.folder.path().join("work")) }
    }

    fn all(&self) -> Vec<Seen> {
        run(&self.program, &self.dump, &self.options()).unwrap().0
    }

    fn within(&self, window: Window) -> (Vec<Seen>, Progress) {
        let mut stream = seek(&self.program, &self.dump, &self.options(), window).unwrap();
        let mut seen = Vec::new();
        while let Some(batch) = stream.next_batch().unwrap() {
            assert_eq!(batch.first_position(), seen.len() as u64 + 1);
            seen.extend(batch.events().map(|event| Seen::of(&event)));
        }
        let progress = stream.progress();
        let ledger = stream.finish().unwrap();
        assert_eq!(ledger.events, seen.len() as u64);
        assert_eq!(ledger.tables[0].rows_read, progress.rows_read);
        (seen, progress)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_window_holds_the_events_of_the_whole_run_that_lie_in_it(
        rows in proptest::collection::vec((0i64..4_000, proptest::option::of(0i64..60_000)), 1..300),
        since in proptest::option::of(-100i64..110_000),
        length in proptest::option::of(0i64..3_000),
    ) {
        let world = world(&rows);
        let window = Window {
            since: since.map(minute),
            until: length.map(|length| minute(since.unwrap_or(0) + length)),
        };
        let expected: Vec<Seen> = world.all().into_iter()
            .filter(|seen| window.since.is_none_or(|since| seen.occurred_at >= since))
            .filter(|seen| window.until.is_none_or(|until| seen.occurred_at < until))
            .collect();
        prop_assert_eq!(world.within(window).0, expected);
    }
}

#[test]
fn blocks_that_can_hold_no_event_of_the_window_are_not_read() {
    let rows: Vec<(i64, Option<i64>)> = (0..5_000).map(|id| (id, None)).collect();
    let world = world(&rows);
    let (seen, progress) = world.within(Window { since: Some(minute(4_000)), until: Some(minute(4_100)) });
    assert!(seen.len() > 100, "{}", seen.len());
    // A block has ten minutes; those of a zone's offset and of both ends come on top.
    assert!((100..=300).contains(&progress.rows_read), "{progress:?}");
    assert_eq!(progress.rows_read, progress.rows_all);
    let (seen, progress) = world.within(Window { since: Some(minute(50_000)), until: None });
    assert_eq!((seen.len(), progress.rows_read), (0, 0));
}
