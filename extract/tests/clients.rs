//! Both clients give the same dump, byte for byte, and a run may go on with the other one.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use etl_extract::progress::Progress;
use etl_extract::report::Outcome;
use etl_extract::run::PartSize;
use etl_extract::{Inspect, extract, inspect};
use etl_fixtures::tds::Tls;
use etl_schemas::project::SourceClient;
use etl_schemas::table::TableName;

use crate::dumped::assert_equal;
use crate::source::{MESSAGES, PASSWORD, Source};

const CLIENTS: [SourceClient; 2] = [SourceClient::Tiberius, SourceClient::MssqlTds];

fn dump(source: &Source, client: SourceClient, jobs: usize, out: &Path) {
    let mut options = source.extract(client, out);
    options.jobs = jobs;
    options.part_size = PartSize { rows: MESSAGES as u64 / 8, ..PartSize::default() };
    let report = extract(&options, &(), &AtomicBool::new(false)).unwrap();
    assert_eq!(report.outcome, Outcome::Complete, "{client}, {jobs} jobs: {:?}", report.failed);
}

#[test]
fn clients_and_jobs_change_no_byte() {
    for source in [Source::shop(), Source::types(Tls::Off)] {
        let out = tempfile::tempdir().unwrap();
        let first = out.path().join("first");
        dump(&source, SourceClient::Tiberius, 1, &first);
        for client in CLIENTS {
            for jobs in [1, 2, 8] {
                let other = out.path().join(format!("{client}-{jobs}"));
                dump(&source, client, jobs, &other);
                assert_equal(&first, &other);
            }
        }
    }
}

/// Cancels the run as soon as a table is finished.
#[derive(Default)]
struct CancelAfterFirst(AtomicBool);

impl Progress for CancelAfterFirst {
    fn finished(&self, _table: &TableName) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_run_goes_on_with_the_other_client() {
    let source = Source::shop();
    let out = tempfile::tempdir().unwrap();
    let calm = out.path().join("calm");
    dump(&source, SourceClient::Auto, 1, &calm);
    for (first, second) in [(CLIENTS[0], CLIENTS[1]), (CLIENTS[1], CLIENTS[0])] {
        let halved = out.path().join(first.name());
        let mut options = source.extract(first, &halved);
        options.part_size = PartSize { rows: MESSAGES as u64 / 8, ..PartSize::default() };
        let watch = CancelAfterFirst::default();
        assert_eq!(extract(&options, &watch, &watch.0).unwrap().outcome, Outcome::Cancelled);
        dump(&source, second, 1, &halved);
        assert_equal(&calm, &halved);
    }
}

/// Which client reads from there, or why none does.
fn reader(url: &str, client: SourceClient) -> Result<String, String> {
    let options = Inspect {
        url: url.parse().unwrap(),
        password: Some(PASSWORD.to_string().into()),
        client,
        casts: Vec::new(),
        gentleness: etl_extract::run::Gentleness::default(),
    };
    match inspect(&options, &AtomicBool::new(false)) {
        Ok(survey) => Ok(survey.unwrap().server.client.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn left_to_choose_the_cheaper_one_that_can_is_taken() {
    let source = Source::types(Tls::Offered);
    let auto = |parameters: &str| reader(&source.url(parameters), SourceClient::Auto).unwrap();
    assert_eq!(auto("encrypt=off"), "mssql-tds");
    assert_eq!(auto("encrypt=required&trust_server_certificate=true"), "mssql-tds");
    assert_eq!(auto("encrypt=login&trust_server_certificate=true"), "tiberius");

    let refused = reader(&source.url("encrypt=login"), SourceClient::MssqlTds).unwrap_err();
    assert!(refused.starts_with("mssql-tds can't be used: it can't promise"), "{refused}");
    let wrong = source.url("encrypt=off").replace("sa@", "nobody@");
    let refused = reader(&wrong, SourceClient::Auto).unwrap_err();
    assert!(refused.contains("login failed for user 'nobody'"), "{refused}");
}
