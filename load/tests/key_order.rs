//! Rows of a transaction go into their table in the order of its key, where nobody can tell.

use crate::server::Server;
use crate::stream::{Stream, catalog, module};

const PROTO: &str = "message A { int32 n = 1; string id = 2; string s = 3; }";
const MODULE: &str = "name = \"m\"\n[on.A]\ncopy = \"a\"\n";

/// Events with falling ids; the fourth one's text is `bad`, the sixth one has the id of the second.
fn stream(catalog: &std::sync::Arc<etl_schemas::event::EventCatalog>) -> Stream {
    let mut stream = Stream::new(catalog);
    for n in 1..=6 {
        let (id, s) = (9 - if n == 6 { 2 } else { n }, if n == 4 { "bad" } else { "good" });
        stream.json("A", &format!(r#"{{"n":{n},"id":"{id}0000000-0000-0000-0000-000000000000","s":"{s}"}}"#));
    }
    stream
}

/// Loads the stream into a table; gives the numbers as they lie in it, and who was refused.
fn loaded(name: &str, schema: &str) -> (Vec<String>, Vec<String>) {
    let server = Server::start(name);
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog(PROTO);
    let module = module(folder.path(), &catalog, MODULE, schema, "").unwrap();
    server.load(&module, &catalog, &stream(&catalog).batches(4)).unwrap();
    let lying = server.query("m", "SELECT n FROM a ORDER BY tableoid, ctid");
    (
        lying,
        server.query("m", "SELECT position || ': ' || substring(reason, 'ERROR .....') FROM etl.rejected ORDER BY 1"),
    )
}

#[test]
fn rows_lie_in_the_order_of_their_key_and_the_later_of_two_is_refused() {
    let (lying, refused) =
        loaded("sorted", "CREATE TABLE a (n integer NOT NULL, s text CHECK (s <> 'bad'), id uuid PRIMARY KEY)");
    assert_eq!(refused, ["4: ERROR 23514", "6: ERROR 23505"]);
    assert_eq!(lying, ["5", "3", "2", "1"]);
}

#[test]
fn a_table_that_could_tell_gets_its_rows_in_the_order_of_events() {
    let columns = "n integer NOT NULL, s text, id uuid";
    let trigger = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
        CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f();";
    for (name, schema) in [
        ("no_key", format!("CREATE TABLE a ({columns})")),
        ("identity", format!("CREATE TABLE a ({columns}, seen bigint GENERATED ALWAYS AS IDENTITY, UNIQUE (id, n))")),
        ("default", format!("CREATE TABLE a ({columns}, seen timestamptz DEFAULT clock_timestamp(), UNIQUE (id, n))")),
        ("two_keys", format!("CREATE TABLE a ({columns}, UNIQUE (id, n), UNIQUE (n))")),
        ("excluding", format!("CREATE TABLE a ({columns}, UNIQUE (id, n), EXCLUDE USING btree (n WITH =))")),
        ("trigger", format!("CREATE TABLE a ({columns}, UNIQUE (id, n)); {trigger}")),
        ("published", format!("CREATE TABLE a ({columns}, UNIQUE (id, n)); CREATE PUBLICATION p FOR ALL TABLES")),
        (
            "parts",
            format!(
                "CREATE TABLE a ({columns}, UNIQUE (id, n)) PARTITION BY RANGE (n);
                 CREATE TABLE part PARTITION OF a FOR VALUES FROM (0) TO (100)"
            ),
        ),
    ] {
        let (lying, refused) = loaded(name, &schema);
        assert_eq!((lying.join(" ").as_str(), refused.len()), ("1 2 3 4 5 6", 0), "{name}");
    }
}
