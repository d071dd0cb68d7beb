//! Every kind of field into every type of column that takes it, at its limits.

use etl_schemas::ticks::Ticks;
use uuid::Uuid;

use crate::server::Server;
use crate::stream::{Key, Stream, catalog, module};

const PROTO: &str = "
enum Colour { COLOUR_UNSPECIFIED = 0; COLOUR_DARK_RED = 1; }
message Typed {
    optional bool b = 1;
    optional int32 i32 = 2; optional int64 i64 = 3; optional uint32 u32 = 4; optional uint64 u64 = 5;
    optional sint32 s32 = 6; optional sint64 s64 = 7;
    optional float f = 8; optional double d = 9;
    optional string s = 10; optional string id = 11; optional string amount = 12; optional string doc = 13;
    optional string day = 14;
    optional bytes raw = 15; optional bytes raw_id = 16;
    optional google.protobuf.Timestamp at = 17;
    optional Colour colour = 2000;
}
message Plain { bool b = 1; int32 i = 2; string s = 3; bytes raw = 4; double d = 5; Colour colour = 6; }";

const MODULE: &str = "
name = \"typed\"
[on.Typed]
copy = \"app.typed\"
columns = { i2 = \"s32\", i4 = \"i32\", i8 = \"i64\", n_u64 = \"u64\", n_s64 = \"s64\", limited = \"s\", padded = \"s\",
    amount2 = \"amount\", label = \"colour\", labelled = \"colour\", number = \"colour\", jb = \"doc\", ts = \"at\", date = \"at\",
    key_text = \"key\", key_number = \"key\", Odd = \"u32\", dom = \"amount\" }
[on.Plain]
copy = \"plain\"
";

const SCHEMA: &str = "
CREATE SCHEMA app;
CREATE TYPE app.colour AS ENUM ('unknown', 'dark_red');
CREATE DOMAIN app.money AS numeric(19,4) NOT NULL DEFAULT 0 CHECK (value >= -1000000000000000);
CREATE TABLE app.typed (
    b boolean, i2 smallint, i4 integer, i8 bigint, \"Odd\" bigint, n_u64 numeric, n_s64 numeric(19,0), f real, d double precision,
    s text, limited varchar(5), padded char(6), id uuid, amount numeric(38,10), amount2 numeric, dom app.money, doc json,
    jb jsonb, raw bytea, raw_id uuid, at timestamptz, ts timestamp, date date, day date, colour text, label app.colour,
    labelled varchar(10), number smallint, event_id uuid, stream text, position bigint, event_type text, occurred_at timestamptz,
    key_text text, key_number numeric, computed integer GENERATED ALWAYS AS (1 + 1) STORED, serial integer GENERATED ALWAYS AS IDENTITY,
    made timestamptz NOT NULL DEFAULT now(), gone text
);
ALTER TABLE app.typed DROP COLUMN gone;
CREATE TABLE plain (b boolean NOT NULL, i integer NOT NULL, s text NOT NULL, raw bytea NOT NULL, d double precision NOT NULL, colour text NOT NULL);";

#[test]
fn values_arrive_as_they_are() {
    let server = Server::start("types");
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog(PROTO);
    let module = module(folder.path(), &catalog, MODULE, SCHEMA, "").unwrap();
    let mut stream = Stream::new(&catalog);
    stream.json(
        "Typed",
        r#"{"b":true,"i32":-2147483648,"i64":"-9223372036854775808","u32":4294967295,"u64":"18446744073709551615","s32":-32768,
            "s64":"-9223372036854775808","f":3.4028234e38,"d":-5e-324,"s":"åäö€😀","id":"2ED6657D-e927-568b-95e1-2665a8aea6a2",
            "amount":"-999999999999999.9999","doc":"{\"a\": [1, \"\\u00e5\"]}","day":"0001-01-01",
            "raw":"AP8=","raw_id":"LtZlfeknVouV4SZlqK6mog==","at":"0001-01-01T00:00:00.000001900Z","colour":"COLOUR_DARK_RED"}"#,
    );
    stream.json("Typed", r#"{"amount":"0","s":"12345  "}"#);
    stream.json("Typed", r#"{"d":"NaN","f":"-Infinity","amount":"0.0001","at":"9999-12-31T23:59:59.999999900Z","s":"","day":"9999-12-31"}"#);
    stream.json("Plain", "{}");
    let report = server.load(&module, &catalog, &stream.batches(10)).unwrap();
    assert_eq!((report.taken, report.rejected, report.passed_over), (4, 0, 0));

    let select = "SELECT b, i2, i4, i8, \"Odd\", n_u64, n_s64, f, d, s, limited, padded || '!', id FROM app.typed ORDER BY position";
    assert_eq!(
        server.query("typed", select),
        [
            "t|-32768|-2147483648|-9223372036854775808|4294967295|18446744073709551615|-9223372036854775808|3.4028235e+38|-5e-324|\
             åäö€😀|åäö€😀|åäö€😀!|2ed6657d-e927-568b-95e1-2665a8aea6a2",
            "-|-|-|-|-|-|-|-|-|12345  |12345|12345!|-",
            "-|-|-|-|-|-|-|-Infinity|NaN|||!|-",
        ]
    );
    let select = "SELECT amount, amount2, dom, doc, jb, raw, raw_id, at AT TIME ZONE 'UTC', ts, date, day FROM app.typed ORDER BY position";
    assert_eq!(
        server.query("typed", select),
        [
            "-999999999999999.9999000000|-999999999999999.9999|-999999999999999.9999|{\"a\": [1, \"\\u00e5\"]}|{\"a\": [1, \"å\"]}|\\x00ff|\
             2ed6657d-e927-568b-95e1-2665a8aea6a2|0001-01-01 00:00:00.000001|0001-01-01 00:00:00.000001|0001-01-01|0001-01-01",
            "0.0000000000|0|0.0000|-|-|-|-|-|-|-|-",
            "0.0001000000|0.0001|0.0001|-|-|-|-|9999-12-31 23:59:59.999999|9999-12-31 23:59:59.999999|9999-12-31|9999-12-31",
        ]
    );
    let select = "SELECT colour, label, labelled, number, stream, position, event_type, occurred_at AT TIME ZONE 'UTC', key_text, key_number,
                  computed, serial, made IS NOT NULL, event_id FROM app.typed ORDER BY position LIMIT 1";
    let id = stream.batches(10)[0].event(0).id();
    assert_eq!(
        server.query("typed", select),
        [format!("DARK_RED|dark_red|DARK_RED|1|member/1|1|Typed|1970-01-01 00:00:00|1|1|2|1|t|{id}")]
    );
    assert_eq!(server.query("typed", "SELECT b, i, s, raw, d, colour FROM plain"), ["f|0||\\x|0|UNSPECIFIED"]);
}

#[test]
fn keys_of_every_kind_arrive() {
    let server = Server::start("keys");
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog("message A { int32 n = 1; }");
    let toml = "name = \"keys\"\n[on.A]\ncopy = \"a\"\ncolumns = { uuid = \"key\" }";
    let module = module(folder.path(), &catalog, toml, "CREATE TABLE a (n integer, key text, uuid uuid)", "").unwrap();
    let uuid = Uuid::NAMESPACE_DNS;
    let mut stream = Stream::new(&catalog);
    stream.event("A", Ticks(0), &Key::Uuid(uuid), "s", &[]);
    stream.event("A", Ticks(1), &Key::Text(&uuid.simple().to_string()), "s", &[]);
    stream.event("A", Ticks(2), &Key::Integer(-7), "s", &[]);
    let report = server.load(&module, &catalog, &stream.batches(10)).unwrap();
    assert_eq!((report.taken, report.rejected), (2, 1));
    let rows = server.query("keys", "SELECT key, uuid FROM a");
    assert_eq!(rows, [format!("{uuid}|{uuid}"), format!("{}|{uuid}", uuid.simple())]);
    assert_eq!(
        server.query("keys", "SELECT key, reason FROM etl.rejected"),
        ["-7|the value for `uuid` (uuid) is no UUID"]
    );
}

/// Postgres itself says what each text is as a number.
#[test]
fn decimals_of_every_shape_arrive_exactly() {
    let server = Server::start("decimals");
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog("message A { string text = 1; string number = 2; }");
    let schema = "CREATE TABLE a (text text, number numeric)";
    let module = module(folder.path(), &catalog, "name = \"d\"\n[on.A]\ncopy = \"a\"", schema, "").unwrap();
    let mut stream = Stream::new(&catalog);
    let digits = "00012003400000567890000000009999000100000000";
    for whole in 0..=21 {
        for fraction in 0..=21 {
            for sign in ["", "-"] {
                let point = if fraction > 0 { "." } else { "" };
                let text = format!("{sign}{}{point}{}", &digits[whole..2 * whole], &digits[fraction..2 * fraction]);
                if whole + fraction > 0 {
                    stream.json("A", &format!("{{\"text\":\"{text}\",\"number\":\"{text}\"}}"));
                }
            }
        }
    }
    let report = server.load(&module, &catalog, &stream.batches(100)).unwrap();
    assert_eq!((report.taken, report.rejected), (2 * (22 * 22 - 1), 0));
    let different = "SELECT text, number FROM a WHERE text::numeric::text <> number::text";
    assert_eq!(server.query("d", different), [""; 0]);
}
