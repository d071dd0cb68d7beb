//! Functions whose arguments have no meaning.

use expect_test::expect;

use super::{with, wrong};

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
