//! What differs for a database that a queue feeds: its commits are acknowledged, and others stand by to take it over.

use std::sync::Arc;
use std::time::Duration;

use etl_load::LoadError;
use etl_load::module::Module;
use etl_load::postgres::{IfExists, Origin, PostgresOptions, PostgresSink};
use etl_load::sink::Sink;
use etl_schemas::event::EventCatalog;

use crate::server::Server;
use crate::stream::{Stream, catalog, fingerprint, module};

const MODULE: &str = "name = \"m\"\n[on.A]\ncopy = \"a\"\n";

struct Queued {
    server: Server,
    catalog: Arc<EventCatalog>,
    module: Module,
}

impl Queued {
    fn new(test: &str, schema: &str) -> Queued {
        let (server, catalog, folder) =
            (Server::start(test), catalog("message A { int32 n = 1; }"), tempfile::tempdir().unwrap());
        let module = module(folder.path(), &catalog, MODULE, schema, "").unwrap();
        Queued { server, catalog, module }
    }

    fn open(&self, origin: Origin, retry_time_max: Duration) -> Result<PostgresSink, LoadError> {
        let options = PostgresOptions { origin, retry_time_max, ..self.server.options(IfExists::Resume) };
        PostgresSink::open(&self.server.target(), &self.module, &self.catalog, &fingerprint(), &options)
    }
}

/// The broker forgets what is acknowledged, so a commit that a crash may undo would be an event lost.
#[test]
fn commits_that_are_acknowledged_wait_for_the_disk_whatever_the_database_says() {
    let queued = Queued::new(
        "queued_durable",
        "CREATE TABLE a (n integer, waits text DEFAULT current_setting('synchronous_commit'))",
    );
    let mut stream = Stream::new(&queued.catalog);
    for n in 0..3 {
        stream.json("A", &format!("{{\"n\":{n}}}"));
    }
    drop(queued.open(Origin::Queue, Duration::ZERO).unwrap());
    let steps = [("off", Origin::Queue), ("off", Origin::Dump), ("remote_apply", Origin::Queue)];
    for ((set, origin), batch) in steps.into_iter().zip(stream.batches(1)) {
        let database = queued.server.database("m");
        queued.server.query("m", &format!("ALTER DATABASE \"{database}\" SET synchronous_commit = {set}"));
        let mut sink = queued.open(origin, Duration::ZERO).unwrap();
        sink.write(&batch).unwrap();
        sink.stop().unwrap();
    }
    let waits = queued.server.query("m", "SELECT waits FROM a ORDER BY n");
    assert_eq!(waits, ["on", "off", "remote_apply"], "the queue's commits wait, and what is stricter stays");
}

/// One that was cut off from its broker may still be busy with a long commit when another takes its queue over.
#[test]
fn a_consumer_that_takes_over_waits_for_the_one_before_it() {
    let queued = Queued::new("queued_over", "CREATE TABLE a (n integer)");
    let before = queued.open(Origin::Queue, Duration::ZERO).unwrap();
    let refused = queued.open(Origin::Queue, Duration::ZERO).err().expect("nothing is waited out").to_string();
    assert!(refused.contains("another loader is at work on it (server process "), "{refused}");
    // Two loaders of a dump are a mistake, so there nothing is waited for.
    let refused = queued.open(Origin::Dump, Duration::from_secs(600)).err().expect("it is in use").to_string();
    assert!(refused.contains("another loader is at work on it (server process "), "{refused}");
    std::thread::scope(|scope| {
        let over = scope.spawn(|| queued.open(Origin::Queue, Duration::from_secs(600)).map(drop));
        // Longer than a killed loader's session is waited for in any case.
        std::thread::sleep(Duration::from_secs(7));
        assert!(!over.is_finished(), "{:?}", over.join().unwrap());
        drop(before);
        over.join().unwrap().unwrap();
    });
}
