//! The shape of a statement, joins, and statements that no person wrote.

use etl_schemas::sql_type::SqlType;
use expect_test::expect;

use super::{EVENTS, with, wrong};
use crate::sample::{catalog, compile, project, table};

#[test]
fn joins_go_by_the_key() {
    let join = |on: &str| with("m.Body AS body").replace("dbo.Messages m", &format!("dbo.Messages m LEFT JOIN {on}"));
    wrong(
        &join("dbo.Members s ON s.Gender = m.SenderId"),
        &expect![[r#"
        mappings/test.sql:5:48: neither side alone is dbo.Members's key
          |
        5 | FROM dbo.Messages m LEFT JOIN dbo.Members s ON s.Gender = m.SenderId;
          |                                                ^^^^^^^^^^^^^^^^^^^^^
          = write ON s.Id = <expression of the other tables>"#]],
    );
    wrong(
        &join("dbo.Log l ON l.Id = m.Id"),
        &expect![[r#"
        mappings/test.sql:5:31: dbo.Log can't be looked up: it has no unique key of a single column
          |
        5 | FROM dbo.Messages m LEFT JOIN dbo.Log l ON l.Id = m.Id;
          |                               ^^^^^^^
          = only tables with such a key can be joined"#]],
    );
    wrong(
        &join("dbo.Members s ON s.Id = m.Body"),
        &expect![[r#"
        mappings/test.sql:5:55: dbo.Members's key is a bigint, this is a text
          |
        5 | FROM dbo.Messages m LEFT JOIN dbo.Members s ON s.Id = m.Body;
          |                                                       ^^^^^^
          = CAST it AS bigint"#]],
    );
    wrong(
        &join("dbo.Members s ON s.Id = m.SenderId AND s.Gender = 1"),
        &expect![[r#"
        mappings/test.sql:5:48: a join goes by equality with the lookup's key
          |
        5 | FROM dbo.Messages m LEFT JOIN dbo.Members s ON s.Id = m.SenderId AND s.Gender = 1;
          |                                                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          = write ON s.Id = <expression of the other tables>"#]],
    );
    let ambiguous = join("dbo.Members s ON s.Id = m.SenderId").replace("m.Body AS body", "Body AS body");
    wrong(
        &ambiguous,
        &expect![[r#"
        mappings/test.sql:4:8: column `Body` is ambiguous
          |
        4 |        Body AS body
          |        ^^^^
          = write m.Body or s.Body"#]],
    );
}

#[test]
fn syntax_that_is_no_mapping() {
    wrong(
        "SELECT 1",
        &expect![[r#"
        mappings/test.sql:1:1: this statement is no mapping
          |
        1 | SELECT 1
          | ^^^^^^
          = a mapping is: INSERT INTO <event> SELECT <expression> AS <field>, ... FROM <table> [LEFT JOIN <lookup> ON <key> = <expression>] [WHERE <condition>]"#]],
    );
    wrong(
        "INSERT INTO MessageSent SELECT m.Id AS key FROM Messages m GROUP BY m.Id",
        &expect![[r#"
        mappings/test.sql:1:25: a mapping goes row by row: GROUP BY and windows are not possible
          |
        1 | INSERT INTO MessageSent SELECT m.Id AS key FROM Messages m GROUP BY m.Id
          |                         ^^^^^^
          = a mapping is: INSERT INTO <event> SELECT <expression> AS <field>, ... FROM <table> [LEFT JOIN <lookup> ON <key> = <expression>] [WHERE <condition>]"#]],
    );
    wrong(
        "INSERT INTO MessageSent SELECT m.Id AS FROM Messages m",
        &expect![[r#"
        mappings/test.sql:1:45: Expected: end of statement or `;`, found: Messages
          |
        1 | INSERT INTO MessageSent SELECT m.Id AS FROM Messages m
          |                                             ^
          = a mapping is: INSERT INTO <event> SELECT <expression> AS <field>, ... FROM <table> [LEFT JOIN <lookup> ON <key> = <expression>] [WHERE <condition>]"#]],
    );
    wrong(
        "INSERT INTO MessageSent SELECT 'open FROM Messages m",
        &expect![[r#"
        mappings/test.sql:1:32: Unterminated string literal
          |
        1 | INSERT INTO MessageSent SELECT 'open FROM Messages m
          |                                ^"#]],
    );
    wrong(
        "INSERT INTO MessageSent SELECT m.Id AS key FROM Messages m WHERE m.Id = (SELECT 1)",
        &expect![[r#"
        mappings/test.sql:1:13: this mapping has no column `occurred_at`
          |
        1 | INSERT INTO MessageSent SELECT m.Id AS key FROM Messages m WHERE m.Id = (SELECT 1)
          |             ^^^^^^^^^^^
          = every mapping gives the engine's columns: occurred_at, key, stream

        mappings/test.sql:1:13: this mapping has no column `stream`
          |
        1 | INSERT INTO MessageSent SELECT m.Id AS key FROM Messages m WHERE m.Id = (SELECT 1)
          |             ^^^^^^^^^^^
          = every mapping gives the engine's columns: occurred_at, key, stream

        mappings/test.sql:1:13: MessageSent.message_id gets no value
          |
        1 | INSERT INTO MessageSent SELECT m.Id AS key FROM Messages m WHERE m.Id = (SELECT 1)
          |             ^^^^^^^^^^^
          = add <expression> AS message_id, or declare it `optional` in events.proto

        mappings/test.sql:1:13: MessageSent.gender gets no value
          |
        1 | INSERT INTO MessageSent SELECT m.Id AS key FROM Messages m WHERE m.Id = (SELECT 1)
          |             ^^^^^^^^^^^
          = add <expression> AS gender, or declare it `optional` in events.proto

        mappings/test.sql:1:74: this expression is not possible in a mapping
          |
        1 | INSERT INTO MessageSent SELECT m.Id AS key FROM Messages m WHERE m.Id = (SELECT 1)
          |                                                                          ^^^^^^^^
          = columns, constants, operators, CASE, CAST, AT TIME ZONE and functions are; see docs/mapping.md"#]],
    );
    wrong(
        "INSERT INTO MessageSent SELECT * FROM Messages m",
        &expect![[r#"
        mappings/test.sql:1:32: `*` is not possible: name every field
          |
        1 | INSERT INTO MessageSent SELECT * FROM Messages m
          |                                ^
          = a mapping is: INSERT INTO <event> SELECT <expression> AS <field>, ... FROM <table> [LEFT JOIN <lookup> ON <key> = <expression>] [WHERE <condition>]"#]],
    );
    wrong(
        "INSERT INTO MessageSent SELECT m.Id + 1 FROM Messages m",
        &expect![[r#"
        mappings/test.sql:1:32: this expression has no name: write AS <field> behind it
          |
        1 | INSERT INTO MessageSent SELECT m.Id + 1 FROM Messages m
          |                                ^^^^^^^^
          = a mapping is: INSERT INTO <event> SELECT <expression> AS <field>, ... FROM <table> [LEFT JOIN <lookup> ON <key> = <expression>] [WHERE <condition>]"#]],
    );
    wrong(
        "INSERT INTO MessageSent SELECT row_number() OVER (ORDER BY m.Id) AS key FROM Messages m",
        &expect![[r#"
        mappings/test.sql:1:13: this mapping has no column `occurred_at`
          |
        1 | INSERT INTO MessageSent SELECT row_number() OVER (ORDER BY m.Id) AS key FROM Messages m
          |             ^^^^^^^^^^^
          = every mapping gives the engine's columns: occurred_at, key, stream

        mappings/test.sql:1:13: this mapping has no column `stream`
          |
        1 | INSERT INTO MessageSent SELECT row_number() OVER (ORDER BY m.Id) AS key FROM Messages m
          |             ^^^^^^^^^^^
          = every mapping gives the engine's columns: occurred_at, key, stream

        mappings/test.sql:1:13: MessageSent.message_id gets no value
          |
        1 | INSERT INTO MessageSent SELECT row_number() OVER (ORDER BY m.Id) AS key FROM Messages m
          |             ^^^^^^^^^^^
          = add <expression> AS message_id, or declare it `optional` in events.proto

        mappings/test.sql:1:13: MessageSent.gender gets no value
          |
        1 | INSERT INTO MessageSent SELECT row_number() OVER (ORDER BY m.Id) AS key FROM Messages m
          |             ^^^^^^^^^^^
          = add <expression> AS gender, or declare it `optional` in events.proto

        mappings/test.sql:1:32: a mapping goes row by row: windows and aggregates are not possible
          |
        1 | INSERT INTO MessageSent SELECT row_number() OVER (ORDER BY m.Id) AS key FROM Messages m
          |                                ^^^^^^^^^^
          = remove it"#]],
    );
}

#[test]
fn deep_and_long_statements_are_refused_not_overflowed() {
    let tables = [table("Messages", &[("Id", SqlType::Int)], Some("Id"))];
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path());
    let refused = |expression: &str, message: &str| {
        let sql = format!("INSERT INTO MessageSent SELECT {expression} AS key FROM Messages");
        let error = compile(&project, &tables, &catalog(&project, EVENTS), &sql).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    };
    refused(&format!("{}1{}", "(".repeat(500), ")".repeat(500)), "nested too deeply");
    refused(&vec!["1"; 9_000].join(" + "), "nested too deeply");
    refused(&vec!["1"; 11_000].join(" + "), "at most 20000 can be compiled");
}

proptest::proptest! {
    /// Words of the language in any order, and any text: errors come back, nothing else.
    #[test]
    fn hostile_statements_never_panic(
        words in proptest::collection::vec(proptest::sample::select(vec![
            "INSERT INTO", "MessageSent", "SELECT", "FROM", "Messages", "m", "m.Id", "AS", "key", ",", "(", ")", "'", "''", "\"",
            "[", "]", ";", "--", "/*", "CASE", "WHEN", "THEN", "ELSE", "END", "CAST", "trim", "1", "-", "NULL", "NOT",
            "AT TIME ZONE", "'UTC'", "LEFT JOIN", "Members", "ON", "=", "IN", "LIKE", "BETWEEN", "AND", "::", "é", "9e999",
            "substring", "position", "uuid5", "concat", "occurred_at", "stream", "*", "99999999999999999999",
        ]), 0..40),
        noise: String,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let project = project(folder.path());
        let tables = [table("Messages", &[("Id", SqlType::Int)], Some("Id"))];
        let catalog = catalog(&project, EVENTS);
        for text in [words.join(" "), format!("INSERT INTO MessageSent SELECT {} FROM Messages m", words.join(" ")), noise] {
            if let Err(error) = compile(&project, &tables, &catalog, &text) {
                proptest::prop_assert!(!error.to_string().contains("defect"), "{}: {}", text, error);
            }
        }
    }
}
