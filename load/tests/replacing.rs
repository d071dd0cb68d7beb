//! Tables that are replaced while others read them: no failed query, never a half-loaded state, and the way back.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use etl_fixtures::cutting_proxy::CuttingProxy;
use etl_load::postgres::{IfExists, PostgresOptions, PostgresSink, PostgresTarget, reset, roll_back};
use etl_load::sink::Sink;
use tokio_postgres::NoTls;

use crate::server::Server;
use crate::stream::{Stream, catalog, fingerprint, module};

const PROTO: &str = "message A { int32 n = 1; } message B { int32 n = 1; }";
const MODULE: &str = "name = \"m\"\n[on.A]\ncopy = \"a\"\n[on.B]\ncopy = \"b\"\n";
const SCHEMA: &str = "CREATE TABLE a (n integer NOT NULL); CREATE TABLE b (n integer NOT NULL);
    CREATE VIEW all_of_it AS SELECT n FROM a UNION ALL SELECT n FROM b;";
const INDEXES: &str = "CREATE INDEX a_n ON a (n); CREATE INDEX b_n ON b (n);";

/// Of runs that nobody stops.
static RUNNING: AtomicBool = AtomicBool::new(false);

/// Rows of each generation: its number, in `a` and `b` alike.
fn stream(generation: usize) -> Stream {
    let mut stream = Stream::new(&catalog(PROTO));
    for n in 0..1_000 * generation {
        stream.json(if n % 2 == 0 { "A" } else { "B" }, &format!("{{\"n\":{generation}}}"));
    }
    stream
}

#[test]
fn readers_never_see_half_a_load_and_no_query_fails() {
    let server = Server::start("replace");
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog(PROTO);
    let m = module(folder.path(), &catalog, MODULE, SCHEMA, INDEXES).unwrap();
    let load = |generation: usize| {
        let options = server.options(IfExists::Replace);
        let mut sink = PostgresSink::open(&server.target(), &m, &catalog, &fingerprint(), &options).unwrap();
        for batch in stream(generation).batches(100) {
            sink.write(&batch).unwrap();
        }
        assert!(sink.finish().unwrap().complete);
    };
    load(1);
    let done = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2).map(|_| scope.spawn(|| read(&server, &done))).collect();
        // Also when a step fails: a test that fails must end.
        let _ends = Ends(&done);
        load(2);
        load(3);
        let back = roll_back(&server.target(), &server.database("m"), Duration::from_secs(30), &RUNNING).unwrap();
        assert_eq!(back.position, 2_000);
        done.store(true, Ordering::Relaxed);
        readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect::<Vec<_>>()
    });
    // Each look at the tables: rows of a and b, and the lowest and highest generation in both.
    for look in &seen {
        let [a, b, low, high] = look[..] else { panic!("{look:?}") };
        assert!(a == b && low == high && a == 500 * low, "half a load: {look:?}");
    }
    let mut generations: Vec<i64> = seen.iter().map(|look| look[2]).collect();
    generations.dedup();
    assert!(generations.contains(&1) && generations.last() == Some(&2), "{generations:?}");
    assert_eq!(server.query("m", "SELECT max(n) FROM all_of_it"), ["2"]);
    assert_eq!(server.query("m", "SELECT max(n) FROM etl_previous.all_of_it"), ["3"]);

    reset(&server.target(), &server.database("m"), true).unwrap();
    assert_eq!(server.query("m", "SELECT to_regclass('etl_previous.a') IS NULL"), ["t"]);
    let none =
        roll_back(&server.target(), &server.database("m"), Duration::from_secs(1), &RUNNING).unwrap_err().to_string();
    assert!(none.contains("it has no previous tables"), "{none}");
    reset(&server.target(), &server.database("m"), false).unwrap();
    assert_eq!(server.query_database("postgres", &server.existing("m")), ["0"]);
}

/// Tells other threads to end.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Looks at the tables until `done`, by plain and by prepared statements, on one connection all the time.
fn read(server: &Server, done: &AtomicBool) -> Vec<Vec<i64>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let target = server.target().to_string();
        let (client, connection) =
            tokio_postgres::connect(&format!("{target}/{}", server.database("m")), NoTls).await.unwrap();
        tokio::spawn(connection);
        let select = "SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b),
                      (SELECT min(n)::bigint FROM all_of_it), (SELECT max(n)::bigint FROM all_of_it)";
        let prepared = client.prepare(select).await.unwrap();
        let mut seen = Vec::new();
        while !done.load(Ordering::Relaxed) {
            for row in [client.query_one(&prepared, &[]).await, client.query_one(select, &[]).await] {
                let row = row.expect("no query of a reader fails");
                seen.push((0..4).map(|column| row.get(column)).collect());
            }
        }
        seen
    })
}

/// A transaction of a reader who doesn't end it, until it is dropped.
struct Reader {
    runtime: tokio::runtime::Runtime,
    client: tokio_postgres::Client,
    pid: i32,
}

impl Reader {
    /// In the middle of a table.
    fn begin(server: &Server, table: &str) -> Reader {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let url = format!("{}/{}", server.target(), server.database("m"));
        let (client, connection) = runtime.block_on(tokio_postgres::connect(&url, NoTls)).unwrap();
        runtime.spawn(connection);
        runtime.block_on(client.batch_execute(&format!("BEGIN; SELECT n FROM {table}"))).unwrap();
        let pid = runtime.block_on(client.query_one_scalar("SELECT pg_backend_pid()", &[])).unwrap();
        Reader { runtime, client, pid }
    }

    fn end(&self) {
        self.runtime.block_on(self.client.batch_execute("COMMIT")).unwrap();
    }
}

/// Until a lock of ours isn't given.
fn wait_until_blocked(server: &Server) {
    let blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    server.wait_for_any("m", blocked);
}

#[test]
fn an_exchange_says_who_is_in_the_way_and_ends_when_the_run_is_stopped() {
    static STOP: AtomicBool = AtomicBool::new(false);
    const LONG: Duration = Duration::from_secs(600);
    let server = Server::start("exchange_stopped");
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog(PROTO);
    let m = module(folder.path(), &catalog, MODULE, SCHEMA, INDEXES).unwrap();
    let load = |generation: usize, retry_time_max: Duration| {
        STOP.store(false, Ordering::Relaxed);
        let options = PostgresOptions { retry_time_max, stop: &STOP, ..server.options(IfExists::Replace) };
        let mut sink = PostgresSink::open(&server.target(), &m, &catalog, &fingerprint(), &options)?;
        for batch in stream(generation).batches(1_000) {
            sink.write(&batch)?;
        }
        sink.finish()
    };
    let stopped = |work: &(dyn Fn() -> String + Sync)| {
        std::thread::scope(|scope| {
            let working = scope.spawn(work);
            // Also when nothing is ever blocked: a test that fails must end.
            let _ends = Ends(&STOP);
            wait_until_blocked(&server);
            STOP.store(true, Ordering::Relaxed);
            working.join().unwrap()
        })
    };
    load(1, LONG).unwrap();
    let reader = Reader::begin(&server, "a");
    let database = server.database("m");
    let (state, who) = ("the new tables are complete and not live yet", "a long transaction holds one of the tables");
    let again = "let it end (see pg_stat_activity), then run the same command again: only the exchange is left";
    // Autovacuum may hold one as well for a moment, so the process isn't always alone.
    let says = |said: &str, why: &str, reader: &Reader| {
        assert!(
            said.starts_with(&format!("database `{database}`: {state}, because {why}{who} (server process ")),
            "{said}"
        );
        assert!(said.contains(&reader.pid.to_string()) && said.ends_with(again), "{said}");
    };
    says(&stopped(&|| load(2, LONG).unwrap_err().to_string()), "the run was stopped while ", &reader);
    says(&load(2, Duration::ZERO).unwrap_err().to_string(), "", &reader);
    reader.end();
    load(2, LONG).unwrap();
    // Tables that were live before are dropped by the next exchange, so whoever reads them is in its way as well.
    let older = Reader::begin(&server, "etl_previous.a");
    let said = load(3, Duration::ZERO).unwrap_err().to_string();
    assert!(said.contains(&format!("began before the new rows were there (server process {})", older.pid)), "{said}");
    older.end();
    let reader = Reader::begin(&server, "etl_previous.a");
    says(&load(3, Duration::ZERO).unwrap_err().to_string(), "", &reader);
    reader.end();
    load(3, LONG).unwrap();
    // A second rollback of what is rolled back would undo it, so nobody is told to repeat all of it.
    let reader = Reader::begin(&server, "a");
    let roll_back = |time_max| roll_back(&server.target(), &database, time_max, &STOP);
    let said = stopped(&|| {
        STOP.store(false, Ordering::Relaxed);
        roll_back(LONG).unwrap_err().to_string()
    });
    assert!(said.contains("it was not rolled back, because the run was stopped while a long transaction"), "{said}");
    assert!(said.contains("roll back this module alone (--module)") && !said.contains("again: only"), "{said}");
    reader.end();
    STOP.store(false, Ordering::Relaxed);
    assert_eq!(roll_back(LONG).unwrap().position, 2_000);
}

/// What a rollback says is what happened, also when the connection breaks between the exchange and the last answer.
#[test]
fn a_rollback_whose_answer_was_lost_is_not_told_as_failed() {
    let (databases, private) = Server::private("lost_answer");
    // Declared behind the server, so that it drops its databases before that ends.
    let server = databases;
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog(PROTO);
    let m = module(folder.path(), &catalog, MODULE, SCHEMA, INDEXES).unwrap();
    for generation in [1, 2] {
        let options = server.options(IfExists::Replace);
        let mut sink = PostgresSink::open(&server.target(), &m, &catalog, &fingerprint(), &options).unwrap();
        for batch in stream(generation).batches(1_000) {
            sink.write(&batch).unwrap();
        }
        sink.finish().unwrap();
    }
    let proxy = CuttingProxy::start(SocketAddr::from(([127, 0, 0, 1], private.port()))).unwrap();
    let target = PostgresTarget::parse(&format!("postgres://postgres@{}", proxy.address()), None).unwrap();
    let live = || server.query("m", "SELECT max(n) FROM all_of_it");
    let (mut failed, mut recovered) = (0, 0);
    // Far more than a rollback takes: one that fails all the same would never succeed.
    let mut undisturbed = false;
    for bytes in (1_000..100_000).step_by(61) {
        let (before, cuts) = (live(), proxy.cuts());
        proxy.cut_after(bytes);
        let ended = roll_back(&target, &server.database("m"), Duration::from_secs(60), &RUNNING);
        assert_eq!(ended.is_ok(), live() != before, "cut after {bytes} bytes: {ended:?}");
        let said = ended.as_ref().map_or_else(ToString::to_string, |_| String::new());
        assert!(!said.contains("run the same command again"), "{said}");
        match (ended.is_ok(), proxy.cuts() > cuts) {
            (true, false) => {
                undisturbed = true;
                break;
            }
            (true, true) => recovered += 1,
            (false, _) => failed += 1,
        }
    }
    assert!(undisturbed, "no rollback came through, whatever it was let");
    assert!(failed > 0 && recovered > 0, "{failed} failed, {recovered} were exchanged without an answer");
}

/// A drop that a full disk or a crash interrupts leaves such a database; nobody can connect to it.
#[test]
fn a_database_that_was_half_dropped_is_made_anew_or_reset() {
    let server = Server::start("half_dropped");
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog(PROTO);
    let m = module(folder.path(), &catalog, MODULE, SCHEMA, INDEXES).unwrap();
    let half_drop = || {
        let mark = "UPDATE pg_database SET datconnlimit = -2 WHERE datname";
        server.query_database("postgres", &format!("{mark} = '{}'", server.database("m")));
    };
    server.load(&m, &catalog, &stream(1).batches(100)).unwrap();
    half_drop();
    assert!(server.load(&m, &catalog, &stream(2).batches(100)).unwrap().complete);
    assert_eq!(server.query("m", "SELECT count(*), min(n) FROM all_of_it"), ["2000|2"]);
    half_drop();
    reset(&server.target(), &server.database("m"), false).unwrap();
    assert_eq!(server.query_database("postgres", &server.existing("m")), ["0"]);
}

#[test]
fn what_cannot_be_replaced_beside_readers_is_refused_before_the_load() {
    let server = Server::start("replace_refused");
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog(PROTO);
    let load = |schema: &str| {
        let m = module(folder.path(), &catalog, "name = \"m\"\n[on.A]\ncopy = \"a\"\n", schema, "").unwrap();
        let options = server.options(IfExists::Replace);
        let mut sink = PostgresSink::open(&server.target(), &m, &catalog, &fingerprint(), &options)?;
        for batch in stream(1).batches(1_000) {
            sink.write(&batch)?;
        }
        sink.finish()
    };
    load("CREATE TABLE public.a (n integer)").unwrap();
    let refused = load("CREATE TABLE public.a (n integer)").unwrap_err().to_string();
    assert!(refused.contains("schema.sql:1:14: with `public.` this would reach the live tables"), "{refused}");
    server.query("m", "CREATE SCHEMA app; CREATE TABLE app.t (n integer)");
    let refused = load("CREATE TABLE a (n integer)").unwrap_err().to_string();
    assert!(refused.contains("tables outside the schema `public` (in app)"), "{refused}");
    assert_eq!(server.query("m", "SELECT count(*) FROM a"), ["500"]);
}
