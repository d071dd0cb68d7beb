//! Rows that Postgres wouldn't take: rejected by name, while the others load.

use etl_load::LoadError;
use etl_load::postgres::{IfExists, PostgresOptions, PostgresSink};
use etl_load::sink::Sink;
use etl_schemas::ticks::Ticks;

use crate::server::Server;
use crate::stream::{Key, Stream, catalog, fingerprint, module};

const PROTO: &str = "message A {
    optional int32 n = 1; optional string s = 2; optional string amount = 3; optional string id = 4; optional string doc = 5;
    optional google.protobuf.Timestamp at = 6; optional uint64 big = 7; }";
const MODULE: &str = "name = \"m\"\n[on.A]\ncopy = \"a\"\n";

#[test]
fn values_that_do_not_fit_are_named_before_they_are_sent() {
    let server = Server::start("values");
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog(PROTO);
    let schema = "CREATE TABLE a (n smallint NOT NULL, s varchar(3), amount numeric(5,2), id uuid, doc jsonb, at date, big bigint)";
    let module = module(folder.path(), &catalog, MODULE, schema, "").unwrap();
    let mut stream = Stream::new(&catalog);
    stream.json("A", r#"{"n":1,"s":"fit"}"#);
    stream.json("A", r#"{"n":2,"s":"a\u0000b"}"#);
    stream.json("A", r#"{"n":32768}"#);
    stream.json("A", r#"{"s":"no"}"#);
    stream.json("A", r#"{"n":5,"s":"four"}"#);
    stream.json("A", r#"{"n":6,"amount":"1234.5"}"#);
    stream.json("A", r#"{"n":7,"amount":"1.005"}"#);
    stream.json("A", r#"{"n":8,"amount":"abc"}"#);
    stream.json("A", r#"{"n":9,"id":"xyz"}"#);
    stream.json("A", r#"{"n":10,"doc":"{"}"#);
    stream.json("A", r#"{"n":11,"big":"18446744073709551615"}"#);
    stream.event("A", Ticks(1), &Key::Text("nul\0key"), "nul\0stream", &[0x12, 200]);
    stream.event("A", Ticks(2), &Key::Integer(13), "s", &[0x08, 1, 0x12, 1, 0xff]);
    // Seconds of the year 10,000.
    stream.event("A", Ticks(3), &Key::Integer(14), "s", &[0x08, 1, 0x32, 7, 0x08, 0x80, 0x83, 0x95, 0x80, 0xb0, 0x07]);
    stream.json("A", r#"{"n":15}"#);
    let report = server.load(&module, &catalog, &stream.batches(4)).unwrap();
    assert_eq!((report.taken, report.rejected, report.tables[0].rows), (2, 13, 2));
    assert_eq!(server.query("m", "SELECT n FROM a"), ["1", "15"]);
    expect_test::expect![[r#"
        2 a A: the value for `s` (character varying(3)) holds a NUL character, which Postgres can't store
        3 a A: the value for `n` (smallint) is 32768, beyond the column's range
        4 a A: the value for `n` (smallint) is NULL, which the column doesn't take
        5 a A: the value for `s` (character varying(3)) has 4 characters, the column takes 3
        6 a A: the value for `amount` (numeric(5,2)) has more digits before the point than numeric(5,2) can hold
        7 a A: the value for `amount` (numeric(5,2)) has more than the 2 digits behind the point that the column keeps
        8 a A: the value for `amount` (numeric(5,2)) is no plain decimal number, such as -12.50
        9 a A: the value for `id` (uuid) is no UUID
        10 a A: the value for `doc` (jsonb) is no JSON: EOF while parsing an object at line 1 column 1
        11 a A: the value for `big` (bigint) is 18446744073709551615, beyond the column's range
        12 a A: the event's bytes don't fit its type: a value is cut off at the end of its message
        13 a A: the event's bytes don't fit its type: field 2 is no valid UTF-8
        14 a A: the event's bytes don't fit its type: field 6 holds a timestamp outside years 0001 to 9999"#]]
    .assert_eq(
        &server
            .query("m", "SELECT position || ' ' || table_name || ' ' || event_type || ': ' || reason FROM etl.rejected")
            .join("\n"),
    );
    let odd = "SELECT key, stream, encode(body, 'hex'), event_id FROM etl.rejected WHERE position = 12";
    let id = stream.batches(20)[0].event(11).id();
    assert_eq!(server.query("m", odd), [format!("nul␀key|nul␀stream|12c8|{id}")]);
}

/// Constraints, triggers and formats that only the server knows, in every way in which it reports them.
#[test]
fn rows_that_the_server_refuses_are_found_and_left_out() {
    let server = Server::start("server");
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog(PROTO);
    let schema = "
        CREATE TABLE a (n integer PRIMARY KEY, s text CHECK (s <> 'bad'), doc jsonb, amount numeric,
            id uuid CONSTRAINT later UNIQUE DEFERRABLE INITIALLY DEFERRED);
        CREATE TABLE parent (n integer PRIMARY KEY);
        INSERT INTO parent SELECT generate_series(0, 400);
        ALTER TABLE a ADD FOREIGN KEY (n) REFERENCES parent;
        CREATE FUNCTION no_13() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN IF NEW.n % 100 = 13 THEN RAISE 'no thirteen'; END IF; RETURN NEW; END $$;
        CREATE TRIGGER no_13 BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION no_13();";
    let module = module(folder.path(), &catalog, MODULE, schema, "").unwrap();
    let mut stream = Stream::new(&catalog);
    for n in 1..=300 {
        let s = if n % 50 == 0 { "bad" } else { "good" };
        let number = match n {
            60 => 59,
            70 => 999,
            _ => n,
        };
        let doc = if n == 80 { r#""\\u0000""# } else { "{}" };
        let id = if n == 90 { "00000000-0000-0000-0000-000000000089".to_string() } else { format!("{n:032}") };
        stream
            .json("A", &format!(r#"{{"n":{number},"s":"{s}","doc":{doc:?},"id":"{id}"}}"#).replace("\\\\\\\\", "\\\\"));
    }
    let report = server.load(&module, &catalog, &stream.batches(70)).unwrap();
    let rejected = server.query("m", "SELECT position || ': ' || reason FROM etl.rejected ORDER BY position");
    expect_test::expect![[r#"
        13: the server refused the row: ERROR P0001: no thirteen
        50: the server refused the row: ERROR 23514: new row for relation "a" violates check constraint "a_s_check" (Failing row contains (50, bad, {}, null, 00000000-0000-0000-0000-000000000050).)
        60: the server refused the row: ERROR 23505: duplicate key value violates unique constraint "a_pkey" (Key (n)=(59) already exists.)
        70: the server refused the row: ERROR 23503: insert or update on table "a" violates foreign key constraint "a_n_fkey" (Key (n)=(999) is not present in table "parent".)
        80: the server refused the row: ERROR 22P05: unsupported Unicode escape sequence (\u0000 cannot be converted to text.)
        90: the server refused the row: ERROR 23505: duplicate key value violates unique constraint "later" (Key (id)=(00000000-0000-0000-0000-000000000089) already exists.)
        100: the server refused the row: ERROR 23514: new row for relation "a" violates check constraint "a_s_check" (Failing row contains (100, bad, {}, null, 00000000-0000-0000-0000-000000000100).)
        113: the server refused the row: ERROR P0001: no thirteen
        150: the server refused the row: ERROR 23514: new row for relation "a" violates check constraint "a_s_check" (Failing row contains (150, bad, {}, null, 00000000-0000-0000-0000-000000000150).)
        200: the server refused the row: ERROR 23514: new row for relation "a" violates check constraint "a_s_check" (Failing row contains (200, bad, {}, null, 00000000-0000-0000-0000-000000000200).)
        213: the server refused the row: ERROR P0001: no thirteen
        250: the server refused the row: ERROR 23514: new row for relation "a" violates check constraint "a_s_check" (Failing row contains (250, bad, {}, null, 00000000-0000-0000-0000-000000000250).)
        300: the server refused the row: ERROR 23514: new row for relation "a" violates check constraint "a_s_check" (Failing row contains (300, bad, {}, null, 00000000-0000-0000-0000-000000000300).)"#]]
    .assert_eq(&rejected.join("\n"));
    assert_eq!((report.taken, report.rejected, report.position), (287, 13, 300));
    assert_eq!(server.query("m", "SELECT count(*), count(DISTINCT n) FROM a"), ["287|287"]);
}

#[test]
fn past_the_limit_loading_stops_and_can_go_on() {
    let server = Server::start("limit");
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog(PROTO);
    let module = module(folder.path(), &catalog, MODULE, "CREATE TABLE a (n integer NOT NULL)", "").unwrap();
    let mut stream = Stream::new(&catalog);
    for n in 0..30 {
        stream.json("A", if n % 10 == 0 { "{}" } else { r#"{"n":1}"# });
    }
    let batches = stream.batches(5);
    let open = |rejects_max| {
        let options = PostgresOptions {
            rejects_max: Some(rejects_max),
            rows_per_transaction: 5,
            ..server.options(IfExists::Resume)
        };
        PostgresSink::open(&server.target(), &module, &catalog, &fingerprint(), &options).unwrap()
    };
    let mut sink = open(1);
    let error = batches.iter().find_map(|batch| sink.write(batch).err()).unwrap();
    assert!(matches!(error, LoadError::TooManyRejects { rejected: 2, allowed: 1, .. }), "{error}");
    assert!(error.to_string().contains("event 11 (A): the value for `n`"), "{error}");
    drop(sink);
    let mut sink = open(3);
    assert_eq!(sink.durable_position(), 15);
    for batch in &batches {
        sink.write(batch).unwrap();
    }
    assert_eq!(sink.finish().unwrap().rejected, 3);
    assert_eq!(server.query("m", "SELECT count(*) FROM a"), ["27"]);
}
