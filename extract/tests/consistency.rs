//! How much of a single moment a dump shows while an application goes on writing.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use etl_extract::error::ExtractError;
use etl_extract::extract;
use etl_extract::progress::Progress;
use etl_extract::report::{ExtractReport, Outcome};
use etl_fixtures::cell::Cell;
use etl_fixtures::sqlserver::faults::{Fault, FaultKind};
use etl_fixtures::sqlserver::live::LiveWriter;
use etl_fixtures::sqlserver::server::ServerOptions;
use etl_schemas::dump::Dump;
use etl_schemas::project::{Consistency, SourceClient};
use etl_schemas::table::TableName;

use crate::dumped::{assert_whole, first_column};
use crate::source::{LOG, MESSAGES, Source, name};

by_each_client!(
    a_live_database_is_read_as_it_comes_and_the_manifest_names_what_changed,
    what_nobody_wrote_to_has_no_note,
    a_database_snapshot_shows_all_tables_as_of_one_moment_and_is_gone_in_the_end,
    an_interrupted_run_leaves_its_database_snapshot_to_the_one_that_goes_on,
    a_database_snapshot_that_is_gone_is_missed_and_a_new_beginning_drops_the_old_one,
    a_table_snapshot_shows_a_table_as_of_one_moment,
    snapshot_isolation_has_to_be_allowed,
    every_consistency_reads_a_quiet_database_whole_and_is_stated,
);

/// Writes a message and its entry in the log whenever rows arrive, and keeps what it was told.
struct Application {
    client: SourceClient,
    writer: Mutex<LiveWriter>,
    written: AtomicI64,
    notes: Mutex<Vec<String>>,
    cancelled: AtomicBool,
    cancel_after_first: bool,
}

impl Application {
    fn of(client: SourceClient, source: &Source) -> Application {
        Application {
            client,
            writer: Mutex::new(source.writer()),
            written: AtomicI64::new(0),
            notes: Mutex::default(),
            cancelled: AtomicBool::new(false),
            cancel_after_first: false,
        }
    }

    fn write(&self) {
        let number = self.written.fetch_add(1, Ordering::Relaxed) + 1;
        let message = [Cell::Int(MESSAGES + number), Cell::Text("new")];
        let entry = [Cell::Int(LOG + number), Cell::Null];
        let rows: [(&TableName, &[Cell<'_>]); 2] = [(&name("Messages"), &message), (&name("Log"), &entry)];
        self.writer.lock().unwrap().append(&rows).unwrap();
    }

    fn run(&self, source: &Source, consistency: Consistency, out: &std::path::Path) -> ExtractReport {
        let mut options = source.extract(self.client, out);
        options.consistency = consistency;
        extract(&options, self, &self.cancelled).unwrap()
    }
}

impl Progress for Application {
    fn advanced(&self, _table: &TableName, _rows: u64, _bytes: u64) {
        self.write();
    }

    fn finished(&self, _table: &TableName) {
        self.write();
        self.cancelled.fetch_or(self.cancel_after_first, Ordering::Relaxed);
    }

    fn note(&self, text: &str) {
        self.notes.lock().unwrap().push(text.to_string());
    }
}

fn notes(out: &std::path::Path, table: &str) -> String {
    let dump = Dump::open(out).unwrap();
    let table = dump.manifest().tables.iter().find(|known| known.schema.name == name(table)).unwrap();
    table.notes.join(" ")
}

fn a_live_database_is_read_as_it_comes_and_the_manifest_names_what_changed(client: SourceClient) {
    let source = Source::shop();
    let out = tempfile::tempdir().unwrap();
    let application = Application::of(client, &source);
    let report = application.run(&source, Consistency::ReadCommitted, out.path());
    assert_eq!(report.outcome, Outcome::Complete);
    assert_whole(out.path());
    let messages = first_column(out.path(), &name("Messages"));
    let log = first_column(out.path(), &name("Log"));
    assert!(log.len() as i64 - LOG != messages.len() as i64 - MESSAGES, "two tables are two moments");

    let written = application.written.load(Ordering::Relaxed);
    let changed =
        format!("Changed while it was read: {MESSAGES} rows when it began, {} at the end.", MESSAGES + written);
    assert_eq!(notes(out.path(), "Messages"), changed);
    assert_eq!(Dump::open(out.path()).unwrap().manifest().source.consistency, "read-committed");
}

fn what_nobody_wrote_to_has_no_note(client: SourceClient) {
    let source = Source::shop();
    let out = tempfile::tempdir().unwrap();
    extract(&source.extract(client, out.path()), &(), &AtomicBool::new(false)).unwrap();
    assert_eq!(notes(out.path(), "Messages"), "");
}

fn a_database_snapshot_shows_all_tables_as_of_one_moment_and_is_gone_in_the_end(client: SourceClient) {
    let source = Source::shop();
    let out = tempfile::tempdir().unwrap();
    let application = Application::of(client, &source);
    application.write();
    let report = application.run(&source, Consistency::DatabaseSnapshot, out.path());
    assert_eq!(report.outcome, Outcome::Complete);
    assert_eq!(first_column(out.path(), &name("Messages")), (1..=MESSAGES + 1).collect::<Vec<_>>());
    assert_eq!(first_column(out.path(), &name("Log")), (1..=LOG + 1).collect::<Vec<_>>());
    let dump = Dump::open(out.path()).unwrap();
    assert_eq!(
        (&*dump.manifest().source.database, &*dump.manifest().source.consistency),
        ("shop", "database-snapshot")
    );
    assert_eq!(notes(out.path(), "Messages"), "", "a snapshot doesn't change");
    assert_eq!(source.databases(), ["shop"]);
}

fn an_interrupted_run_leaves_its_database_snapshot_to_the_one_that_goes_on(client: SourceClient) {
    let source = Source::shop();
    let out = tempfile::tempdir().unwrap();
    let mut application = Application::of(client, &source);
    application.cancel_after_first = true;
    let report = application.run(&source, Consistency::DatabaseSnapshot, out.path());
    assert_eq!(report.outcome, Outcome::Cancelled);
    let databases = source.databases();
    assert_eq!(databases.len(), 2, "{databases:?}");
    let said = application.notes.lock().unwrap().join("\n");
    assert!(said.contains(&format!("DROP DATABASE [{}]", databases[1])), "{said}");

    application.cancelled = AtomicBool::new(false);
    application.cancel_after_first = false;
    let report = application.run(&source, Consistency::DatabaseSnapshot, out.path());
    assert_eq!(report.outcome, Outcome::Complete);
    assert_eq!(first_column(out.path(), &name("Messages")), (1..=MESSAGES).collect::<Vec<_>>());
    assert_eq!(first_column(out.path(), &name("Log")), (1..=LOG).collect::<Vec<_>>());
    assert_eq!(source.databases(), ["shop"]);
}

fn a_database_snapshot_that_is_gone_is_missed_and_a_new_beginning_drops_the_old_one(client: SourceClient) {
    let source = Source::shop();
    let out = tempfile::tempdir().unwrap();
    let mut application = Application::of(client, &source);
    application.cancel_after_first = true;
    application.run(&source, Consistency::DatabaseSnapshot, out.path());
    let left = source.databases()[1].clone();

    let mut options = source.extract(client, out.path());
    options.consistency = Consistency::DatabaseSnapshot;
    options.restart = true;
    // So that the new snapshot has another second in its name.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    source.server.faults().add(Fault::new(FaultKind::Error { number: 823, after_rows: 7 }).on(name("Messages")));
    let report = extract(&options, &(), &AtomicBool::new(false)).unwrap();
    assert_eq!(report.outcome, Outcome::TablesFailed);
    let databases = source.databases();
    assert!(databases.len() == 2 && databases[1] != left, "{left} has gone: {databases:?}");

    source.drop_database(&databases[1]);
    options.restart = false;
    let error = extract(&options, &(), &AtomicBool::new(false)).unwrap_err();
    assert!(matches!(error, ExtractError::SnapshotGone { .. }), "{error}");
    assert!(error.to_string().contains("--restart"), "{error}");
}

fn a_table_snapshot_shows_a_table_as_of_one_moment(client: SourceClient) {
    let source = Source::shop();
    let out = tempfile::tempdir().unwrap();
    let application = Application::of(client, &source);
    let report = application.run(&source, Consistency::TableSnapshot, out.path());
    assert_eq!(report.outcome, Outcome::Complete);
    // The largest table comes first, so nothing was written when its transaction began.
    assert_eq!(first_column(out.path(), &name("Messages")), (1..=MESSAGES).collect::<Vec<_>>());
    assert!(first_column(out.path(), &name("Log")).len() as i64 > LOG, "the second table is a later moment");
    assert!(notes(out.path(), "Messages").starts_with("Changed while it was read"));
}

fn snapshot_isolation_has_to_be_allowed(client: SourceClient) {
    let options = ServerOptions { snapshot_isolation: false, ..ServerOptions::default() };
    let source = Source::shop_with(options);
    let out = tempfile::tempdir().unwrap();
    for consistency in [Consistency::Snapshot, Consistency::TableSnapshot] {
        let mut options = source.extract(client, out.path());
        options.consistency = consistency;
        let error = extract(&options, &(), &AtomicBool::new(false)).unwrap_err();
        assert!(error.to_string().contains("ALTER DATABASE [shop] SET ALLOW_SNAPSHOT_ISOLATION ON"), "{error}");
    }
}

fn every_consistency_reads_a_quiet_database_whole_and_is_stated(client: SourceClient) {
    let source = Source::shop();
    let out = tempfile::tempdir().unwrap();
    for consistency in Consistency::ALL {
        let out = out.path().join(consistency.name());
        let mut options = source.extract(client, &out);
        options.consistency = consistency;
        let report = extract(&options, &(), &AtomicBool::new(false)).unwrap();
        assert_eq!(report.outcome, Outcome::Complete, "{consistency}");
        assert_eq!(first_column(&out, &name("Messages")), (1..=MESSAGES).collect::<Vec<_>>());
        assert_eq!(Dump::open(&out).unwrap().manifest().source.consistency, consistency.name());
    }
    let mut options = source.extract(client, &out.path().join("halved"));
    options.consistency = Consistency::Snapshot;
    source.server.faults().add(Fault::new(FaultKind::Error { number: 823, after_rows: 7 }).on(name("Messages")));
    extract(&options, &(), &AtomicBool::new(false)).unwrap();
    source.server.faults().clear();
    options.consistency = Consistency::NoLock;
    let error = extract(&options, &(), &AtomicBool::new(false)).unwrap_err().to_string();
    assert!(error.contains("`consistency snapshot`, and now it is `consistency nolock`"), "{error}");
}
