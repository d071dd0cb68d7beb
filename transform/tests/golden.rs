//! What evaluation gives, written down: checkpoints name the program's fingerprint, so a loaded database goes on only as
//! long as evaluation gives the same events. Where this test fails by intention, raise `VERSION` in
//! `transform/src/mapping/fingerprint.rs`, and only then run it with `UPDATE_EXPECT=1`.

use etl_schemas::event::EventKey;
use etl_schemas::sql_type::SqlType;
use etl_schemas::wire::{WireReader, WireValue};
use etl_transform::RunOptions;
use expect_test::expect;

use crate::sample::{Data, Table, at, catalog, compile, dump, project, table, text};

const EXPRESSIONS: [&str; 44] = [
    "t.Id / 3",
    "-7 % 3",
    "t.Price * 1.05",
    "t.Price / 7",
    "CAST(t.Price AS int)",
    "CAST(2.5 AS int)",
    "t.Wide * 3",
    "CAST(t.Wide AS decimal(10,2))",
    "1e-7",
    "t.Flag AND t.Id > 1",
    "t.Body LIKE '%b_r%'",
    "t.Body ILIKE 'FOO%'",
    "t.Id IN (1, 2, NULL)",
    "NULLIF(t.Id, 2)",
    "coalesce(t.Body, 'none')",
    "CASE t.Id WHEN 1 THEN 'one' ELSE concat('n', t.Id) END",
    "t.Body || '/' || t.Id",
    "concat(t.Body, '/', t.Flag)",
    "upper(t.Body)",
    "trim(t.Padded)",
    "length(t.Padded)",
    "len(t.Padded)",
    "substring(t.Body, 2, 3)",
    "replace(t.Body, 'o', '0')",
    "left(t.Body, -1)",
    "split_part(t.Body, ' ', -1)",
    "position('b' IN t.Body)",
    "regexp_replace(t.Body, '([aeo])', '<\\1>', 'g')",
    "regexp_like(t.Body, '^F', 'i')",
    "sha256(t.Body)",
    "encode(t.Raw, 'base64')",
    "hex(t.Raw)",
    "t.At + INTERVAL '1 month 1 day 02:00'",
    "t.At - TIMESTAMP '2014-01-01'",
    "date_trunc('week', t.At)",
    "EXTRACT(epoch FROM t.At)",
    "DATEADD(month, 1, t.At)",
    "DATEDIFF(week, TIMESTAMP '2014-01-01', t.At)",
    "CAST(t.At AS date) + 1",
    "t.At AT TIME ZONE 'Europe/Stockholm'",
    "t.At AT TIME ZONE 'Tokyo Standard Time'",
    "TRY_CAST(t.Body AS int)",
    "CAST('2014-03-30T02:30+01' AS timestamptz)",
    "uuid5('t', t.Id)",
];

#[test]
fn evaluation_gives_what_it_gave() {
    let folder = tempfile::tempdir().unwrap();
    let columns = [
        ("Id", SqlType::Int),
        ("Flag", SqlType::Bit),
        ("Price", SqlType::Money),
        ("Wide", SqlType::Float),
        ("Body", SqlType::NVarChar { length: None }),
        ("Padded", SqlType::Char { length: 6 }),
        ("Raw", SqlType::VarBinary { length: None }),
        ("At", SqlType::DateTime2 { scale: 7 }),
    ];
    let schema = table("T", &columns, Some("Id"));
    let row = |id, flag, price, wide, body: Data, month, day, hour| {
        let (price, at) = (text(price), Data::Time(at(2014, month, day, hour, 30)));
        vec![Data::Int(id), flag, price, Data::Double(wide), body, text(" ab   "), Data::Bytes(vec![0, 255, 16]), at]
    };
    let rows = vec![
        row(1, Data::Bool(true), "149.0000", 0.1, text("foo bår"), 3, 30, 2),
        row(2, Data::Bool(false), "-0.0050", 12_345.675, text("Foo bar ß"), 10, 26, 2),
        row(3, Data::Null, "2147483.5000", -2.675, Data::Null, 1, 31, 23),
        row(4, Data::Null, "922337203685477.5807", 1e20, Data::Null, 1, 31, 23),
    ];
    let dump = dump(&folder.path().join("dump"), &[Table::new(schema.clone(), rows)]);
    let project = project(folder.path());
    let fields: String = (1..=EXPRESSIONS.len()).map(|n| format!("optional string f{n} = {n}; ")).collect();
    let assignments: Vec<String> = EXPRESSIONS
        .iter()
        .enumerate()
        .map(|(n, expression)| format!("CAST({expression} AS text) AS f{}", n + 1))
        .collect();
    let sql = format!(
        "INSERT INTO E SELECT t.At AS occurred_at, t.Id AS key, concat('t/', t.Id) AS stream, {} FROM T t",
        assignments.join(", ")
    )
    .replace("CAST(sha256(t.Body) AS text)", "hex(sha256(t.Body))");
    let catalog = catalog(&project, &format!("message E {{ {fields} }}"));
    let program = compile(&project, &[schema], &catalog, &sql).unwrap_or_else(|error| panic!("{error}"));
    let mut stream = etl_transform::run(&program, &dump, &RunOptions::new(folder.path().join("work"))).unwrap();
    let mut shown = format!("program {}\n", program.fingerprint());
    let mut values = vec![vec!["NULL".to_string(); 3]; EXPRESSIONS.len()];
    while let Some(batch) = stream.next_batch().unwrap() {
        for event in batch.events() {
            let EventKey::Integer(id) = event.key() else { panic!("an integer key") };
            shown.push_str(&format!("{} {id} {} {}\n", event.occurred_at, event.stream(), event.id()));
            let mut reader = WireReader::new(event.body);
            while let Some((field, WireValue::Bytes(bytes))) = reader.field().unwrap() {
                values[field as usize - 1][id as usize - 1] = String::from_utf8(bytes.to_vec()).unwrap();
            }
        }
    }
    // The fourth row holds numbers past a CAST, so it lies in quarantine: that is part of what is held.
    let ledger = stream.finish().unwrap();
    assert!(ledger.adds_up() && ledger.rows_quarantined() == 1, "{ledger:?}");
    for (expression, values) in EXPRESSIONS.iter().zip(values) {
        shown.push_str(&format!("{expression}: {}\n", values.join(" | ")));
    }
    expect![[r#"
        program c97a15448b0e07882a3a63bf58069b3322f82d35be5772782d4cfa17c27d2617
        2014-01-31T22:30:00 3 t/3 ee795408-de93-559a-9c67-a2e42fd1f17d
        2014-03-30T01:30:00 1 t/1 6469358a-606d-5072-b74d-0c15dc922775
        2014-10-26T01:30:00 2 t/2 bfad56a5-04a3-5c7b-ba6c-f5204f628dca
        t.Id / 3: 0 | 0 | 1
        -7 % 3: -1 | -1 | -1
        t.Price * 1.05: 156.450000 | -0.005250 | 2254857.675000
        t.Price / 7: 21.2857142857142857 | -0.00071428571428571429 | 306783.357142857143
        CAST(t.Price AS int): 149 | 0 | 2147484
        CAST(2.5 AS int): 3 | 3 | 3
        t.Wide * 3: 0.30000000000000004 | 37037.024999999994 | -8.024999999999999
        CAST(t.Wide AS decimal(10,2)): 0.10 | 12345.68 | -2.68
        1e-7: 1e-07 | 1e-07 | 1e-07
        t.Flag AND t.Id > 1: false | false | NULL
        t.Body LIKE '%b_r%': true | true | NULL
        t.Body ILIKE 'FOO%': true | true | NULL
        t.Id IN (1, 2, NULL): true | true | NULL
        NULLIF(t.Id, 2): 1 | NULL | 3
        coalesce(t.Body, 'none'): foo bår | Foo bar ß | none
        CASE t.Id WHEN 1 THEN 'one' ELSE concat('n', t.Id) END: one | n2 | n3
        t.Body || '/' || t.Id: foo bår/1 | Foo bar ß/2 | NULL
        concat(t.Body, '/', t.Flag): foo bår/t | Foo bar ß/f | /
        upper(t.Body): FOO BÅR | FOO BAR ß | NULL
        trim(t.Padded): ab | ab | ab
        length(t.Padded): 6 | 6 | 6
        len(t.Padded): 3 | 3 | 3
        substring(t.Body, 2, 3): oo  | oo  | NULL
        replace(t.Body, 'o', '0'): f00 bår | F00 bar ß | NULL
        left(t.Body, -1): foo bå | Foo bar  | NULL
        split_part(t.Body, ' ', -1): bår | ß | NULL
        position('b' IN t.Body): 5 | 5 | NULL
        regexp_replace(t.Body, '([aeo])', '<\1>', 'g'): f<o><o> bår | F<o><o> b<a>r ß | NULL
        regexp_like(t.Body, '^F', 'i'): true | true | NULL
        sha256(t.Body): 9119441666fc0360c79257657efb79a1ff8265e6a90559426e77f744dc578532 | 3e0d02be87f605ede65f88fb37b174cda24af5d23ff36652aa9346ac87b98d9e | NULL
        encode(t.Raw, 'base64'): AP8Q | AP8Q | AP8Q
        hex(t.Raw): 00ff10 | 00ff10 | 00ff10
        t.At + INTERVAL '1 month 1 day 02:00': 2014-05-01 04:30:00 | 2014-11-27 04:30:00 | 2014-03-02 01:30:00
        t.At - TIMESTAMP '2014-01-01': 88 days 02:30:00 | 298 days 02:30:00 | 30 days 23:30:00
        date_trunc('week', t.At): 2014-03-24 00:00:00 | 2014-10-20 00:00:00 | 2014-01-27 00:00:00
        EXTRACT(epoch FROM t.At): 1396146600.000000 | 1414290600.000000 | 1391211000.000000
        DATEADD(month, 1, t.At): 2014-04-30 02:30:00 | 2014-11-26 02:30:00 | 2014-02-28 23:30:00
        DATEDIFF(week, TIMESTAMP '2014-01-01', t.At): 13 | 43 | 4
        CAST(t.At AS date) + 1: 2014-03-31 | 2014-10-27 | 2014-02-01
        t.At AT TIME ZONE 'Europe/Stockholm': 2014-03-30 01:30:00+00 | 2014-10-26 01:30:00+00 | 2014-01-31 22:30:00+00
        t.At AT TIME ZONE 'Tokyo Standard Time': 2014-03-29 17:30:00+00 | 2014-10-25 17:30:00+00 | 2014-01-31 14:30:00+00
        TRY_CAST(t.Body AS int): NULL | NULL | NULL
        CAST('2014-03-30T02:30+01' AS timestamptz): 2014-03-30 01:30:00+00 | 2014-03-30 01:30:00+00 | 2014-03-30 01:30:00+00
        uuid5('t', t.Id): 06b74c3c-03e2-5ceb-962e-548db6f59bd0 | faa63b9b-ab45-5db6-9529-b5ee00d31c1e | 159a9367-a73a-5f7c-b189-2c969715ec13
    "#]]
    .assert_eq(&shown);
}
