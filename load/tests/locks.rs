//! Which tables a transaction keeps autovacuum away from, as a trigger sees its locks.

use etl_load::postgres::{IfExists, Origin, PostgresOptions, PostgresSink};
use etl_load::sink::Sink;

use crate::server::Server;
use crate::stream::{Stream, catalog, fingerprint, module};

const COPY: &str = "name = \"m\"\n[on.A]\ncopy = \"a b\"\n";
const SCHEMA: &str = "
    CREATE TABLE \"a b\" (n integer NOT NULL);
    CREATE TABLE held (n bigint);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO held SELECT count(*) FROM pg_locks
        WHERE relation = '\"a b\"'::regclass AND mode = 'ShareUpdateExclusiveLock' AND pid = pg_backend_pid();
        RETURN NULL; END $$;
    CREATE TRIGGER note AFTER INSERT ON \"a b\" FOR EACH STATEMENT EXECUTE FUNCTION note();";

/// The locks of two transactions that load a row each.
fn held(test: &str, module_toml: &str, schema: &str, origin: Origin) -> Vec<String> {
    let server = Server::start(test);
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog("message A { int32 n = 1; }");
    let module = module(folder.path(), &catalog, module_toml, schema, "").unwrap();
    let options = PostgresOptions { origin, rows_per_transaction: 1, ..server.options(IfExists::Resume) };
    let mut sink = PostgresSink::open(&server.target(), &module, &catalog, &fingerprint(), &options).unwrap();
    let mut stream = Stream::new(&catalog);
    stream.json("A", "{\"n\":1}").json("A", "{\"n\":2}");
    stream.batches(2).iter().for_each(|batch| sink.write(batch).unwrap());
    assert_eq!(sink.finish().unwrap().taken, 2);
    server.query("m", "SELECT n FROM held")
}

#[test]
fn a_table_that_is_only_copied_into_from_a_dump_is_locked_against_autovacuum() {
    assert_eq!(held("locks_dump", COPY, SCHEMA, Origin::Dump), ["1", "1"]);
}

/// It is vacuumed for as long as its application lives.
#[test]
fn a_table_that_is_fed_by_a_queue_is_not() {
    assert_eq!(held("locks_queue", COPY, SCHEMA, Origin::Queue), ["0", "0"]);
}

/// Statements are planned against it, by statistics.
#[test]
fn a_table_that_handlers_may_read_is_not() {
    let strict = format!("order = \"strict\"\n{COPY}");
    assert_eq!(held("locks_staged", &strict, SCHEMA, Origin::Dump), ["0", "0"]);
}

/// LOCK would reach all of its partitions, however many there are.
#[test]
fn a_partitioned_table_is_not() {
    let partitioned = SCHEMA.replace("NOT NULL)", "NOT NULL) PARTITION BY RANGE (n)")
        + "CREATE TABLE first PARTITION OF \"a b\" DEFAULT;";
    assert_eq!(held("locks_partitioned", COPY, &partitioned, Origin::Dump), ["0", "0"]);
}
