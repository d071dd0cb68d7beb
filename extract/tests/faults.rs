//! Servers that fail half-way: the dump is the same as of an undisturbed run, or says that it isn't whole.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use etl_extract::extract;
use etl_extract::report::{ExtractReport, Outcome};
use etl_fixtures::sqlserver::faults::{Fault, FaultKind};
use etl_fixtures::tds::Tls;
use etl_schemas::dump::Dump;

use crate::dumped::{assert_equal, assert_whole, first_column};
use crate::source::{LOG, MESSAGES, Source, name, options};
use etl_schemas::project::SourceClient;

fn run(client: SourceClient, source: &Source, out: &Path) -> ExtractReport {
    let options = source.extract(client, out);
    extract(&options, &(), &AtomicBool::new(false)).unwrap()
}

fn an_undisturbed_run_carries_every_row_in_the_order_of_its_key(client: SourceClient) {
    let source = Source::shop();
    let out = tempfile::tempdir().unwrap();
    let report = run(client, &source, out.path());

    assert_eq!(report.outcome, Outcome::Complete);
    assert_whole(out.path());
    assert_eq!(first_column(out.path(), &name("Messages")), (1..=MESSAGES).collect::<Vec<_>>());
    assert_eq!(first_column(out.path(), &name("Log")).len() as i64, LOG);
    let rows: Vec<_> = report.tables.iter().map(|table| (table.table.to_string(), table.rows)).collect();
    assert_eq!(rows, [("dbo.Log".to_string(), LOG as u64), ("dbo.Messages".to_string(), MESSAGES as u64)]);
    assert!(report.load.queries > 2, "the table with a key is read by chunks");
    assert_eq!((report.load.retries, report.load.rows), (0, (MESSAGES + LOG) as u64));
    assert_eq!(report.fingerprint.as_deref(), Some(Dump::open(out.path()).unwrap().fingerprint()));
}

fn any_number_of_connections_gives_the_same_dump(client: SourceClient) {
    let source = Source::types(Tls::Off);
    let out = tempfile::tempdir().unwrap();
    let (one, many) = (out.path().join("one"), out.path().join("many"));
    run(client, &source, &one);
    let mut options = source.extract(client, &many);
    options.jobs = 5;
    let report = extract(&options, &(), &AtomicBool::new(false)).unwrap();
    assert_eq!(report.outcome, Outcome::Complete, "{:?}", report.failed);
    assert_equal(&one, &many);
}

fn what_passes_by_itself_is_read_again_and_changes_nothing(client: SourceClient) {
    let source = Source::shop();
    let out = tempfile::tempdir().unwrap();
    let (calm, stormy) = (out.path().join("calm"), out.path().join("stormy"));
    run(client, &source, &calm);

    let faults = source.server.faults();
    // Late in the first chunk, and in the middle of a later one.
    let late = 99;
    let kinds = [
        FaultKind::Error { number: 1205, after_rows: 0 },
        FaultKind::DropConnection { after_rows: late },
        FaultKind::Error { number: 40613, after_rows: 345 },
    ];
    for kind in kinds {
        faults.add(Fault::new(kind).on(name("Messages")).times(1));
    }
    let report = run(client, &source, &stormy);

    assert_eq!(report.outcome, Outcome::Complete, "{:?}", report.failed);
    assert_eq!((report.load.retries, source.server.faults().remaining()), (3, 0));
    assert_equal(&calm, &stormy);
}

fn a_server_that_falls_silent_is_asked_again(client: SourceClient) {
    let source = Source::shop();
    let out = tempfile::tempdir().unwrap();
    let (calm, halting) = (out.path().join("calm"), out.path().join("halting"));
    run(client, &source, &calm);
    // Silence in the midst of an answer, and longer than the URL allows.
    let silence = FaultKind::Delay { duration: Duration::from_secs(5), every_rows: 60 };
    source.server.faults().add(Fault::new(silence).on(name("Messages")).times(1));
    let options = options(client, &source.url("encrypt=off&silence_timeout=2"), &halting);
    let report = extract(&options, &(), &AtomicBool::new(false)).unwrap();
    assert_eq!((report.outcome, report.load.retries), (Outcome::Complete, 1), "{:?}", report.failed);
    assert_equal(&calm, &halting);
}

fn a_table_that_fails_for_good_leaves_the_others_and_the_next_run_reads_it(client: SourceClient) {
    let source = Source::shop();
    let out = tempfile::tempdir().unwrap();
    let (calm, broken) = (out.path().join("calm"), out.path().join("broken"));
    run(client, &source, &calm);

    source.server.faults().add(Fault::new(FaultKind::Error { number: 823, after_rows: 7 }).on(name("Messages")));
    let report = run(client, &source, &broken);
    assert_eq!(report.outcome, Outcome::TablesFailed);
    assert_eq!(report.failed.len(), 1);
    assert_eq!(report.failed[0].table, name("Messages"));
    assert!(report.failed[0].reason.contains("823"), "{}", report.failed[0].reason);
    assert_eq!(report.tables.iter().map(|table| table.rows).collect::<Vec<_>>(), [LOG as u64]);
    assert!(Dump::open(&broken).is_err(), "without all of its rows it has no manifest");

    source.server.faults().clear();
    let report = run(client, &source, &broken);
    assert_eq!(report.outcome, Outcome::Complete);
    assert_eq!(report.tables.iter().map(|table| table.parts_kept).collect::<Vec<_>>(), [1, 0]);
    assert_equal(&calm, &broken);
}

by_each_client!(
    a_server_that_falls_silent_is_asked_again,
    an_undisturbed_run_carries_every_row_in_the_order_of_its_key,
    any_number_of_connections_gives_the_same_dump,
    what_passes_by_itself_is_read_again_and_changes_nothing,
    a_table_that_fails_for_good_leaves_the_others_and_the_next_run_reads_it,
);
