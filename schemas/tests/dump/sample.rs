//! Tables, values and parts for the tests: any type, any value, NULLs among them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use etl_schemas::dump::{Block, BlockBuilder, Cell, Compressor, Level, PartSummary, PartWriter, RowLayout};
use etl_schemas::sql_type::{FieldKind, SqlType};
use etl_schemas::table::{Column, Key, KeyKind, TableName, TableSchema, field_names};
use etl_schemas::ticks::Ticks;
use proptest::prelude::*;

/// A value that owns what it holds; [`Value::cell`] is the same, borrowed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f32),
    Double(f64),
    Text(String),
    Bytes(Vec<u8>),
    Timestamp(Ticks),
    DateTimeOffset(Ticks, i32),
    Variant(String, String),
    Geometry(i32, Vec<u8>),
}

pub(crate) type Row = Vec<Value>;

impl Value {
    pub(crate) fn cell(&self) -> Cell<'_> {
        match self {
            Value::Null => Cell::Null,
            Value::Bool(value) => Cell::Bool(*value),
            Value::Integer(value) => Cell::Integer(*value),
            Value::Float(value) => Cell::Float(*value),
            Value::Double(value) => Cell::Double(*value),
            Value::Text(text) => Cell::Text(text),
            Value::Bytes(bytes) => Cell::Bytes(bytes),
            Value::Timestamp(ticks) => Cell::Timestamp(*ticks),
            Value::DateTimeOffset(utc, offset) => Cell::DateTimeOffset { utc: *utc, offset_minutes: *offset },
            Value::Variant(base_type, text) => Cell::Variant { base_type, text },
            Value::Geometry(srid, wkb) => Cell::Geometry { srid: *srid, wkb },
        }
    }

    fn put(&self, builder: &mut BlockBuilder, column: usize) {
        match self {
            Value::Null => builder.put_null(column),
            Value::Bool(value) => builder.put_bool(column, *value),
            Value::Integer(value) => builder.put_integer(column, *value),
            Value::Float(value) => builder.put_float(column, *value),
            Value::Double(value) => builder.put_double(column, *value),
            Value::Text(text) => builder.put_text(column, text),
            Value::Bytes(bytes) => builder.put_bytes(column, bytes),
            Value::Timestamp(ticks) => builder.put_timestamp(column, *ticks),
            Value::DateTimeOffset(utc, offset) => builder.put_datetime_offset(column, *utc, *offset),
            Value::Variant(base_type, text) => builder.put_variant(column, base_type, text),
            Value::Geometry(srid, wkb) => builder.put_geometry(column, *srid, wkb),
        }
    }
}

pub(crate) fn put_row(builder: &mut BlockBuilder, row: &Row) {
    row.iter().enumerate().for_each(|(column, value)| value.put(builder, column));
}

/// A table of these columns, `(column_id, type)`; the first one is its clustered key.
pub(crate) fn table(name: &str, columns: &[(u32, SqlType)]) -> TableSchema {
    let names: Vec<String> = columns.iter().map(|(id, _)| format!("Column {id}")).collect();
    let fields = field_names(columns.iter().map(|(id, _)| *id).zip(names.iter().map(String::as_str)));
    let column = |((id, sql_type), (name, field)): (&(u32, SqlType), (String, String))| {
        let text = matches!(sql_type, SqlType::VarChar { .. } | SqlType::NVarChar { .. });
        Column {
            id: *id,
            name,
            field,
            sql_type: sql_type.clone(),
            nullable: true,
            collation: text.then(|| "Finnish_Swedish_CI_AS".to_string()),
            identity: false,
            computed: false,
        }
    };
    let columns: Vec<Column> = columns.iter().zip(names.into_iter().zip(fields)).map(column).collect();
    let key = Key { name: format!("PK_{name}"), kind: KeyKind::Clustered, unique: true, columns: vec![0] };
    TableSchema { name: TableName::new("dbo", name), message: name.to_string(), columns, key: Some(key) }
}

/// One type of each way to be carried.
pub(crate) fn types() -> Vec<SqlType> {
    vec![
        SqlType::Bit,
        SqlType::TinyInt,
        SqlType::Int,
        SqlType::BigInt,
        SqlType::Real,
        SqlType::Float,
        SqlType::NVarChar { length: Some(50) },
        SqlType::Decimal { precision: 38, scale: 10 },
        SqlType::VarBinary { length: None },
        SqlType::UniqueIdentifier,
        SqlType::Date,
        SqlType::Time { scale: 7 },
        SqlType::DateTime2 { scale: 7 },
        SqlType::DateTimeOffset { scale: 7 },
        SqlType::SqlVariant,
        SqlType::Geography,
    ]
}

/// Any value of a kind, extremes and NULL among them.
pub(crate) fn value(kind: FieldKind) -> BoxedStrategy<Value> {
    let ticks = || {
        prop_oneof![Just(Ticks::MIN), Just(Ticks::MAX), Just(Ticks(0)), (Ticks::MIN.0..=Ticks::MAX.0).prop_map(Ticks)]
    };
    let present = match kind {
        FieldKind::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        FieldKind::UInt32 => any::<u32>().prop_map(|value| Value::Integer(i64::from(value))).boxed(),
        FieldKind::SInt32 => any::<i32>().prop_map(|value| Value::Integer(i64::from(value))).boxed(),
        FieldKind::SInt64 => {
            prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX), -3..3i64].prop_map(Value::Integer).boxed()
        }
        FieldKind::Float => any::<f32>().prop_map(Value::Float).boxed(),
        FieldKind::Double => any::<f64>().prop_map(Value::Double).boxed(),
        FieldKind::String => any::<String>().prop_map(Value::Text).boxed(),
        FieldKind::Bytes => any::<Vec<u8>>().prop_map(Value::Bytes).boxed(),
        FieldKind::Timestamp => ticks().prop_map(Value::Timestamp).boxed(),
        FieldKind::DateTimeOffset => {
            (ticks(), -840..=840).prop_map(|(utc, offset)| Value::DateTimeOffset(utc, offset)).boxed()
        }
        FieldKind::Variant => {
            ("[a-z]{0,9}", any::<String>()).prop_map(|(base_type, text)| Value::Variant(base_type, text)).boxed()
        }
        FieldKind::Geometry => {
            (any::<i32>(), any::<Vec<u8>>()).prop_map(|(srid, wkb)| Value::Geometry(srid, wkb)).boxed()
        }
    };
    prop_oneof![1 => Just(Value::Null), 4 => present].boxed()
}

/// A table of one to twelve columns of any type with rising ids, and up to `rows` rows of it.
pub(crate) fn table_and_rows(rows: usize) -> impl Strategy<Value = (TableSchema, Vec<Row>)> {
    let column = (1..40u32, proptest::sample::select(types()));
    proptest::collection::vec(column, 1..12).prop_flat_map(move |steps| {
        let mut id = 0;
        let columns = steps.into_iter().map(|(step, sql_type)| {
            id += step;
            (id, sql_type)
        });
        let table = table("Sample", &columns.collect::<Vec<_>>());
        let row: Vec<BoxedStrategy<Value>> = table.columns.iter().map(|column| value(column.kind())).collect();
        (Just(table), proptest::collection::vec(row, 0..rows))
    })
}

/// Rows as blocks of at most `rows_per_block` rows.
pub(crate) fn blocks(layout: &Arc<RowLayout>, rows: &[Row], rows_per_block: usize) -> Vec<Block> {
    let mut builder = BlockBuilder::new(Arc::clone(layout));
    let block = |rows: &[Row]| {
        for row in rows {
            put_row(&mut builder, row);
            builder.end_row().unwrap();
        }
        builder.take()
    };
    rows.chunks(rows_per_block).map(block).collect()
}

/// Writes a part of these blocks.
pub(crate) fn write_part(path: &Path, layout: &Arc<RowLayout>, blocks: &[Block], level: Level) -> PartSummary {
    let mut compressor = Compressor::new(level);
    let mut writer = PartWriter::create(path, Arc::clone(layout)).unwrap();
    for block in blocks {
        writer.append(&compressor.compress(block)).unwrap();
    }
    writer.finish().unwrap()
}

/// A table with a key, a time and a text, and `count` rows of it, in a part of blocks of ten rows.
pub(crate) fn small_part(dir: &Path, count: usize) -> (PathBuf, Arc<RowLayout>, Vec<Row>) {
    let columns = [(1, SqlType::Int), (2, SqlType::DateTime), (4, SqlType::NVarChar { length: Some(50) })];
    let layout = Arc::new(RowLayout::new(&table("Small", &columns)));
    let rows: Vec<Row> = (0..count as i64).map(small_row).collect();
    let path = dir.join("00000.pb.gz");
    write_part(&path, &layout, &blocks(&layout, &rows, 10), Level::default());
    (path, layout, rows)
}

/// A row of [`small_part`]'s table.
pub(crate) fn small_row(number: i64) -> Row {
    let sent = if number % 7 == 3 { Value::Null } else { Value::Timestamp(Ticks(number * 10_000_000)) };
    vec![Value::Integer(number), sent, Value::Text(format!("text {}", number * number))]
}
