//! How a source is treated, as the server itself counted it.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use etl_extract::extract;
use etl_extract::report::Outcome;
use etl_extract::run::{Gentleness, Limits};
use etl_fixtures::sqlserver::faults::{Fault, FaultKind};

use crate::source::{MESSAGES, Source, name, options};
use etl_schemas::project::SourceClient;

fn no_query_outlasts_the_longest_when_rows_are_slow(client: SourceClient) {
    let source = Source::shop();
    let out = tempfile::tempdir().unwrap();
    // 5 ms for every 25 rows: all at once would take four seconds.
    source
        .server
        .faults()
        .add(Fault::new(FaultKind::Delay { duration: Duration::from_millis(5), every_rows: 25 }).on(name("Messages")));
    let mut options = source.extract(client, &out.path().join("dump"));
    let longest_query = Duration::from_secs(1);
    options.gentleness = Gentleness { longest_query, ..Gentleness::default() };
    let report = extract(&options, &(), &AtomicBool::new(false)).unwrap();
    assert_eq!(report.outcome, Outcome::Complete, "{:?}", report.failed);
    let longest = source.server.statistics().longest.unwrap();
    assert!(longest.duration < longest_query, "{longest:?}");
    assert!(report.load.longest.as_ref().unwrap().0 < longest_query);
    assert!(report.load.queries > 8);
    assert_eq!(report.load.rows, report.tables.iter().map(|table| table.rows).sum::<u64>());
}

fn an_answer_that_takes_too_long_is_cut_short_and_gone_on_with(client: SourceClient) {
    let source = Source::shop();
    let out = tempfile::tempdir().unwrap();
    let calm = extract(&source.extract(client, &out.path().join("calm")), &(), &AtomicBool::new(false)).unwrap();
    // 10 ms a row: the hundred rows of a first chunk would take a second. Small packets, so that they come one by one.
    let slow = FaultKind::Delay { duration: Duration::from_millis(40), every_rows: 4 };
    source.server.faults().add(Fault::new(slow).on(name("Messages")).times(20));
    let mut options = options(client, &source.url("encrypt=off&packet_size=512"), &out.path().join("dump"));
    let longest_query = Duration::from_millis(600);
    options.gentleness = Gentleness { longest_query, ..Gentleness::default() };
    let report = extract(&options, &(), &AtomicBool::new(false)).unwrap();
    assert_eq!(report.outcome, Outcome::Complete, "{:?}", report.failed);
    assert!(report.load.cut_short > 0);
    let longest = source.server.statistics().longest.unwrap();
    assert!(longest.duration < longest_query, "{longest:?}");
    assert_eq!((report.load.rows, report.load.retries), (calm.load.rows, 0));
    assert_eq!(report.fingerprint, calm.fingerprint);
}

fn a_limit_of_rows_makes_short_queries_and_is_told(client: SourceClient) {
    let source = Source::shop();
    let out = tempfile::tempdir().unwrap();
    let mut options = source.extract(client, &out.path().join("dump"));
    let rows_per_second = MESSAGES as u64 / 4;
    let limits = Limits { rows_per_second: Some(rows_per_second), ..Limits::default() };
    options.gentleness = Gentleness { limits, ..Gentleness::default() };
    let report = extract(&options, &(), &AtomicBool::new(false)).unwrap();
    assert_eq!(report.outcome, Outcome::Complete);
    // What was read before the last query is paid for; a slice of a second may be saved up, and one be owed.
    let paid = Duration::from_secs_f64(report.load.rows as f64 / rows_per_second as f64);
    assert!(report.elapsed + Duration::from_millis(500) > paid, "{:?} for {paid:?}", report.elapsed);
    assert!(report.load.paced > Duration::ZERO && report.load.paced < report.elapsed);
}

fn a_limit_of_bytes_holds_for_a_single_pass_too(client: SourceClient) {
    let source = Source::shop();
    let out = tempfile::tempdir().unwrap();
    let mut options = source.extract(client, &out.path().join("dump"));
    options.tables.include = vec!["dbo.Log".into()];
    options.gentleness.limits.bytes_per_second = Some(2_000);
    let report = extract(&options, &(), &AtomicBool::new(false)).unwrap();
    assert_eq!((report.outcome, report.load.queries), (Outcome::Complete, 1));
    let paid = Duration::from_secs_f64(report.load.bytes as f64 / 2_000.0);
    assert!(report.elapsed + Duration::from_millis(500) > paid, "{:?} for {paid:?}", report.elapsed);
    assert!(report.load.paced > Duration::ZERO);
}

fn lock_timeouts_and_slow_downs_are_counted(client: SourceClient) {
    let source = Source::shop();
    let out = tempfile::tempdir().unwrap();
    let faults = source.server.faults();
    faults.add(Fault::new(FaultKind::Error { number: 1222, after_rows: 3 }).on(name("Log")).times(2));
    let report = extract(&source.extract(client, &out.path().join("dump")), &(), &AtomicBool::new(false)).unwrap();
    assert_eq!(report.outcome, Outcome::Complete, "{:?}", report.failed);
    assert_eq!((report.load.lock_timeouts, report.load.retries), (2, 2));
}

by_each_client!(
    no_query_outlasts_the_longest_when_rows_are_slow,
    an_answer_that_takes_too_long_is_cut_short_and_gone_on_with,
    a_limit_of_rows_makes_short_queries_and_is_told,
    a_limit_of_bytes_holds_for_a_single_pass_too,
    lock_timeouts_and_slow_downs_are_counted,
);
