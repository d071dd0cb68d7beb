//! Every operator and function through the compiler and a run: one row, many expressions, their text compared.

use etl_schemas::sql_type::SqlType;
use etl_schemas::ticks::Ticks;
use etl_transform::RunOptions;

use crate::sample::{Data, Table, at, catalog, compile, dump, project, run, table, text};

/// Evaluates expressions over one row and gives each one's text, `NULL` for NULL.
fn texts(expressions: &[&str]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let schema = table(
        "T",
        &[
            ("Id", SqlType::Int),
            ("Name", SqlType::NVarChar { length: Some(50) }),
            ("Flag", SqlType::Bit),
            ("Price", SqlType::Money),
            ("Wall", SqlType::DateTime),
            ("Day", SqlType::Date),
            ("Guid", SqlType::UniqueIdentifier),
            ("Ratio", SqlType::Float),
            ("Moment", SqlType::DateTimeOffset { scale: 7 }),
            ("Nothing", SqlType::NVarChar { length: None }),
            ("NoInt", SqlType::Int),
            ("Order", SqlType::Int),
        ],
        Some("Id"),
    );
    let row = vec![
        Data::Int(7),
        text("  Åsa Öberg "),
        Data::Bool(true),
        text("12.5000"),
        Data::Time(Ticks(at(2014, 7, 1, 12, 30).0 + 1_230_000)),
        Data::Int(16_252),
        Data::Bytes((0..16).collect()),
        Data::Double(0.25),
        Data::Offset(at(2014, 7, 1, 10, 0), 120),
        Data::Null,
        Data::Null,
        Data::Int(1),
    ];
    let dump = dump(&folder.path().join("dump"), &[Table::new(schema.clone(), vec![row])]);
    let project = project(folder.path());
    let fields: Vec<String> =
        (0..expressions.len()).map(|place| format!("optional string f{place} = {};", place + 1)).collect();
    let catalog = catalog(&project, &format!("message E {{ {} }}", fields.join(" ")));
    let columns: Vec<String> = expressions
        .iter()
        .enumerate()
        .map(|(place, expression)| format!("CAST({expression} AS text) AS f{place}"))
        .collect();
    let sql = format!(
        "INSERT INTO E SELECT t.Wall AS occurred_at, t.Id AS key, 's' AS stream, {} FROM dbo.T t",
        columns.join(", ")
    );
    let program = compile(&project, &[schema], &catalog, &sql).unwrap_or_else(|error| panic!("{error}"));
    let (seen, ledger) = run(&program, &dump, &RunOptions::new(folder.path().join("work"))).unwrap();
    assert!(ledger.adds_up());
    assert_eq!(seen.len(), 1, "the row was rejected: {ledger:?}");
    let mut found = vec!["NULL".to_string(); expressions.len()];
    let mut reader = etl_schemas::wire::WireReader::new(&seen[0].body);
    while let Some((field, value)) = reader.field().unwrap() {
        let etl_schemas::wire::WireValue::Bytes(bytes) = value else { panic!("a string field") };
        found[field as usize - 1] = String::from_utf8(bytes.to_vec()).unwrap();
    }
    found
}

/// `(expression, expected text)` pairs.
fn check(cases: &[(&str, &str)]) {
    let expressions: Vec<&str> = cases.iter().map(|(expression, _)| *expression).collect();
    for ((expression, expected), found) in cases.iter().zip(texts(&expressions)) {
        assert_eq!(found, *expected, "{expression}");
    }
}

#[test]
fn logic_has_three_values() {
    check(&[
        ("NULL AND FALSE", "false"),
        ("NULL AND TRUE", "NULL"),
        ("NULL OR TRUE", "true"),
        ("NULL OR FALSE", "NULL"),
        ("NOT (t.NoInt = 1)", "NULL"),
        ("t.NoInt = t.NoInt", "NULL"),
        ("t.NoInt IS NULL", "true"),
        ("t.NoInt IS NOT NULL", "false"),
        ("t.NoInt IS DISTINCT FROM 1", "true"),
        ("t.NoInt IS NOT DISTINCT FROM NULL", "true"),
        ("(t.NoInt = 1) IS TRUE", "false"),
        ("(t.NoInt = 1) IS NOT TRUE", "true"),
        ("(t.NoInt = 1) IS UNKNOWN", "true"),
        ("t.Id IN (1, 7, NULL)", "true"),
        ("t.Id IN (1, NULL)", "NULL"),
        ("t.Id NOT IN (1, 2)", "true"),
        ("t.Id NOT IN (1, NULL)", "NULL"),
        ("t.Id BETWEEN 1 AND 7", "true"),
        ("t.Id NOT BETWEEN 1 AND NULL", "NULL"),
        ("t.Id BETWEEN 8 AND NULL", "false"),
        ("t.Flag", "true"),
        ("t.Flag = 1", "true"),
        ("NOT t.Flag", "false"),
    ]);
}

#[test]
fn comparisons_bring_both_sides_to_one_type() {
    check(&[
        ("t.Price = 12.5", "true"),
        ("t.Price > 12", "true"),
        ("t.Ratio < t.Price", "true"),
        ("t.Wall >= '2014-07-01'", "true"),
        ("t.Day = '2014-07-01'", "true"),
        ("t.Day < t.Wall", "true"),
        ("t.Moment = '2014-07-01 12:00:00+02'", "true"),
        ("t.Guid = '00010203-0405-0607-0809-0A0B0C0D0E0F'", "true"),
        ("t.Name <> 'x'", "true"),
        ("[Order] = 1", "true"),
        ("\"Order\" = 1", "true"),
        ("T.[order] = 1", "true"),
        ("dbo.T.Id", "7"),
    ]);
}

#[test]
fn arithmetic_is_exact() {
    check(&[
        ("t.Id + 1", "8"),
        ("-t.Id - -2", "-5"),
        ("t.Id / 2", "3"),
        ("-7 / 2", "-3"),
        ("-7 % 2", "-1"),
        ("t.Price * 2", "25.0000"),
        ("t.Price + t.Id", "19.5000"),
        ("t.Price / 3", "4.1666666666666667"),
        ("t.Ratio * 2", "0.5"),
        ("t.Id + t.Ratio", "7.25"),
        ("0.1 + 0.2", "0.3"),
        ("t.NoInt + 1", "NULL"),
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
    ]);
}

#[test]
fn casts_follow_postgres() {
    check(&[
        ("CAST(t.Price AS int)", "13"),
        ("CAST(2.5 AS int)", "3"),
        ("CAST(CAST(2.5 AS double precision) AS int)", "2"),
        ("CAST(' 42 ' AS int)", "42"),
        ("TRY_CAST('x' AS int)", "NULL"),
        ("TRY_CAST(t.Name AS decimal(10,2))", "NULL"),
        ("TRY_CAST(300 AS tinyint)", "NULL"),
        ("CAST('1.005' AS numeric(10,2))", "1.01"),
        ("TRY_CAST('12345.1' AS numeric(5,2))", "NULL"),
        ("CAST(t.Name AS varchar(4))", "  Ås"),
        ("CAST('true' AS boolean)", "true"),
        ("CAST(0 AS boolean)", "false"),
        ("CAST(t.Flag AS int)", "1"),
        ("t.Id::text || '!'", "7!"),
        ("CAST(t.Wall AS date)", "2014-07-01"),
        ("CAST(t.Day AS timestamp)", "2014-07-01 00:00:00"),
        ("CAST(t.Wall AS time)", "12:30:00.123"),
        ("CAST('{00010203-0405-0607-0809-0a0b0c0d0e0f}' AS uuid)", "00010203-0405-0607-0809-0a0b0c0d0e0f"),
        ("CAST('2014-02-28T12:00:00Z' AS timestamptz)", "2014-02-28 12:00:00+00"),
        ("DATE '2014-02-28'", "2014-02-28"),
        ("CAST(1e20 AS double precision)", "1e+20"),
        ("CAST(NULL AS int)", "NULL"),
    ]);
}

#[test]
fn case_and_coalesce_take_the_first_that_holds() {
    check(&[
        ("CASE t.Id WHEN 1 THEN 'a' WHEN 7 THEN 'b' ELSE 'c' END", "b"),
        ("CASE t.NoInt WHEN NULL THEN 'a' ELSE 'c' END", "c"),
        ("CASE WHEN t.NoInt = 1 THEN 'a' WHEN t.Flag THEN 'b' END", "b"),
        ("CASE WHEN t.Id > 9 THEN 1 END", "NULL"),
        ("CASE WHEN t.Id > 1 THEN t.Id ELSE t.Price END", "7"),
        ("coalesce(t.Nothing, t.Nothing, 'x')", "x"),
        ("COALESCE(t.NoInt, t.Price)", "12.5000"),
        ("isnull(t.NoInt, 0)", "0"),
        ("nullif(t.Id, 7)", "NULL"),
        ("nullif(t.Id, 8)", "7"),
        ("iif(t.Flag = 1, 'yes', 'no')", "yes"),
    ]);
}

#[test]
fn text_functions_count_characters() {
    check(&[
        ("trim(t.Name)", "Åsa Öberg"),
        ("ltrim(t.Name)", "Åsa Öberg "),
        ("rtrim(t.Name)", "  Åsa Öberg"),
        ("trim(both ' g' from t.Name)", "Åsa Öber"),
        ("btrim('xxaxx', 'x')", "a"),
        ("lower(t.Name)", "  åsa öberg "),
        ("upper(trim(t.Name))", "ÅSA ÖBERG"),
        ("upper('straße')", "STRAßE"),
        ("length(t.Name)", "12"),
        ("len(t.Name)", "11"),
        ("substring(t.Name, 3, 3)", "Åsa"),
        ("substring(t.Name from 7 for 100)", "Öberg "),
        ("substring('abc', 0, 2)", "a"),
        ("substring('abc', -5)", "abc"),
        ("replace('a-b-c', '-', '+')", "a+b+c"),
        ("replace('abc', '', '+')", "abc"),
        ("left(trim(t.Name), 3)", "Åsa"),
        ("left('abc', -1)", "ab"),
        ("right('abc', 2)", "bc"),
        ("right('abc', -1)", "bc"),
        ("position('sa' in t.Name)", "4"),
        ("strpos(t.Name, 'zz')", "0"),
        ("charindex('sa', t.Name)", "4"),
        ("trim(t.Nothing)", "NULL"),
        ("t.Name LIKE '%Ö_erg%'", "true"),
        ("t.Name NOT LIKE 'Å%'", "true"),
        ("t.Name ILIKE '%öBERG%'", "true"),
        ("'50%' LIKE '50!%' ESCAPE '!'", "true"),
        ("t.Nothing LIKE '%'", "NULL"),
    ]);
}

#[test]
fn text_is_joined_with_and_without_nulls() {
    check(&[
        ("concat('a', t.Nothing, 1, t.Flag)", "a1t"),
        ("'a' || t.Id", "a7"),
        ("'a' || t.Nothing", "NULL"),
        ("concat(t.Day, ' ', t.Guid)", "2014-07-01 00010203-0405-0607-0809-0a0b0c0d0e0f"),
        ("uuid5('member', t.NoInt)", "NULL"),
        ("N'å' || 'ä'", "åä"),
        ("'it''s'", "it's"),
    ]);
    // The namespace is the project's: python3 -c "import uuid; print(uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_OID,
    // 'etl project test'), 'member:7'))"
    let ids = texts(&["uuid5('member', t.Id)", "uuid5('member', '7')"]);
    assert_eq!(ids[0], "bd6d96ed-cc3b-55fa-bb0f-45addbad7293");
    assert_eq!(ids[0], ids[1]);
}

#[test]
fn time_zones_convert_both_ways() {
    check(&[
        ("t.Wall AT TIME ZONE 'Europe/Stockholm'", "2014-07-01 10:30:00.123+00"),
        ("t.Wall AT TIME ZONE 'UTC'", "2014-07-01 12:30:00.123+00"),
        ("t.Wall AT TIME ZONE 'W. Europe Standard Time'", "2014-07-01 10:30:00.123+00"),
        ("t.Moment AT TIME ZONE 'Europe/Stockholm'", "2014-07-01 12:00:00"),
        ("t.Day AT TIME ZONE 'Europe/Stockholm'", "2014-06-30 22:00:00+00"),
        ("CAST('2014-03-30 02:30' AS timestamp) AT TIME ZONE 'Europe/Stockholm'", "2014-03-30 01:30:00+00"),
        ("CAST('2014-10-26 02:30' AS timestamp) AT TIME ZONE 'Europe/Stockholm'", "2014-10-26 01:30:00+00"),
    ]);
}
