//! Faults of every kind while a loader works, waited out within the process: the tables equal those of an undisturbed
//! run.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use etl_fixtures::cutting_proxy::CuttingProxy;
use etl_load::LoadError;
use etl_load::drive::{Drive, Ending};
use etl_load::postgres::{Durability, IfExists, PostgresOptions, PostgresSink, PostgresTarget};
use etl_load::sink::Sink;
use etl_schemas::event::EventBatch;

use crate::exactly_once::{Case, EVENTS, Numbers, content, write_all};
use crate::server::Server;
use crate::stream::fingerprint;

/// Small transactions, so that a fault can strike between many of them.
pub(crate) fn options(case: &Case) -> PostgresOptions {
    PostgresOptions { rows_per_transaction: 40, ..case.server.options(IfExists::Resume) }
}

/// As [`Drive`] hands batches over: from the start again, when the server has lost commits.
pub(crate) fn load(case: &Case, sink: PostgresSink, between: impl Fn(u64) + Clone) {
    let batches = case.stream.batches(50);
    let pass = |_| {
        let between = between.clone();
        Ok::<_, LoadError>(batches.iter().map(move |batch| {
            between(batch.first_position());
            Ok(EventBatch::clone(batch))
        }))
    };
    let outcome = Drive::new(vec![Box::new(sink)], 1).run(pass, &AtomicBool::new(false));
    assert!(matches!(outcome.ending, Ending::Finished), "{:?}", outcome.sinks[0].result);
    assert!(outcome.sinks[0].result.as_ref().unwrap().complete);
}

#[test]
fn a_server_that_crashes_and_comes_back_is_waited_for() {
    for durability in [Durability::Server, Durability::Relaxed] {
        let (server, private) = Server::private("crash");
        let case = Case::on(server);
        let calm = case.undisturbed();
        let module = case.module("shaken");
        let options = PostgresOptions { durability, ..options(&case) };
        let target = case.server.target();
        let sink = PostgresSink::open(&target, &module, &case.catalog, &fingerprint(), &options).unwrap();
        // Each crash may begin another pass, so each strikes once.
        let crashes = std::cell::RefCell::new(vec![551, 1_501, 2_951]);
        load(&case, sink, |position| {
            if crashes.borrow_mut().extract_if(.., |crash| *crash == position).count() > 0 {
                private.crash_and_restart().unwrap();
            }
        });
        assert!(crashes.borrow().is_empty());
        assert_eq!(content(&case.server, "shaken"), calm, "{durability:?}");
    }
}

#[test]
fn sessions_ended_by_the_server_are_opened_again() {
    let case = Case::on(Server::start("ended"));
    let calm = case.undisturbed();
    let module = case.module("shaken");
    let target = case.server.target();
    let sink = PostgresSink::open(&target, &module, &case.catalog, &fingerprint(), &options(&case)).unwrap();
    let terminate = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}' AND application_name = 'etl'",
        case.server.database("shaken")
    );
    load(&case, sink, |position| {
        if position % 500 == 1 {
            case.server.query_database("postgres", &terminate);
        }
    });
    assert_eq!(content(&case.server, "shaken"), calm);
}

#[test]
fn a_network_that_cuts_at_any_byte_is_connected_again() {
    let (server, private) = Server::private("cut");
    let case = Case::on(server);
    let calm = case.undisturbed();
    let module = case.module("shaken");
    let proxy = CuttingProxy::start(SocketAddr::from(([127, 0, 0, 1], private.port()))).unwrap();
    let target = PostgresTarget::parse(&format!("postgres://postgres@{}", proxy.address()), None).unwrap();
    proxy.cut_after(60_000);
    let sink = PostgresSink::open(&target, &module, &case.catalog, &fingerprint(), &options(&case)).unwrap();
    let numbers = std::cell::RefCell::new(Numbers(3));
    load(&case, sink, |_| {
        // What opening takes, and then any number of bytes more; the last connections live.
        let bytes = 45_000 + numbers.borrow_mut().below(30_000) as u64;
        proxy.cut_after(if proxy.cuts() < 8 { bytes } else { u64::MAX });
    });
    assert!(proxy.cuts() > 0, "no connection was cut");
    assert_eq!(content(&case.server, "shaken"), calm);
}

#[test]
fn a_lock_is_waited_for_and_given_up_on_with_what_to_do() {
    let case = Case::on(Server::start("lock"));
    let calm = case.undisturbed();
    let module = case.module("shaken");
    let open = |retry_time_max| {
        let lock_time_max = Duration::from_millis(100);
        let options = PostgresOptions { retry_time_max, lock_time_max, ..options(&case) };
        PostgresSink::open(&case.server.target(), &module, &case.catalog, &fingerprint(), &options).unwrap()
    };
    let locked = Arc::new(AtomicBool::new(false));
    let hold = |seconds: f64| {
        let sql = format!("BEGIN; LOCK TABLE a; SELECT pg_sleep({seconds}); COMMIT");
        locked.store(true, Ordering::Relaxed);
        case.server.query("shaken", &sql);
    };
    let mut impatient = open(Duration::from_millis(500));
    std::thread::scope(|scope| {
        scope.spawn(|| hold(3.0));
        case.server.wait_for_any("shaken", "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock'");
        let begun = Instant::now();
        let error = write_all(&mut impatient, &case.stream.batches(EVENTS)).unwrap_err().to_string();
        assert!(error.contains("somebody holds a lock"), "{error}");
        assert!(begun.elapsed() > Duration::from_millis(100));
    });
    drop(impatient);
    let mut patient = open(Duration::from_secs(60));
    std::thread::scope(|scope| {
        scope.spawn(|| hold(1.0));
        case.server.wait_for_any("shaken", "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock'");
        write_all(&mut patient, &case.stream.batches(EVENTS)).unwrap();
        assert!(patient.finish().unwrap().complete);
    });
    assert_eq!(content(&case.server, "shaken"), calm);
}
