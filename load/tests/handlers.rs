//! Handlers in SQL and by call: sets of events, single events, and the order of every stream in both.

use std::collections::HashMap;
use std::path::Path;

use etl_load::LoadError;
use etl_load::module::Module;
use etl_load::postgres::{IfExists, PostgresOptions, PostgresSink};
use etl_load::sink::Sink;
use etl_schemas::event::EventCatalog;
use etl_schemas::ticks::Ticks;
use expect_test::expect;

use crate::server::Server;
use crate::stream::{Key, Stream, catalog, fingerprint, module};

const PROTO: &str = "message Blocked { string reason = 1; } message Unblocked { } message Sent { int32 n = 1; } message Seen { int32 n = 1; }";
const SCHEMA: &str = "
    CREATE TABLE block (pair text PRIMARY KEY, blocked boolean NOT NULL, times integer NOT NULL);
    CREATE TABLE delivery (position bigint, n integer, refused boolean NOT NULL);
    CREATE TABLE seen (position bigint, n integer);
    CREATE FUNCTION note_blocked(_stream text) RETURNS void LANGUAGE sql AS $$
        INSERT INTO block VALUES (_stream, true, 1)
        ON CONFLICT (pair) DO UPDATE SET blocked = true, times = block.times + 1 $$;
    CREATE FUNCTION note_unblocked(p_stream text, ignored text DEFAULT 'x') RETURNS void LANGUAGE plpgsql AS $$
        BEGIN UPDATE block SET blocked = false WHERE pair = p_stream; END $$;";
const BLOCKED: &str = "INSERT INTO block SELECT stream, true, count(*) FROM blocked GROUP BY stream
    ON CONFLICT (pair) DO UPDATE SET blocked = true, times = block.times + excluded.times";
const UNBLOCKED: &str = "UPDATE block SET blocked = false FROM unblocked WHERE pair = stream";
const SENT: &str = "-- Whether it is refused depends on the blocks before it.
    INSERT INTO delivery SELECT s.position, n, coalesce(b.blocked, false) FROM sent s LEFT JOIN block b ON pair = stream;
    SELECT count(*) FROM sent;";

/// Blocks and unblocks by SQL over sets of events.
const IN_SETS: &str = "[on.Blocked]\nsql = \"blocked.sql\"\n[on.Unblocked]\nsql = \"unblocked.sql\"\n";
/// The same by calls.
const BY_CALLS: &str = "[on.Blocked]\ncall = \"note_blocked\"\n[on.Unblocked]\ncall = \"note_unblocked\"\n";
const REST: &str = "[on.Sent]\nsql = \"sent.sql\"\n[on.Seen]\ncopy = \"seen\"\n";

fn handled(folder: &Path, catalog: &EventCatalog, toml: &str) -> Result<Module, LoadError> {
    std::fs::create_dir_all(folder).unwrap();
    for (file, text) in [("blocked.sql", BLOCKED), ("unblocked.sql", UNBLOCKED), ("sent.sql", SENT)] {
        std::fs::write(folder.join(file), text).unwrap();
    }
    module(folder, catalog, toml, SCHEMA, "")
}

/// Block, unblock, message, block, a thousand times, over three streams that interleave.
fn interleaved(catalog: &std::sync::Arc<EventCatalog>) -> (Stream, Vec<String>) {
    let mut stream = Stream::new(catalog);
    let (mut blocked, mut deliveries) = (HashMap::new(), Vec::new());
    for n in 0..4_000i64 {
        let pair = n % 3;
        let event_type = ["Blocked", "Unblocked", "Sent", "Blocked"][(n % 4) as usize];
        match event_type {
            "Blocked" => drop(blocked.insert(pair, true)),
            "Unblocked" => drop(blocked.insert(pair, false)),
            _ => deliveries.push(if blocked.get(&pair) == Some(&true) { "t" } else { "f" }.to_string()),
        }
        stream.event(event_type, Ticks(n), &Key::Integer(n), &format!("pair/{pair}"), &[]);
        stream.event("Seen", Ticks(n), &Key::Integer(n), &format!("other/{pair}"), &[]);
    }
    (stream, deliveries)
}

#[test]
fn sets_calls_and_strict_order_give_equal_tables() {
    let server = Server::start("handlers");
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog(PROTO);
    let (stream, deliveries) = interleaved(&catalog);
    assert!(deliveries.contains(&"t".to_string()) && deliveries.contains(&"f".to_string()));
    let content = "SELECT md5(string_agg(x::text, ',' ORDER BY position)) FROM delivery x
        UNION ALL SELECT md5(string_agg(x::text, ',' ORDER BY pair)) FROM block x
        UNION ALL SELECT count(*)::text FROM seen";
    let mut contents = Vec::new();
    for (name, order, blocks) in [
        ("sets", "", IN_SETS),
        ("calls", "", BY_CALLS),
        ("strict", "order = \"strict\"\n", IN_SETS),
        ("strict_calls", "order = \"strict\"\n", BY_CALLS),
    ] {
        let toml = format!("name = \"{name}\"\n{order}{blocks}{REST}");
        let module = handled(&folder.path().join(name), &catalog, &toml).unwrap();
        let report = server.load(&module, &catalog, &stream.batches(900)).unwrap();
        assert_eq!((report.taken, report.rejected), (8_000, 0));
        assert_eq!(server.query(name, "SELECT refused FROM delivery ORDER BY position"), deliveries, "{name}");
        contents.push(server.query(name, content));
    }
    assert!(contents.iter().all(|content| *content == contents[0]), "{contents:?}");
}

#[test]
fn a_loader_with_handlers_that_vanishes_is_resumed() {
    let server = Server::start("handlers_vanish");
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog(PROTO);
    let (stream, deliveries) = interleaved(&catalog);
    let module = handled(folder.path(), &catalog, &format!("name = \"m\"\n{BY_CALLS}{REST}")).unwrap();
    for (batch, rows, share) in [(70, 130, 2), (333, 57, 3), (41, 999, 5), (900, 400, 6)] {
        let options = PostgresOptions { rows_per_transaction: rows, ..server.options(IfExists::Resume) };
        let mut sink = PostgresSink::open(&server.target(), &module, &catalog, &fingerprint(), &options).unwrap();
        let batches = stream.batches(batch);
        for batch in &batches[..batches.len() * share / 10] {
            sink.write(batch).unwrap();
        }
    }
    let report = server.load(&module, &catalog, &stream.batches(500)).unwrap();
    assert!(report.complete && report.resumed_after > 0);
    assert_eq!(server.query("m", "SELECT refused FROM delivery ORDER BY position"), deliveries);
    assert_eq!(server.query("m", "SELECT sum(times), (SELECT count(*) FROM seen) FROM block"), ["2000|4000"]);
}

#[test]
fn an_event_that_a_handler_cannot_take_is_found_and_left_out() {
    let server = Server::start("handlers_refused");
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog("message A { string id = 1; } message B { string id = 1; }");
    std::fs::write(folder.path().join("a.sql"), "INSERT INTO t SELECT id::uuid FROM a").unwrap();
    let toml = "name = \"m\"\n[on.A]\nsql = \"a.sql\"\n[on.B]\ncall = \"f\"";
    let schema = "CREATE TABLE t (id uuid);
        CREATE FUNCTION f(id uuid) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$";
    let module = module(folder.path(), &catalog, toml, schema, "").unwrap();
    let mut stream = Stream::new(&catalog);
    for n in 0..100 {
        let id = if n == 40 { "no id".to_string() } else { format!("{n:032}") };
        stream.json(if n == 70 { "B" } else { "A" }, &format!("{{\"id\":\"{id}\"}}"));
    }
    let report = server.load(&module, &catalog, &stream.batches(100)).unwrap();
    assert_eq!((report.taken, report.rejected), (98, 2));
    expect![[r#"
        41: a.sql: the server refused the row: ERROR 22P02: invalid input syntax for type uuid: "no id"
        71: f(): the server refused the row: ERROR P0001: not this one"#]]
    .assert_eq(
        &server.query("m", "SELECT position || ': ' || table_name || ': ' || reason FROM etl.rejected").join("\n"),
    );
    assert_eq!(server.query("m", "SELECT count(*) FROM t"), ["98"]);
}

/// All names in what the loader writes for the server, as columns and parameters of a module: none may be taken for the
/// loader's own, which would leave rows out in silence.
#[test]
fn columns_and_parameters_are_called_as_the_module_likes() {
    const NAMES: [&str; 19] = [
        "stage",
        "stages",
        "place",
        "places",
        "step",
        "calls",
        "plans_last",
        "etl_event",
        "etl_walk",
        "at",
        "kind",
        "e",
        "found",
        "outdated",
        "etl_plans_due",
        "etl_stage_now",
        "walk",
        "events",
        "n",
    ];
    let server = Server::start("handlers_names");
    let folder = tempfile::tempdir().unwrap();
    let list = |one: &dyn Fn(usize, &str) -> String, between: &str| {
        NAMES.iter().enumerate().map(|(index, name)| one(index, name)).collect::<Vec<_>>().join(between)
    };
    let values = list(&|index, _| format!("${}", index + 1), ", ");
    for (module_name, kind, field, quote) in [("numbers", "integer", "int32", ""), ("texts", "text", "string", "\"")] {
        let fields = list(&|index, name| format!("{field} {name} = {};", index + 1), " ");
        let catalog = catalog(&format!("message Copied {{ {fields} }} message Called {{ {fields} }}"));
        let columns = list(&|_, name| format!("\"{name}\" {kind}"), ", ");
        let schema = format!(
            "CREATE TABLE etl_walk ({columns}); CREATE TABLE stage ({columns});
             CREATE FUNCTION e({columns}) RETURNS void LANGUAGE sql AS $$ INSERT INTO stage VALUES ({values}) $$"
        );
        let toml = "order = \"strict\"\n[on.Copied]\ncopy = \"etl_walk\"\n[on.Called]\ncall = \"e\"\n";
        let toml = format!("name = \"{module_name}\"\n{toml}");
        let module = module(folder.path(), &catalog, &toml, &schema, "").unwrap();
        let mut stream = Stream::new(&catalog);
        for n in 0..100 {
            for event_type in ["Copied", "Called"] {
                let json = list(&|_, name| format!("\"{name}\":{quote}{n}{quote}"), ",");
                stream.json(event_type, &format!("{{{json}}}"));
            }
        }
        let report = server.load(&module, &catalog, &stream.batches(90)).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((report.taken, report.rejected), (200, 0));
        for table in ["etl_walk", "stage"] {
            let sums = format!("SELECT count(*), sum(stage::integer), sum(n::integer) FROM {table}");
            assert_eq!(server.query(module_name, &sums), ["100|4950|4950"], "{table}");
        }
    }
}

/// Where a database still takes backslashes in any text, and in statements that hold others.
#[test]
fn scripts_mean_the_same_whatever_the_database_says_of_quotes() {
    let server = Server::start("handlers_quotes");
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog("message A { int32 n = 1; }");
    let script = r"INSERT INTO t SELECT n, 'a\' FROM a; INSERT INTO t SELECT n, E'it''s \'; b' FROM a;
        CREATE OR REPLACE FUNCTION one() RETURNS integer BEGIN ATOMIC SELECT 0; SELECT CASE WHEN true THEN 1 END; END;
        CREATE OR REPLACE RULE twice AS ON INSERT TO a$b$ DO INSTEAD (
            INSERT INTO t VALUES (new.n, 'c;'); INSERT INTO t VALUES (new.n, $c$;$c$));
        INSERT INTO a$b$ SELECT n + one() FROM a";
    std::fs::write(folder.path().join("a.sql"), script).unwrap();
    let schema = "CREATE TABLE t (n integer, body text); CREATE TABLE a$b$ (n integer);
        CREATE FUNCTION one() RETURNS integer LANGUAGE sql AS 'SELECT 0'";
    let module = module(folder.path(), &catalog, "name = \"m\"\n[on.A]\nsql = \"a.sql\"", schema, "").unwrap();
    server.query_database("postgres", &format!("CREATE DATABASE \"{}\"", server.database("m")));
    let set = format!("ALTER DATABASE \"{}\" SET standard_conforming_strings = off", server.database("m"));
    server.query_database("postgres", &set);
    let mut stream = Stream::new(&catalog);
    stream.json("A", "{\"n\":1}");
    let report = server.load(&module, &catalog, &stream.batches(1)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((report.taken, report.rejected), (1, 0));
    let rows = server.query("m", "SELECT n, body FROM t ORDER BY body COLLATE \"C\"");
    assert_eq!(rows, ["2|;", r"1|a\", "2|c;", "1|it's '; b"]);
}

/// The function of one event ends in the name of another: `on_person_sent` in `on_sent`.
#[test]
fn an_error_names_the_script_of_its_own_event() {
    let server = Server::start("handlers_ends");
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog("message Sent { int32 n = 1; } message PersonSent { int32 n = 1; }");
    std::fs::write(folder.path().join("sent.sql"), "SELECT n FROM sent;\nSELECT 1;\nSELECT 2").unwrap();
    let again = "SELECT n FROM person_sent;\nSELECT n / 0 FROM person_sent WHERE n <> 0;\nINSERT INTO t (n) SELECT n FROM person_sent";
    std::fs::write(folder.path().join("person_sent.sql"), again).unwrap();
    let toml = "name = \"m\"\n[on.Sent]\nsql = \"sent.sql\"\n[on.PersonSent]\nsql = \"person_sent.sql\"";
    let module = module(folder.path(), &catalog, toml, "CREATE TABLE t (n integer)", "").unwrap();
    let mut stream = Stream::new(&catalog);
    stream.json("Sent", "{\"n\":0}").json("PersonSent", "{\"n\":0}");
    let mut sink = server.open(&module, &catalog).unwrap();
    server.query("m", "ALTER TABLE t RENAME n TO other");
    let error = sink.write(&stream.batches(2)[0]).and_then(|()| sink.finish()).unwrap_err().to_string();
    assert!(error.contains("running ") && error.contains("/person_sent.sql:3: ERROR 42703"), "{error}");
}

#[test]
fn handlers_are_checked_before_the_load() {
    let server = Server::start("handlers_checked");
    let catalog = catalog(PROTO);
    let opened = |toml: &str, sent: &str| {
        let folder = tempfile::tempdir().unwrap();
        handled(folder.path(), &catalog, &format!("name = \"m\"\n{toml}")).unwrap();
        std::fs::write(folder.path().join("sent.sql"), sent).unwrap();
        let module = Module::load(folder.path(), &catalog).unwrap();
        let error = server.open(&module, &catalog).err().expect("it doesn't fit");
        error.to_string().replace(&folder.path().display().to_string(), "m")
    };
    expect![[r#"
        m/sent.sql:2:29: ERROR 42703: column "m" does not exist
          |
        2 | INSERT INTO seen (n) SELECT m FROM sent
          |                             ^"#]]
    .assert_eq(&opened("[on.Sent]\nsql = \"sent.sql\"\n", "SELECT 'å';\nINSERT INTO seen (n) SELECT m FROM sent"));
    expect![[r#"
        m/sent.sql:2:1: ERROR 0A000: EXECUTE of transaction commands is not implemented
          |
        2 | COMMIT
          | ^^^^^^
          = leave BEGIN and COMMIT out: handlers run within a transaction of the loader"#]]
    .assert_eq(&opened("[on.Sent]\nsql = \"sent.sql\"\n", "SELECT 1;\nCOMMIT"));
    expect![[r#"
        m/module.toml:3:7: the staged events are called `seen`, and so is a table of the module
          |
        3 | sql = "sent.sql"
          |       ^^^^^^^^^^
          = call the table otherwise"#]]
    .assert_eq(&opened("[on.Seen]\nsql = \"sent.sql\"\n", "SELECT 1"));
    let schema = "CREATE TABLE etl_staged_0 (n integer)";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("sent.sql"), "INSERT INTO etl_staged_0 SELECT 1").unwrap();
    let hidden =
        module(folder.path(), &catalog, "name = \"m\"\n[on.Blocked]\nsql = \"sent.sql\"\n", schema, "").unwrap();
    let said = server.open(&hidden, &catalog).err().expect("it is hidden").to_string();
    assert!(said.contains("the staged events are called `etl_staged_0`, and so is a table of the module"), "{said}");
    expect![[r#"
        m/module.toml:3:8: m/schema.sql makes no function `note_blockd`
          |
        3 | call = "note_blockd"
          |        ^^^^^^^^^^^^^
          = did you mean `note_blocked`?"#]]
    .assert_eq(&opened("[on.Blocked]\ncall = \"note_blockd\"\n[on.Sent]\ncall = \"note_unblocked\"\n", "x"));
}
