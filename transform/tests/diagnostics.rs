//! What a person sees who made a mistake: every error with its place, and what would be right.

use etl_schemas::sql_type::SqlType;
use expect_test::{Expect, expect};

use crate::sample::{catalog, compile, project, table};

const EVENTS: &str = "message MessageSent { string message_id = 1; optional string body = 2; Gender gender = 3; \
                      optional int32 size = 4; optional bool seen = 5; } \
                      enum Gender { GENDER_UNKNOWN = 0; GENDER_MAN = 1; GENDER_WOMAN = 2; }";

/// Compiles `sql` and compares all that is wrong with it.
fn wrong(sql: &str, shown: &Expect) {
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path());
    let tables = [
        table(
            "Messages",
            &[
                ("Id", SqlType::Int),
                ("SenderId", SqlType::Int),
                ("SentAt", SqlType::DateTime),
                ("Body", SqlType::NVarChar { length: None }),
                ("Price", SqlType::Money),
                ("Guid", SqlType::UniqueIdentifier),
            ],
            Some("Id"),
        ),
        table("Members", &[("Id", SqlType::Int), ("Gender", SqlType::TinyInt), ("Body", SqlType::Int)], Some("Id")),
        table("Log", &[("Id", SqlType::Int)], None),
    ];
    let error = compile(&project, &tables, &catalog(&project, EVENTS), sql).unwrap_err();
    shown.assert_eq(&error.to_string());
}

/// A mapping that is right but for `columns`.
fn with(columns: &str) -> String {
    format!(
        "INSERT INTO MessageSent\nSELECT m.SentAt AS occurred_at, m.Id AS key, 's' AS stream,\n       'x' AS message_id, \
         'MAN' AS gender,\n       {columns}\nFROM dbo.Messages m;"
    )
}

#[test]
fn names_that_do_not_exist() {
    wrong(
        &with("m.Bodi AS body"),
        &expect![[r#"
        mappings/test.sql:4:8: dbo.Messages has no column `Bodi`
          |
        4 |        m.Bodi AS body
          |        ^^^^^^
          = did you mean `Body`?"#]],
    );
    wrong(
        &with("x.Body AS body"),
        &expect![[r#"
        mappings/test.sql:4:8: this mapping reads no table `x`
          |
        4 |        x.Body AS body
          |        ^^^^^^
          = did you mean `m`?"#]],
    );
    wrong(
        &with("m.Body AS boddy"),
        &expect![[r#"
        mappings/test.sql:4:18: MessageSent has no field `boddy`
          |
        4 |        m.Body AS boddy
          |                  ^^^^^
          = did you mean `body`?"#]],
    );
    wrong(
        &with("trimm(m.Body) AS body"),
        &expect![[r#"
        mappings/test.sql:4:8: there is no function `trimm`
          |
        4 |        trimm(m.Body) AS body
          |        ^^^^^^^^^^^^
          = did you mean `trim`?"#]],
    );
    wrong(
        "INSERT INTO MessageSend SELECT 1 AS key FROM Mesages",
        &expect![[r#"
        mappings/test.sql:1:13: events.proto has no message `MessageSend`
          |
        1 | INSERT INTO MessageSend SELECT 1 AS key FROM Mesages
          |             ^^^^^^^^^^^
          = did you mean `MessageSent`?

        mappings/test.sql:1:46: the dump has no table dbo.Mesages
          |
        1 | INSERT INTO MessageSend SELECT 1 AS key FROM Mesages
          |                                              ^^^^^^^
          = did you mean `dbo.Messages`?"#]],
    );
}

#[test]
fn types_that_do_not_fit() {
    wrong(
        &with("m.Id AS body"),
        &expect![[r#"
        mappings/test.sql:4:8: field `body` is string, this is a bigint
          |
        4 |        m.Id AS body
          |        ^^^^
          = CAST it AS text"#]],
    );
    wrong(
        &with("m.Price AS size"),
        &expect![[r#"
        mappings/test.sql:4:8: field `size` is int32, this is a decimal
          |
        4 |        m.Price AS size
          |        ^^^^^^^
          = CAST it AS bigint"#]],
    );
    wrong(
        &with("m.Body + 1 AS size"),
        &expect![[r#"
        mappings/test.sql:4:17: this is a bigint, which doesn't go with a text
          |
        4 |        m.Body + 1 AS size
          |                 ^
          = CAST one of them"#]],
    );
    wrong(
        &with("m.Guid = 'no guid' AS seen"),
        &expect![[r#"
        mappings/test.sql:4:17: `no guid` can't be cast to uuid
          |
        4 |        m.Guid = 'no guid' AS seen
          |                 ^^^^^^^^^
          = write a constant of the other side's type, or CAST one of them"#]],
    );
    wrong(
        &with("CASE WHEN m.Id THEN 1 ELSE 'x' END AS size"),
        &expect![[r#"
        mappings/test.sql:4:18: a condition is expected here, this is a bigint
          |
        4 |        CASE WHEN m.Id THEN 1 ELSE 'x' END AS size
          |                  ^^^^
          = compare it"#]],
    );
    wrong(
        &with("m.Body AT TIME ZONE 'Europe/Stokholm' AS body"),
        &expect![[r#"
        mappings/test.sql:4:28: time zone `Europe/Stokholm` is not known
          |
        4 |        m.Body AT TIME ZONE 'Europe/Stokholm' AS body
          |                            ^^^^^^^^^^^^^^^^^
          = did you mean `Europe/Stockholm`?"#]],
    );
    wrong(
        &with("CAST(m.Guid AS int) AS size"),
        &expect![[r#"
        mappings/test.sql:4:13: a uuid can't be cast to bigint
          |
        4 |        CAST(m.Guid AS int) AS size
          |             ^^^^^^
          = CAST it AS text first if that is what is meant"#]],
    );
    wrong(
        &with("CAST(m.Body AS hstore) AS body"),
        &expect![[r#"
        mappings/test.sql:4:13: hstore is no type that can be cast to
          |
        4 |        CAST(m.Body AS hstore) AS body
          |             ^^^^^^
          = possible are boolean, smallint, int, bigint, decimal(p,s), double precision, text, varchar(n), uuid, date, time, timestamp, timestamptz, interval"#]],
    );
}

#[test]
fn enums_know_their_values() {
    let sql = with("m.Body AS body").replace("'MAN'", "CASE m.Id WHEN 1 THEN 'MAN' WHEN 2 THEN 'WOMEN' END");
    wrong(
        &sql,
        &expect![[r#"
        mappings/test.sql:3:67: `WOMEN` is no value of enum Gender
          |
        3 |        'x' AS message_id, CASE m.Id WHEN 1 THEN 'MAN' WHEN 2 THEN 'WOMEN' END AS gender,
          |                                                                   ^^^^^^^
          = did you mean `WOMAN`?"#]],
    );
    wrong(
        &with("m.Body AS body").replace("'MAN'", "m.Id"),
        &expect![[r#"
        mappings/test.sql:3:27: field `gender` is enum Gender, this is a bigint
          |
        3 |        'x' AS message_id, m.Id AS gender,
          |                           ^^^^
          = give the value's name as text, with CASE for instance"#]],
    );
}

#[test]
fn all_errors_come_together() {
    wrong(
        "INSERT INTO MessageSent SELECT m.Id AS key, NULL AS message_id, m.Nix AS gender FROM Messages m",
        &expect![[r#"
        mappings/test.sql:1:13: this mapping has no column `occurred_at`
          |
        1 | INSERT INTO MessageSent SELECT m.Id AS key, NULL AS message_id, m.Nix AS gender FROM Messages m
          |             ^^^^^^^^^^^
          = every mapping gives the engine's columns: occurred_at, key, stream

        mappings/test.sql:1:13: this mapping has no column `stream`
          |
        1 | INSERT INTO MessageSent SELECT m.Id AS key, NULL AS message_id, m.Nix AS gender FROM Messages m
          |             ^^^^^^^^^^^
          = every mapping gives the engine's columns: occurred_at, key, stream

        mappings/test.sql:1:45: field `message_id` is never NULL
          |
        1 | INSERT INTO MessageSent SELECT m.Id AS key, NULL AS message_id, m.Nix AS gender FROM Messages m
          |                                             ^^^^
          = declare it `optional` in events.proto, or give it a value

        mappings/test.sql:1:65: dbo.Messages has no column `Nix`
          |
        1 | INSERT INTO MessageSent SELECT m.Id AS key, NULL AS message_id, m.Nix AS gender FROM Messages m
          |                                                                 ^^^^^
          = did you mean `Id`?"#]],
    );
}

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
fn the_key_of_a_type_is_of_one_kind() {
    let first = with("m.Body AS body");
    let second = first.replace("m.Id AS key", "m.Guid AS key");
    wrong(
        &format!("{first}\n{second}"),
        &expect![[r#"
        mappings/test.sql:7:33: the key of MessageSent is a bigint in mappings/test.sql and a uuid here
          |
        7 | SELECT m.SentAt AS occurred_at, m.Guid AS key, 's' AS stream,
          |                                 ^^^^^^
          = all mappings of an event type agree on the key's type"#]],
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

#[test]
fn dates_and_times_that_have_no_meaning() {
    wrong(
        &with("extract(yeer from m.SentAt) AS size"),
        &expect![[r#"
        mappings/test.sql:4:16: there is no date part `yeer` here
          |
        4 |        extract(yeer from m.SentAt) AS size
          |                ^^^^
          = did you mean `year`?"#]],
    );
    wrong(
        &with("DATEPART(mont, m.SentAt) AS size"),
        &expect![[r#"
        mappings/test.sql:4:17: there is no date part `mont` here
          |
        4 |        DATEPART(mont, m.SentAt) AS size
          |                 ^^^^
          = did you mean `month`?"#]],
    );
    wrong(
        &with("DATEADD(1, m.Id, m.SentAt) AS size"),
        &expect![[r#"
        mappings/test.sql:4:16: a date part is expected here
          |
        4 |        DATEADD(1, m.Id, m.SentAt) AS size
          |                ^
          = write day, for instance"#]],
    );
    wrong(
        &with("m.SentAt + 1 AS size"),
        &expect![[r#"
        mappings/test.sql:4:8: timestamp without time zone + bigint has no meaning
          |
        4 |        m.SentAt + 1 AS size
          |        ^^^^^^^^^^^^
          = write x + n * INTERVAL '1 day', or DATEADD(day, n, x)"#]],
    );
    wrong(
        &with("m.SentAt - 'yesterday' AS size"),
        &expect![[r#"
        mappings/test.sql:4:19: `yesterday` can't be cast to timestamp without time zone
          |
        4 |        m.SentAt - 'yesterday' AS size
          |                   ^^^^^^^^^^^
          = write INTERVAL '1 day' for a span of time, or CAST it to what it is"#]],
    );
    wrong(
        &with("m.SentAt + INTERVAL '1 fortnight' AS size"),
        &expect![[r#"
        mappings/test.sql:4:28: `1 fortnight` is no interval
          |
        4 |        m.SentAt + INTERVAL '1 fortnight' AS size
          |                            ^^^^^^^^^^^^^
          = write INTERVAL '1 year 2 months 3 days 04:05:06', or INTERVAL '5' DAY"#]],
    );
    wrong(
        &with("m.SentAt + INTERVAL '1.5' DAY AS size"),
        &expect![[r#"
        mappings/test.sql:4:28: `1.5` is no interval
          |
        4 |        m.SentAt + INTERVAL '1.5' DAY AS size
          |                            ^^^^^
          = write INTERVAL '1 year 2 months 3 days 04:05:06', or INTERVAL '5' DAY"#]],
    );
    wrong(
        &with("INTERVAL '1 day' * m.Price AS size"),
        &expect![[r#"
        mappings/test.sql:4:17: interval * decimal has no meaning
          |
        4 |        INTERVAL '1 day' * m.Price AS size
          |                 ^^^^^^^^^^^^^^^^^
          = an interval is multiplied by an integer; write it in a smaller unit"#]],
    );
    wrong(
        &with("extract(year from m.Body) AS size"),
        &expect![[r#"
        mappings/test.sql:4:26: a text has no year
          |
        4 |        extract(year from m.Body) AS size
          |                          ^^^^^^
          = dates have years to days, times have hours to microseconds, timestamps have both; CAST text AS timestamp"#]],
    );
    wrong(
        &with("date_trunc('dow', m.SentAt) AS size"),
        &expect![[r#"
        mappings/test.sql:4:19: nothing is cut to a dow
          |
        4 |        date_trunc('dow', m.SentAt) AS size
          |                   ^^^^^
          = millennium, century, decade, year, quarter, month, week, day and shorter ones are possible"#]],
    );
    wrong(
        &with("m.SentAt - m.SentAt AS size"),
        &expect![[r#"
        mappings/test.sql:4:8: field `size` is int32, this is an interval
          |
        4 |        m.SentAt - m.SentAt AS size
          |        ^^^^^^^^^^^^^^^^^^^
          = EXTRACT(epoch FROM it) gives its seconds; CAST it AS text, or those seconds AS bigint"#]],
    );
}

#[test]
fn patterns_and_encodings_that_can_not_be_used() {
    wrong(
        &with("regexp_replace(m.Body, '(a', 'b') AS body"),
        &expect![[r#"
        mappings/test.sql:4:31: this regular expression can't be used: unclosed group
          |
        4 |        regexp_replace(m.Body, '(a', 'b') AS body
          |                               ^^^^
          = see Regular expressions in docs/mapping.md"#]],
    );
    wrong(
        &with("regexp_replace(m.Body, 'a', '\\1') AS body"),
        &expect![[r#"
        mappings/test.sql:4:36: this regular expression can't be used: `\1` names no group; the pattern has 0 in parentheses
          |
        4 |        regexp_replace(m.Body, 'a', '\1') AS body
          |                                    ^^^^
          = see Regular expressions in docs/mapping.md"#]],
    );
    wrong(
        &with("regexp_replace(m.Body, m.Body, 'b') AS body"),
        &expect![[r#"
        mappings/test.sql:4:31: the pattern of a regular expression must be a constant
          |
        4 |        regexp_replace(m.Body, m.Body, 'b') AS body
          |                               ^^^^^^
          = a pattern is compiled once, so write text in quotes"#]],
    );
    wrong(
        &with("regexp_like(m.Body, 'a', 'iq') AS seen"),
        &expect![[r#"
        mappings/test.sql:4:33: this regular expression can't be used: there is no flag `q`; i, c, n, m, s, p, w and x are
          |
        4 |        regexp_like(m.Body, 'a', 'iq') AS seen
          |                                 ^^^^
          = see Regular expressions in docs/mapping.md"#]],
    );
    wrong(
        &with("encode(m.Body, 'rot13') AS body"),
        &expect![[r#"
        mappings/test.sql:4:23: encode has no such form
          |
        4 |        encode(m.Body, 'rot13') AS body
          |                       ^^^^^^^
          = write 'hex' or 'base64'"#]],
    );
    wrong(
        &with("sha256(m.Id) AS body"),
        &expect![[r#"
        mappings/test.sql:4:15: sha256 takes bytes or text, this is a bigint
          |
        4 |        sha256(m.Id) AS body
          |               ^^^^
          = CAST it AS text"#]],
    );
    wrong(
        &with("split_part(m.Body, ',') AS body"),
        &expect![[r#"
        mappings/test.sql:4:8: split_part takes 3 arguments, not 2
          |
        4 |        split_part(m.Body, ',') AS body
          |        ^^^^^^^^^^^^^^^^^^^^^^
          = see docs/mapping.md"#]],
    );
    wrong(
        &with("sha256(m.Body) AS body"),
        &expect![[r#"
        mappings/test.sql:4:8: field `body` is string, this is a bytea
          |
        4 |        sha256(m.Body) AS body
          |        ^^^^^^^^^^^^^
          = hex(it) or base64(it) makes text of bytes"#]],
    );
}
