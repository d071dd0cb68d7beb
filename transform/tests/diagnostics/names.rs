//! Names, types and enum values.

use expect_test::expect;

use super::{with, wrong};

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
