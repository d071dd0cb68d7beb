//! Which tables a transaction keeps autovacuum away from, as a column's default sees its locks.

use etl_load::postgres::{IfExists, Origin, PostgresOptions, PostgresSink};
use etl_load::sink::Sink;

use crate::server::Server;
use crate::stream::{Stream, catalog, fingerprint, module};

const COPY: &str = "name = \"m\"\n[on.A]\ncopy = \"a b\"\n";
/// Each row tells how many such locks its transaction held; the text of the function doesn't speak of the table.
const SCHEMA: &str = "
    CREATE FUNCTION held() RETURNS bigint VOLATILE LANGUAGE sql AS $$
        SELECT count(*) FROM pg_locks WHERE mode = 'ShareUpdateExclusiveLock' AND pid = pg_backend_pid() $$;
    CREATE TABLE \"a b\" (n integer UNIQUE, held bigint DEFAULT held());";

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
    server.query("m", "SELECT held FROM \"a b\" ORDER BY n")
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

/// What a trigger or a foreign key looks up is planned by statistics as well; LOCK would reach all partitions.
#[test]
fn a_table_that_something_else_uses_is_not() {
    let refers = format!("{SCHEMA} CREATE TABLE other (n integer REFERENCES \"a b\" (n));");
    let sees = format!("{SCHEMA} CREATE VIEW other AS SELECT n FROM \"a b\";");
    let partitioned = SCHEMA.replace("held())", "held()) PARTITION BY RANGE (n)")
        + "CREATE TABLE first PARTITION OF \"a b\" DEFAULT;";
    for (test, schema) in [("refers", refers), ("sees", sees), ("partitioned", partitioned)] {
        assert_eq!(held(&format!("locks_{test}"), COPY, &schema, Origin::Dump), ["0", "0"], "{test}");
    }
}
