//! Plans are made for the tables as they are when a handler's turn has come, also where autovacuum has just noted them
//! as empty: then the server believes that they have no rows, and reads all of a table for every event.
//!
//! What the server did is told by its own counts, which the last handler keeps in a table.

use crate::server::Server;
use crate::stream::{Stream, catalog, module};

const EVENTS: u64 = 5_000;
const SCHEMA: &str = "
    CREATE TABLE sent (n integer PRIMARY KEY);
    CREATE TABLE known (n integer);
    CREATE TABLE last (name text PRIMARY KEY, n integer NOT NULL);
    CREATE TABLE work (name text, tuples bigint);
    CREATE FUNCTION note(n integer) RETURNS void LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO last VALUES ('member ' || n, n) ON CONFLICT (name) DO NOTHING;
              UPDATE last SET n = note.n + 1 WHERE name = 'member ' || note.n; END $$;";
const SENT: &str = "INSERT INTO sent SELECT n FROM sent_out;
    INSERT INTO known SELECT s.n FROM sent_out s JOIN sent ON sent.n = s.n";
const ENDED: &str = "INSERT INTO work SELECT relname, seq_tup_read + coalesce(idx_tup_fetch, 0)
    FROM pg_stat_xact_all_tables WHERE relname IN ('sent', 'last') OR relname LIKE 'etl\\_staged\\_%'";

#[test]
fn tables_that_were_noted_as_empty_are_not_read_for_every_event() {
    loads_with_good_plans("plans_empty", "VACUUM", ["0|0", "0|0"]);
}

/// What autovacuum notes while a load runs that follows a killed one.
#[test]
fn tables_that_were_noted_as_pages_without_rows_are_not_read_for_every_event() {
    let note = "UPDATE pg_class SET relpages = 470, reltuples = 0 WHERE relname IN ('sent', 'last')";
    loads_with_good_plans("plans_pages", note, ["470|0", "470|0"]);
}

/// Loads after `before` was run on the empty tables, of which the server then has these pages and rows.
fn loads_with_good_plans(test: &str, before: &str, noted: [&str; 2]) {
    let server = Server::start(test);
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog("message SentOut { int32 n = 1; } message Noted { int32 n = 1; } message Ended { }");
    std::fs::write(folder.path().join("sent.sql"), SENT).unwrap();
    std::fs::write(folder.path().join("ended.sql"), ENDED).unwrap();
    let toml =
        "name = \"m\"\n[on.SentOut]\nsql = \"sent.sql\"\n[on.Noted]\ncall = \"note\"\n[on.Ended]\nsql = \"ended.sql\"";
    let module = module(folder.path(), &catalog, toml, SCHEMA, "").unwrap();

    drop(server.open(&module, &catalog).unwrap());
    server.query("m", before);
    assert_eq!(server.query("m", "SELECT relpages, reltuples FROM pg_class WHERE relname IN ('sent', 'last')"), noted);

    let mut stream = Stream::new(&catalog);
    for event_type in ["SentOut", "Noted"] {
        for n in 0..EVENTS {
            stream.json(event_type, &format!("{{\"n\":{n}}}"));
        }
    }
    stream.json("Ended", "{}");
    let report = server.load(&module, &catalog, &stream.batches(1_000)).unwrap();
    assert_eq!((report.taken, report.rejected), (2 * EVENTS + 1, 0));
    assert_eq!(server.query("m", "SELECT count(*), (SELECT sum(n) FROM last) FROM known"), ["5000|12502500"]);
    // Bad plans read twelve million tuples of a table. Small tables are read whole by good plans too, until they have grown.
    let work = server.query("m", "SELECT name, tuples FROM work ORDER BY 1");
    for line in &work {
        let tuples: u64 = line.split_once('|').unwrap().1.parse().unwrap();
        assert!(tuples <= 50 * EVENTS, "{work:?}");
    }
    assert!(work.len() >= 4, "{work:?}");
}
