//! Rows cost no allocation on their way from events to what COPY sends, whatever columns they fill and whoever takes them.

#![allow(clippy::unwrap_used, reason = "what the tests build on fails a test by panicking")]

use std::path::Path;
use std::sync::Arc;

use etl_fixtures::allocations::{COUNTING, Counting, PER_ROW_MAX, alone, per_row};
use etl_load::module::Module;
use etl_load::sink::Sink;
use etl_schemas::event::{EventBatch, EventCatalog};
use etl_schemas::ticks::Ticks;

use server::Server;
use stream::{Key, Stream};

#[allow(dead_code, reason = "shared with the other tests")]
mod server;
#[allow(dead_code, reason = "shared with the other tests")]
mod stream;

#[global_allocator]
static ALLOCATOR: &Counting = &COUNTING;

const FEW: i64 = 12_000;
const MANY: i64 = 5 * FEW;
/// As many events as the transform puts into a batch.
const BATCH: usize = 4096;

/// A column of each type that values are encoded for in a way of its own.
const PROTO: &str = "
enum Colour { COLOUR_UNSPECIFIED = 0; COLOUR_DARK_RED = 1; }
message Arrived {
    optional bool b = 1; optional int32 i = 2; optional int64 l = 3; optional uint64 u = 4; optional float f = 5;
    optional double d = 6; optional string s = 7; optional string id = 8; optional string amount = 9;
    optional string doc = 10; optional bytes raw = 11; optional google.protobuf.Timestamp at = 12; optional Colour colour = 13;
    optional string day = 14;
}";
const SCHEMA: &str = "
CREATE TYPE colour AS ENUM ('unspecified', 'dark_red');
CREATE TABLE typed (
    b boolean, i integer, i2 smallint, l bigint, u numeric, f real, d double precision, s text, limited varchar(40), id uuid,
    amount numeric(38,10), doc jsonb, json json, raw bytea, at timestamptz, day date, colour text, label colour,
    event_id uuid, stream text, position bigint, event_type text, occurred_at timestamptz, key bigint, key_text text
);
CREATE TABLE nested (n jsonb);
CREATE TABLE counted (n bigint);";
const COLUMNS: &str =
    "columns = { i2 = \"i\", limited = \"s\", json = \"doc\", label = \"colour\", key_text = \"key\" }";
const BODIES: [&str; 3] = [
    r#"{"b":true,"i":-17,"l":"-9223372036854775808","u":"18446744073709551615","f":1.5,"d":-5e-324,"s":"Hej på dig, pannkaka",
        "id":"2ed6657d-e927-568b-95e1-2665a8aea6a2","amount":"-1234567.8901","doc":"\"\\u00e5\"",
        "raw":"AP8=","at":"2014-03-01T12:30:00.123456Z","colour":"COLOUR_DARK_RED","day":"2014-03-01"}"#,
    r#"{"s":"", "amount":"0", "colour":"COLOUR_UNSPECIFIED"}"#,
    r#"{"s":"En längre text om allt som är gott", "f":"NaN", "amount":"99999.5", "at":"0001-01-01T00:00:00Z", "doc":"17"}"#,
];

#[test]
fn events_are_copied_without_an_allocation_per_row() {
    let _alone = alone();
    let per_row = loaded("copied", &format!("[on.Arrived]\ncopy = \"typed\"\n{COLUMNS}\n"), &BODIES);
    assert!(per_row < PER_ROW_MAX, "each row costs {per_row:.4} allocations");
}

/// A nested document costs one: serde_json, which checks that it is JSON before the server does, keeps what it is in on
/// the heap. Its other checks (`deserialize_any`) refuse numbers and depths that Postgres takes.
#[test]
fn nested_json_costs_one_allocation() {
    let _alone = alone();
    let handler = "[on.Arrived]\ncopy = \"nested\"\ncolumns = { n = \"doc\" }\n";
    let per_row = loaded("nested", handler, &[r#"{"doc":"{\"a\": [1, {\"b\": null}]}"}"#]);
    assert!(per_row < 1.0 + PER_ROW_MAX, "each row costs {per_row:.4} allocations");
}

#[test]
fn events_are_staged_for_sql_without_an_allocation_per_row() {
    let _alone = alone();
    let per_row = loaded("staged", "[on.Arrived]\nsql = \"count.sql\"\n", &BODIES);
    assert!(per_row < PER_ROW_MAX, "each row costs {per_row:.4} allocations");
}

/// Loads few events and many through a module with this handler; gives what each more costs.
fn loaded(name: &str, handler: &str, bodies: &[&str]) -> f64 {
    let server = Server::start(&format!("allocations_{name}"));
    let folder = tempfile::tempdir().unwrap();
    let catalog = stream::catalog(PROTO);
    let work = |module: &str, count: i64| {
        let module = module_of(folder.path(), &catalog, module, handler);
        let batches = events(&catalog, count, bodies);
        let (server, catalog) = (&server, &catalog);
        move || load(server, &module, catalog, &batches)
    };
    let (few, many) = (work("few", FEW), work("many", MANY));
    per_row(few, many)
}

/// A module whose handler may be `count.sql`.
fn module_of(folder: &Path, catalog: &EventCatalog, name: &str, handler: &str) -> Module {
    let folder = folder.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("count.sql"), "INSERT INTO counted SELECT count(*) FROM arrived").unwrap();
    stream::module(&folder, catalog, &format!("name = \"{name}\"\n{handler}"), SCHEMA, "").unwrap()
}

fn load(server: &Server, module: &Module, catalog: &Arc<EventCatalog>, batches: &[Arc<EventBatch>]) -> u64 {
    let mut sink = server.open(module, catalog).unwrap_or_else(|error| panic!("{error}"));
    for batch in batches {
        sink.write(batch).unwrap();
    }
    let report = sink.stop().unwrap();
    assert_eq!((report.rejected, report.passed_over), (0, 0));
    report.taken
}

/// So many events of a hundred streams, with the bodies one after another.
fn events(catalog: &Arc<EventCatalog>, count: i64, bodies: &[&str]) -> Vec<Arc<EventBatch>> {
    let mut written = Stream::new(catalog);
    for body in bodies {
        written.json("Arrived", body);
    }
    let written = written.batches(bodies.len());
    let bodies: Vec<&[u8]> = written[0].events().map(|event| event.body).collect();
    let mut stream = Stream::new(catalog);
    for n in 0..count {
        let name = format!("member/{}", n % 100);
        let key = Key::Integer(n + 1);
        stream.event("Arrived", Ticks(n * 10_000_000), &key, &name, bodies[n as usize % bodies.len()]);
    }
    stream.batches(BATCH)
}
