//! Every type comes through with every digit, at its limits.

use std::sync::atomic::AtomicBool;

use etl_extract::extract;
use etl_extract::report::Outcome;
use etl_fixtures::cell::{OwnedCell, Variant};
use etl_fixtures::sqlserver::all_types;
use etl_fixtures::sqlserver::definition::{DatabaseDefinition, TableDefinition};
use etl_fixtures::tds::Tls;
use etl_schemas::dump::{Cell, Dump};
use etl_schemas::sql_type::SqlType;
use etl_schemas::table::{Column, TableSchema};
use etl_schemas::ticks::PER_DAY;

use crate::dumped::{assert_whole, each_row};
use crate::source::{Source, name};
use etl_schemas::project::SourceClient;

fn every_type_comes_through_exactly(client: SourceClient) {
    let source = Source::types(Tls::Off);
    let out = tempfile::tempdir().unwrap();
    let report = extract(&source.extract(client, out.path()), &(), &AtomicBool::new(false)).unwrap();
    assert_eq!(report.outcome, Outcome::Complete, "{:?}", report.failed);
    assert_whole(out.path());

    let dump = Dump::open(out.path()).unwrap();
    let mut lone_surrogates = 0;
    for definition in all_types::definition().tables {
        let (name, column) = (&definition.schema.name, &definition.schema.columns[1]);
        let table = dump.table(name).unwrap();
        assert_eq!(table.schema, definition.schema, "the catalog tells of {name} what it was made from");
        let expected = all_types::rows(&definition.schema);
        lone_surrogates += expected.iter().filter(|row| matches!(row[1], OwnedCell::Utf16(_))).count() as u64;
        let mut place = 0;
        each_row(table, |cells| {
            assert_eq!(shown(&cells[0]), shown_source(&expected[place][0], &SqlType::Int), "{name}");
            let wanted = shown_source(&expected[place][1], &column.sql_type);
            assert_eq!(shown(&cells[1]), wanted, "{name}, row {}", place + 1);
            place += 1;
        });
        assert_eq!(place, expected.len(), "{name}");
    }
    assert!(lone_surrogates > 0);
    assert_eq!(report.replaced_characters, lone_surrogates, "each holds one");
}

/// A variant's text is text like any other, and its money is exact.
fn what_a_variant_holds_comes_through_exactly(client: SourceClient) {
    let column = |id: u32, name: &str, sql_type| Column {
        id,
        name: name.into(),
        field: name.into(),
        sql_type,
        nullable: id > 1,
        collation: None,
        identity: false,
        computed: false,
    };
    let columns = vec![column(1, "Id", SqlType::Int), column(2, "V", SqlType::SqlVariant)];
    let schema = TableSchema { name: name("Variants"), message: "Variants".into(), columns, key: None };
    let tables = vec![TableDefinition::new(schema)];
    let database = DatabaseDefinition { name: "variants".into(), collation: "Finnish_Swedish_CI_AS".into(), tables };
    let variant = |base, value| OwnedCell::Variant(Box::new(Variant { base, value }));
    let wide = SqlType::NVarChar { length: Some(20) };
    let values = [
        (variant(SqlType::Money, OwnedCell::Decimal(i64::MAX.into())), "variant money \"922337203685477.5807\""),
        (variant(SqlType::Money, OwnedCell::Decimal(i64::MIN.into())), "variant money \"-922337203685477.5808\""),
        (variant(SqlType::SmallMoney, OwnedCell::Decimal(-1)), "variant smallmoney \"-0.0001\""),
        (variant(wide.clone(), OwnedCell::Utf16(vec![0x61, 0xd800, 0x62])), "variant nvarchar \"a\u{fffd}b\""),
        (variant(wide, OwnedCell::Text(String::new())), "variant nvarchar \"\""),
        (variant(SqlType::Char { length: 3 }, OwnedCell::Text("åä".into())), "variant char \"åä \""),
        (OwnedCell::Null, "NULL"),
    ];
    let source = Source::new(&database, Tls::Off, |writer| {
        let mut rows = writer.table(&name("Variants")).unwrap();
        for (id, (value, _)) in values.iter().enumerate() {
            rows.append(&[etl_fixtures::cell::Cell::Int(id as i64), value.as_cell()]).unwrap();
        }
    });
    let out = tempfile::tempdir().unwrap();
    let report = extract(&source.extract(client, out.path()), &(), &AtomicBool::new(false)).unwrap();
    assert_eq!(report.outcome, Outcome::Complete, "{:?}", report.failed);
    let dump = Dump::open(out.path()).unwrap();
    let mut found = Vec::new();
    each_row(dump.table(&name("Variants")).unwrap(), |cells| found.push(shown(&cells[1])));
    assert_eq!(found, values.map(|(_, wanted)| wanted.to_string()));
    assert_eq!(report.replaced_characters, 1);
}

/// A value of the dump, in words that can be compared.
fn shown(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Null => "NULL".to_string(),
        Cell::Bool(value) => format!("bool {value}"),
        Cell::Integer(value) => format!("integer {value}"),
        Cell::Float(value) => format!("float {:08x}", value.to_bits()),
        Cell::Double(value) => format!("double {:016x}", value.to_bits()),
        Cell::Text(value) => format!("text {value:?}"),
        Cell::Bytes(value) => format!("bytes {value:02x?}"),
        Cell::Timestamp(ticks) => format!("timestamp {}", ticks.0),
        Cell::DateTimeOffset { utc, offset_minutes } => format!("instant {} {offset_minutes}", utc.0),
        Cell::Variant { base_type, text } => format!("variant {base_type} {text:?}"),
        Cell::Geometry { srid, wkb } => format!("geometry {srid} {wkb:02x?}"),
    }
}

/// What the dump should hold of a value that was written to the server.
fn shown_source(cell: &OwnedCell, sql_type: &SqlType) -> String {
    match (cell, sql_type) {
        (OwnedCell::Null, _) => "NULL".to_string(),
        (OwnedCell::Bool(value), _) => format!("bool {value}"),
        (OwnedCell::Int(value), _) => format!("integer {value}"),
        (OwnedCell::Float(value), SqlType::Real) => format!("float {:08x}", (*value as f32).to_bits()),
        (OwnedCell::Float(value), _) => format!("double {:016x}", value.to_bits()),
        (OwnedCell::Text(value), _) => format!("text {value:?}"),
        (OwnedCell::Utf16(units), _) => format!("text {:?}", String::from_utf16_lossy(units)),
        (OwnedCell::Bytes(value), _) => format!("bytes {value:02x?}"),
        (OwnedCell::Guid(value), _) => format!("bytes {:02x?}", value.as_slice()),
        (OwnedCell::Decimal(digits), _) => format!("text {:?}", decimal(*digits, scale(sql_type))),
        (OwnedCell::DateTime(ticks), SqlType::Date) => format!("integer {}", ticks.0.div_euclid(PER_DAY)),
        (OwnedCell::DateTime(ticks), _) => format!("timestamp {}", ticks.0),
        (OwnedCell::Time(ticks), _) => format!("integer {}", ticks * 100),
        (OwnedCell::DateTimeOffset { utc, offset_minutes }, _) => format!("instant {} {offset_minutes}", utc.0),
        (OwnedCell::Variant(variant), _) => format!("variant {} {:?}", base_name(&variant.base), variant_text(variant)),
        (OwnedCell::Geometry { srid, wkb }, _) => format!("geometry {srid} {wkb:02x?}"),
    }
}

fn scale(sql_type: &SqlType) -> usize {
    match sql_type {
        SqlType::Decimal { scale, .. } => usize::from(*scale),
        _ => 4,
    }
}

fn decimal(digits: i128, scale: usize) -> String {
    let sign = if digits < 0 { "-" } else { "" };
    let padded = format!("{:0>width$}", digits.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    match fraction {
        "" => format!("{sign}{whole}"),
        fraction => format!("{sign}{whole}.{fraction}"),
    }
}

/// The type without its length.
fn base_name(sql_type: &SqlType) -> String {
    let name = sql_type.to_string();
    name.split('(').next().unwrap_or_default().to_string()
}

fn variant_text(variant: &Variant) -> String {
    match (&variant.base, &variant.value) {
        (_, OwnedCell::Bool(value)) => u8::from(*value).to_string(),
        (_, OwnedCell::Int(value)) => value.to_string(),
        (_, OwnedCell::Float(value)) => format!("{value:?}"),
        (base, OwnedCell::Decimal(digits)) => decimal(*digits, scale(base)),
        (_, OwnedCell::Text(value)) => value.clone(),
        (_, OwnedCell::Bytes(value)) => value.iter().fold("0x".to_string(), |text, byte| format!("{text}{byte:02X}")),
        (_, OwnedCell::Guid(_)) => "00010203-0405-0607-0809-0a0b0c0d0e0f".to_string(),
        (SqlType::Date, OwnedCell::DateTime(ticks)) => ticks.to_string()[..10].to_string(),
        (_, OwnedCell::DateTime(ticks)) => ticks.to_string(),
        (_, OwnedCell::DateTimeOffset { .. }) => "2014-03-30T13:00:00+01:00".to_string(),
        (base, value) => panic!("no variant of {base} holds {value:?}"),
    }
}

by_each_client!(every_type_comes_through_exactly, what_a_variant_holds_comes_through_exactly);
