//! Runs that are stopped and gone on with.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use etl_extract::error::ExtractError;
use etl_extract::extract;
use etl_extract::progress::{PlannedTable, Progress};
use etl_extract::report::Outcome;
use etl_schemas::dump::{Dump, DumpError};
use etl_schemas::table::TableName;

use crate::dumped::assert_equal;
use crate::source::{LOG, MESSAGES, Source, name};
use etl_schemas::project::SourceClient;

/// Cancels the run as soon as a table is finished, and sums up what it was told.
#[derive(Default)]
struct CancelAfterFirst {
    cancelled: AtomicBool,
    planned: Mutex<Vec<PlannedTable>>,
    rows: Mutex<i64>,
    finished: Mutex<Vec<TableName>>,
}

impl Progress for CancelAfterFirst {
    fn planned(&self, tables: &[PlannedTable]) {
        *self.planned.lock().unwrap() = tables.to_vec();
    }

    fn advanced(&self, _table: &TableName, rows: u64, _bytes: u64) {
        *self.rows.lock().unwrap() += rows as i64;
    }

    fn finished(&self, table: &TableName) {
        self.finished.lock().unwrap().push(table.clone());
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

fn a_cancelled_run_keeps_what_is_finished_and_the_next_one_reads_the_rest(client: SourceClient) {
    let source = Source::shop();
    let out = tempfile::tempdir().unwrap();
    let (calm, halved) = (out.path().join("calm"), out.path().join("halved"));
    extract(&source.extract(client, &calm), &(), &AtomicBool::new(false)).unwrap();

    let watch = CancelAfterFirst::default();
    let report = extract(&source.extract(client, &halved), &watch, &watch.cancelled).unwrap();
    assert_eq!(report.outcome, Outcome::Cancelled);
    let planned: Vec<_> = watch.planned.lock().unwrap().iter().map(|table| (table.name.clone(), table.rows)).collect();
    assert_eq!(planned, [(name("Messages"), MESSAGES as u64), (name("Log"), LOG as u64)], "the largest comes first");
    assert_eq!(*watch.finished.lock().unwrap(), [name("Messages")]);
    assert_eq!(*watch.rows.lock().unwrap(), MESSAGES);
    assert!(matches!(Dump::open(&halved), Err(DumpError::Unfinished { .. })));

    let read_before = source.server.statistics().rows;
    let watch = CancelAfterFirst::default();
    let report = extract(&source.extract(client, &halved), &watch, &AtomicBool::new(false)).unwrap();
    assert_eq!((report.outcome, *watch.rows.lock().unwrap()), (Outcome::Complete, MESSAGES + LOG));
    let read_again = source.server.statistics().rows - read_before;
    assert!(read_again < MESSAGES as u64, "{read_again} rows were sent again");
    assert_equal(&calm, &halved);
}

/// Cancels the run as soon as it knows what to read.
#[derive(Default)]
struct CancelWhenPlanned(AtomicBool);

impl Progress for CancelWhenPlanned {
    fn planned(&self, _tables: &[PlannedTable]) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn a_silent_server_does_not_hold_up_a_cancelled_run(client: SourceClient) {
    let source = Source::shop();
    let out = tempfile::tempdir().unwrap();
    source.server.faults().delay(Duration::from_secs(3600), 0);
    let watch = CancelWhenPlanned::default();
    let report = extract(&source.extract(client, out.path()), &watch, &watch.0).unwrap();
    assert_eq!((report.outcome, report.tables.len()), (Outcome::Cancelled, 0));
}

fn a_run_that_is_cancelled_before_it_begins_reads_nothing(client: SourceClient) {
    let source = Source::shop();
    let out = tempfile::tempdir().unwrap();
    let report = extract(&source.extract(client, out.path()), &(), &AtomicBool::new(true)).unwrap();
    assert_eq!((report.outcome, report.tables.len()), (Outcome::Cancelled, 0));
    assert_eq!(out.path().read_dir().unwrap().count(), 0);
}

fn another_selection_is_another_plan_unless_it_begins_anew(client: SourceClient) {
    let source = Source::shop();
    let out = tempfile::tempdir().unwrap();
    let watch = CancelAfterFirst::default();
    extract(&source.extract(client, out.path()), &watch, &watch.cancelled).unwrap();

    let mut options = source.extract(client, out.path());
    options.tables.exclude = vec!["dbo.Log".into()];
    let error = extract(&options, &(), &AtomicBool::new(false)).unwrap_err();
    assert!(matches!(error, ExtractError::Dump(DumpError::PlanChanged { .. })), "{error}");

    options.restart = true;
    let report = extract(&options, &(), &AtomicBool::new(false)).unwrap();
    assert_eq!((report.outcome, report.tables.len()), (Outcome::Complete, 1));
    let error = extract(&options, &(), &AtomicBool::new(false)).unwrap_err();
    assert!(error.to_string().contains("a finished dump lies here"), "{error}");
}

by_each_client!(
    a_cancelled_run_keeps_what_is_finished_and_the_next_one_reads_the_rest,
    a_silent_server_does_not_hold_up_a_cancelled_run,
    a_run_that_is_cancelled_before_it_begins_reads_nothing,
    another_selection_is_another_plan_unless_it_begins_anew,
);
