//! Databases in every state in which a run can find them.

use etl_load::LoadError;
use etl_load::postgres::{IfExists, PostgresSink, StreamFingerprint};
use etl_load::sink::{EVERYTHING, Sink};

use crate::server::Server;
use crate::stream::{Stream, catalog, fingerprint, module};

const PROTO: &str = "message A { int32 n = 1; } message B { int32 n = 1; }";
const MODULE: &str = "name = \"m\"\n[on.A]\ncopy = \"a\"\n";
const SCHEMA: &str = "CREATE TABLE a (n integer NOT NULL);";

fn stream(count: usize) -> Stream {
    let mut stream = Stream::new(&catalog(PROTO));
    for n in 0..count {
        stream.json(if n % 4 == 3 { "B" } else { "A" }, &format!("{{\"n\":{n}}}"));
    }
    stream
}

#[test]
fn a_loaded_database_is_refused_resumed_or_replaced() {
    let server = Server::start("exists");
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog(PROTO);
    let chat = module(folder.path(), &catalog, MODULE, SCHEMA, "ALTER TABLE a ADD PRIMARY KEY (n);").unwrap();
    let batches = stream(40).batches(7);
    let report = server.load(&chat, &catalog, &batches).unwrap();
    assert!(report.complete);
    assert_eq!((report.taken, report.passed_over, report.position, report.resumed_after), (30, 10, 40, 0));
    assert_eq!((report.tables[0].table.as_str(), report.tables[0].rows), ("a", 30));

    let open = |if_exists, stream: &StreamFingerprint| {
        PostgresSink::open(&server.target(), &chat, &catalog, stream, &server.options(if_exists))
    };
    let name = server.database("m");
    let fail = open(IfExists::Fail, &fingerprint()).err().unwrap().to_string();
    assert!(fail.starts_with(&format!("database `{name}`: it exists and was loaded before; go on with")), "{fail}");

    let mut again = open(IfExists::Resume, &fingerprint()).unwrap();
    assert_eq!((again.durable_position(), again.database()), (EVERYTHING, name.as_str()));
    again.write(&batches[0]).unwrap();
    let report = again.finish().unwrap();
    assert_eq!((report.complete, report.taken, report.resumed_after), (true, 30, EVERYTHING));
    drop(again);
    assert_eq!(server.query("m", "SELECT count(*) FROM a"), ["30"]);

    let other = StreamFingerprint { dump: "d2".to_string(), mappings: "m1".to_string() };
    let changed = open(IfExists::Resume, &other).err().unwrap().to_string();
    assert!(changed.contains("the dump has changed since it was loaded"), "{changed}");
    let other = StreamFingerprint { dump: "d2".to_string(), mappings: "m2".to_string() };
    let changed = open(IfExists::Resume, &other).err().unwrap().to_string();
    assert!(changed.contains("the dump and the mappings have changed since it was loaded"), "{changed}");

    let mut anew = open(IfExists::Replace, &other).unwrap();
    assert_eq!(anew.durable_position(), 0);
    anew.write(&batches[0]).unwrap();
    anew.stop().unwrap();
    drop(anew);
    // What is live stays so until the new tables are complete.
    assert_eq!(server.query("m", "SELECT count(*) FROM a"), ["30"]);
    let mut anew = open(IfExists::Replace, &other).unwrap();
    assert_eq!(anew.durable_position(), 7, "it goes on where the other one stopped");
    for batch in &batches {
        anew.write(batch).unwrap();
    }
    assert!(anew.finish().unwrap().complete);
    drop(anew);
    assert_eq!(server.query("m", "SELECT count(*) FROM a"), ["30"]);
    assert_eq!(open(IfExists::Resume, &other).unwrap().durable_position(), EVERYTHING);
}

#[test]
fn a_changed_module_is_refused_but_repaired_indexes_are_not() {
    let server = Server::start("indexes");
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog(PROTO);
    let batches = stream(40).batches(40);
    let broken = "CREATE INDEX a_n ON a (n);\nALTER TABLE a ADD CHECK (n < 10);";
    let chat = module(folder.path(), &catalog, MODULE, SCHEMA, broken).unwrap();
    for _ in 0..2 {
        let error = server.load(&chat, &catalog, &batches).unwrap_err();
        assert!(matches!(error, LoadError::Postgres { .. }), "{error}");
        assert!(error.to_string().contains("indexes.sql: ERROR 23514"), "{error}");
        assert_eq!(server.query("m", "SELECT position, complete FROM etl.checkpoint"), ["40|f"]);
        assert_eq!(server.query("m", "SELECT count(*) FROM pg_indexes WHERE indexname = 'a_n'"), ["0"]);
    }
    let changed = module(folder.path(), &catalog, MODULE, "CREATE TABLE a (n bigint NOT NULL);", "").unwrap();
    let refused = server.load(&changed, &catalog, &batches).unwrap_err().to_string();
    assert!(refused.contains("the module has changed"), "{refused}");
    let repaired = module(folder.path(), &catalog, MODULE, SCHEMA, "CREATE INDEX a_n ON a (n);").unwrap();
    let report = server.load(&repaired, &catalog, &batches).unwrap();
    assert_eq!((report.complete, report.resumed_after, report.taken), (true, 40, 30));
    let state = "SELECT complete, (SELECT reltuples FROM pg_class WHERE relname = 'a'),
                 (SELECT count(*) FROM pg_indexes WHERE indexname = 'a_n') FROM etl.checkpoint";
    assert_eq!(server.query("m", state), ["t|30|1"]);
}

#[test]
fn somebody_elses_database_is_never_touched() {
    let server = Server::start("foreign");
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog(PROTO);
    let module = module(folder.path(), &catalog, MODULE, SCHEMA, "").unwrap();
    server.query_database("postgres", &format!("CREATE DATABASE \"{}\"", server.database("m")));
    for made in ["TABLE precious (n integer)", "FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'", "SCHEMA app"]
    {
        server.query("m", &format!("CREATE {made}"));
        for if_exists in [IfExists::Fail, IfExists::Resume, IfExists::Replace] {
            let options = server.options(if_exists);
            let opened = PostgresSink::open(&server.target(), &module, &catalog, &fingerprint(), &options);
            let error = opened.err().unwrap().to_string();
            assert!(error.contains("it exists, holds something, and wasn't loaded by etl"), "{made}: {error}");
        }
        let kind = made.split(['(', ' ']).take(2).collect::<Vec<_>>().join(" ");
        server.query("m", &format!("DROP {kind}"));
    }
    // An empty one, as an administrator prepares it for a loader that may not create databases.
    let batches = stream(4).batches(4);
    assert_eq!(server.load(&module, &catalog, &batches).unwrap().taken, 3);
}

#[test]
fn two_loaders_cannot_work_on_one_database() {
    let server = Server::start("locked");
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog(PROTO);
    let module = module(folder.path(), &catalog, MODULE, SCHEMA, "").unwrap();
    let first = server.open(&module, &catalog).unwrap();
    let second = server.open(&module, &catalog).err().unwrap().to_string();
    assert!(second.contains("another loader is at work on it (server process "), "{second}");
    drop(first);
    server.open(&module, &catalog).unwrap();
}

#[test]
fn a_stream_with_a_gap_or_a_shorter_one_is_refused() {
    let server = Server::start("gap");
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog(PROTO);
    let module = module(folder.path(), &catalog, MODULE, SCHEMA, "").unwrap();
    let batches = stream(40).batches(10);
    let mut sink = server.open(&module, &catalog).unwrap();
    sink.write(&batches[0]).unwrap();
    let gap = sink.write(&batches[2]).unwrap_err();
    assert!(matches!(gap, LoadError::Gap { expected: 11, found: 21, .. }), "{gap}");
    let twice = sink.write(&batches[0]).unwrap_err();
    assert!(matches!(twice, LoadError::Gap { expected: 11, found: 1, .. }), "{twice}");
    sink.write(&batches[1]).unwrap();
    assert_eq!(sink.stop().unwrap().position, 20);
    drop(sink);
    let mut sink = server.open(&module, &catalog).unwrap();
    sink.write(&batches[0]).unwrap();
    let short = sink.finish().unwrap_err().to_string();
    assert!(short.contains("the stream ended at event 10, but 20 are loaded"), "{short}");
}
