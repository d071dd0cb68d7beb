//! Derived tables: groups and windows over the dump, kept, and used like any table.

use std::path::Path;
use std::sync::Arc;

use etl_schemas::dump::Dump;
use etl_schemas::project::Project;
use etl_schemas::sql_type::SqlType;
use etl_schemas::table::{TableName, TableSchema};
use etl_transform::{Mappings, Program, RunOptions, TransformError, materialise};
use expect_test::expect;

use crate::sample::{Data, Table, at, catalog, dump, project, run, table, text};

const EVENTS: &str = "message Started { string who = 1; int64 messages = 2; optional string first = 3; }";
const DERIVED: &str = "\
-- A conversation's first message.
CREATE TABLE derived.Conversations (
  Id int PRIMARY KEY, StartedAt datetime2(3) NOT NULL, Messages bigint, FirstId int NOT NULL, Cost decimal(10,2), Half bit
) AS
SELECT Conversation, min(SentAt), count(*), min(Id) FILTER (WHERE SentAt IS NOT NULL), sum(Price + 0.0), count(*) % 2
FROM dbo.Messages GROUP BY Conversation;

CREATE TABLE derived.Long (Id int PRIMARY KEY, Rank bigint) AS
SELECT Id, row_number() OVER (ORDER BY Messages DESC, Id) FROM derived.Conversations WHERE Messages > 3;";
const SQL: &str = "\
INSERT INTO Started SELECT c.StartedAt AT TIME ZONE 'UTC' AS occurred_at, c.Id AS key, concat('c/', c.Id) AS stream,
  concat('rank ', l.Rank, ' cost ', c.Cost, ' half ', c.Half) AS who, c.Messages AS messages, m.Body AS first
FROM derived.Conversations c LEFT JOIN derived.Long l ON l.Id = c.Id LEFT JOIN dbo.Messages m ON m.Id = c.FirstId;";

fn messages() -> TableSchema {
    let columns = [
        ("Id", SqlType::Int),
        ("Conversation", SqlType::Int),
        ("SentAt", SqlType::DateTime2 { scale: 7 }),
        ("Body", SqlType::NVarChar { length: None }),
        ("Price", SqlType::Money),
        ("Flag", SqlType::Bit),
        ("Guid", SqlType::UniqueIdentifier),
        ("Day", SqlType::Date),
        ("Clock", SqlType::Time { scale: 7 }),
        ("Zoned", SqlType::DateTimeOffset { scale: 7 }),
        ("Raw", SqlType::VarBinary { length: None }),
        ("Wide", SqlType::Float),
    ];
    table("Messages", &columns, Some("Id"))
}

fn written(folder: &Path, offset: i64) -> Arc<Dump> {
    let rows = (0..100i64).map(|id| {
        let sent = at(2014, 1, 1, 0, (id * 37 + offset) % 600);
        let (day, clock) = (16_000 + id, id * 1_000_000_100);
        vec![
            Data::Int(id),
            Data::Int(id * id % 11),
            Data::Time(sent),
            text(&format!("message {id}")),
            text("1.2500"),
            Data::Bool(id % 2 == 0),
            Data::Bytes(vec![id as u8; 16]),
            Data::Int(day),
            Data::Int(clock),
            Data::Offset(sent, 60),
            Data::Bytes(vec![0, 255]),
            Data::Double(0.5),
        ]
    });
    dump(folder, &[Table::new(messages(), rows.collect()).cut(7, 4)])
}

fn compiled(project: &Project, derived: &str, sql: &str) -> Result<Program, TransformError> {
    let mappings = Mappings::from_texts([("mappings/test.sql".into(), sql.to_string())]);
    let mappings = mappings.with_derived([("derived/test.sql".into(), derived.to_string())]);
    mappings.compile(project, &[messages()], &catalog(project, EVENTS))
}

#[test]
fn groups_and_windows_become_tables_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path());
    written(&folder.path().join("dump"), 0);
    let program = Arc::new(compiled(&project, DERIVED, SQL).unwrap_or_else(|error| panic!("{error}")));
    let cache = folder.path().join("derived");
    let opened = || Dump::open(&folder.path().join("dump")).unwrap();
    let whole = Arc::new(materialise(&program, opened(), &cache).unwrap().0);
    assert_eq!(whole.table(&TableName::new("derived", "Long")).unwrap().rows(), 6);
    let (seen, ledger) = run(&program, &whole, &RunOptions::new(folder.path().join("work"))).unwrap();
    assert!(ledger.adds_up(), "{ledger:?}");
    let mut shown = String::new();
    for seen in &seen {
        shown.push_str(&format!("{} {} {:?}\n", seen.occurred_at, seen.stream, String::from_utf8_lossy(&seen.body)));
    }
    expect![[r#"
        2014-01-01T00:00:00 c/0 "\n\u{17}rank 6 cost 12.5 half f\u{10}\n\u{1a}\tmessage 0"
        2014-01-01T00:05:00 c/1 "\n\u{17}rank 1 cost 22.5 half f\u{10}\u{12}\u{1a}\tmessage 1"
        2014-01-01T00:13:00 c/3 "\n\u{17}rank 2 cost 22.5 half f\u{10}\u{12}\u{1a}\tmessage 5"
        2014-01-01T01:06:00 c/5 "\n\u{17}rank 4 cost 22.5 half f\u{10}\u{12}\u{1a}\tmessage 4"
        2014-01-01T01:14:00 c/4 "\n\u{17}rank 3 cost 22.5 half f\u{10}\u{12}\u{1a}\tmessage 2"
        2014-01-01T01:43:00 c/9 "\n\u{17}rank 5 cost 22.5 half f\u{10}\u{12}\u{1a}\tmessage 3"
    "#]]
    .assert_eq(&shown);

    // What is kept is used again, byte for byte, until dump or text change.
    let kept = || {
        let mut names: Vec<String> =
            std::fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let before = kept();
    assert_eq!(before.len(), 2, "{before:?}");
    let marker = cache.join(&before[0]).join("still-here");
    std::fs::write(&marker, "").unwrap();
    materialise(&program, opened(), &cache).unwrap();
    assert!(marker.exists(), "nothing was made anew");
    let changed = compiled(&project, &DERIVED.replace("Messages > 3", "Messages > 9"), SQL).unwrap();
    assert_ne!(changed.fingerprint(), program.fingerprint());
    materialise(&changed, opened(), &cache).unwrap();
    assert!(kept().contains(&before[0]) && !kept().contains(&before[1]), "{:?}", kept());
    // Another dump has other rows; those of the first stay as long as somebody reads them.
    let other = written(&folder.path().join("other"), 5);
    let other = || Dump::open(other.dir()).unwrap();
    let (_, reading) = materialise(&changed, opened(), &cache).unwrap();
    let before = kept();
    materialise(&changed, other(), &cache).unwrap();
    assert!(before.iter().all(|name| kept().contains(name)), "{before:?}, then {:?}", kept());
    drop(reading);
    // What was made of the other dump goes, and is made again, which removes what the first one had.
    for name in kept().into_iter().filter(|name| !before.contains(name)) {
        std::fs::remove_dir_all(cache.join(name)).unwrap();
    }
    materialise(&changed, other(), &cache).unwrap();
    assert!(before.iter().all(|name| !kept().contains(name)), "{before:?}, then {:?}", kept());
}

/// Every kind of column goes through SQLite and back unchanged.
#[test]
fn values_come_back_as_they_went_in() {
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path());
    written(&folder.path().join("dump"), 0);
    let derived = "CREATE TABLE derived.Copy (Id int, Conversation int, SentAt datetime2(7), Body nvarchar(max), Price money,
        Flag bit, Guid uniqueidentifier, Day date, Clock time(7), Zoned datetimeoffset(7), Raw varbinary(max), Wide float,
        PRIMARY KEY (Id)) AS SELECT * FROM Messages ORDER BY Id";
    let sql = "INSERT INTO Started SELECT m.SentAt AS occurred_at, m.Id AS key, 's' AS stream, m.Body AS first,
        m.Conversation AS messages,
        concat(m.Price, m.Flag, m.Guid, m.Day, m.Clock, m.Zoned, hex(m.Raw), m.Wide) AS who FROM %";
    let mut results = Vec::new();
    for from in ["derived.Copy m", "dbo.Messages m"] {
        let program = Arc::new(compiled(&project, derived, &sql.replace('%', from)).unwrap());
        let opened = Dump::open(&folder.path().join("dump")).unwrap();
        let whole = Arc::new(materialise(&program, opened, &folder.path().join("derived")).unwrap().0);
        results.push(run(&program, &whole, &RunOptions::new(folder.path().join("work"))).unwrap().0);
    }
    assert_eq!(results[0].len(), 100);
    assert_eq!(results[0], results[1]);
}

#[test]
fn mistakes_are_shown_in_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path());
    let wrong = |derived: &str| compiled(&project, derived, SQL).unwrap_err().to_string();
    let first = |derived: &str| wrong(derived).split("\n\n").next().unwrap_or_default().to_string();
    expect![[r#"
        derived/test.sql:2:8: no such column: Bodi
          |
        2 | SELECT Bodi FROM dbo.Messages
          |        ^^^^
          = derived tables are made by SQLite; this is its SQL"#]]
    .assert_eq(&first("CREATE TABLE derived.X (Body ntext) AS\nSELECT Bodi FROM dbo.Messages"));
    for (derived, said) in [
        ("CREATE TABLE derived.X (Id int) AS SELECT Id, Body FROM dbo.Messages", "has 2 columns, and 1 are declared"),
        ("CREATE TABLE derived.X (Id integer) AS SELECT 1", "known here: bit, tinyint"),
        ("CREATE TABLE derived.X (Id int, id int) AS SELECT 1, 2", "declared twice"),
        ("CREATE TABLE derived.X (Id int, PRIMARY KEY (Idd)) AS SELECT 1", "did you mean `Id`?"),
        ("CREATE TABLE dbo.X (Id int) AS SELECT 1", "`derived` is expected here"),
        ("CREATE TABLE derived.X AS SELECT 1", "`(` is expected here"),
        ("CREATE TABLE derived.X (Id int) AS DELETE FROM dbo.Messages", "may not be modified"),
        ("CREATE TABLE derived.X (Id int) AS SELECT Id FROM dbo.Massages", "no such table"),
        ("CREATE TABLE derived.X (Id int) AS SELECT 1; CREATE TABLE derived.X (Id int) AS SELECT 1", "another table"),
        ("SELECT 1", "`CREATE` is expected here"),
        ("CREATE TABLE derived.X (Id decimal(50,2)) AS SELECT 1", "can't be a decimal like this"),
    ] {
        let shown = wrong(derived);
        assert!(shown.contains("derived/test.sql:1:") && shown.contains(said), "{derived}:\n{shown}");
    }
}

#[test]
fn a_value_of_another_type_ends_the_run_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path());
    written(&folder.path().join("dump"), 0);
    let sql = "INSERT INTO Started SELECT TIMESTAMP '2014-01-01' AS occurred_at, x.V AS key, 's' AS stream, 'x' AS who,
        1 AS messages FROM derived.X x";
    for (declared, value, said) in [
        ("int", "Body", "row 1 of derived.X: V: `message 0` is no int"),
        ("tinyint", "Id * 100", "row 4 of derived.X: V: 300 is no tinyint"),
        ("int NOT NULL", "nullif(Id, 2)", "row 3 of derived.X: V: it is NULL"),
    ] {
        let derived = format!("CREATE TABLE derived.X (V {declared}) AS SELECT {value} FROM dbo.Messages ORDER BY Id");
        let program = compiled(&project, &derived, sql).unwrap();
        let opened = Dump::open(&folder.path().join("dump")).unwrap();
        let error = materialise(&program, opened, &folder.path().join("derived")).unwrap_err().to_string();
        assert!(error.contains(said) && error.contains("derived/test.sql:1:25"), "{error}");
    }
    assert!(std::fs::read_dir(folder.path().join("derived")).unwrap().next().is_none(), "nothing half-made stays");
}
