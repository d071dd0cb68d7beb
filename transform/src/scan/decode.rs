//! Rows and lookup entries to values.

use std::sync::Arc;

use etl_schemas::dump::{Cell, CellSink, RowLayout, RowReader};
use etl_schemas::table::TableSchema;
use etl_schemas::ticks::{PER_DAY, PER_SECOND, Ticks};
use uuid::Uuid;

use super::emit::RejectReason;
use crate::decimal::Decimal;
use crate::expression::{Type, Value};
use crate::mapping::column_type;

/// Decodes some columns of a table's rows.
#[derive(Debug)]
pub(crate) struct Decoder {
    reader: RowReader,
    types: Vec<Type>,
    names: Vec<String>,
}

impl Decoder {
    /// `columns` are places in the table's columns, each at most once.
    pub(crate) fn new(table: &TableSchema, layout: &Arc<RowLayout>, columns: &[usize]) -> Decoder {
        let wanted = || columns.iter().map(|column| &table.columns[*column]);
        Decoder {
            reader: RowReader::columns(layout, columns),
            types: wanted().map(column_type).collect(),
            names: wanted().map(|column| column.name.clone()).collect(),
        }
    }

    /// Fills `values` with one value for each column.
    #[inline]
    pub(crate) fn decode<'a>(&self, row: &'a [u8], values: &mut Vec<Value<'a>>) -> Result<(), Box<RejectReason>> {
        values.clear();
        values.resize(self.reader.width(), Value::Null);
        self.reader.read_each(row, &mut Values { decoder: self, values })
    }

    #[cold]
    fn wrong(&self, place: usize, ty: Type) -> Box<RejectReason> {
        Box::new(RejectReason::Column { column: self.names[place].clone(), ty })
    }
}

/// Where a decoder puts what it reads.
struct Values<'v, 'a> {
    decoder: &'v Decoder,
    values: &'v mut [Value<'a>],
}

impl<'a> CellSink<'a> for Values<'_, 'a> {
    type Error = Box<RejectReason>;

    #[inline(always)]
    fn put(&mut self, place: usize, cell: Cell<'a>) -> Result<(), Box<RejectReason>> {
        let ty = self.decoder.types[place];
        self.values[place] = value_of(cell, ty).ok_or_else(|| self.decoder.wrong(place, ty))?;
        Ok(())
    }
}

/// A cell as a value of its column's type; `None` for what the type can't be, which only a foreign writer makes.
#[inline(always)]
pub(crate) fn value_of(cell: Cell<'_>, ty: Type) -> Option<Value<'_>> {
    Some(match (cell, ty) {
        (Cell::Null, _) => Value::Null,
        (Cell::Bool(value), _) => Value::Bool(value),
        (Cell::Integer(value), Type::Date) => {
            let within = i64::from(Ticks::MIN.to_days().0)..=i64::from(Ticks::MAX.to_days().0);
            Value::Date(within.contains(&value).then_some(value as i32)?)
        }
        (Cell::Integer(value), Type::Time) => {
            let within = 0..PER_DAY * (1_000_000_000 / PER_SECOND);
            Value::Time(within.contains(&value).then_some(value)?)
        }
        (Cell::Integer(value), _) => Value::Integer(value),
        (Cell::Float(value), _) => Value::Double(f64::from(value)),
        (Cell::Double(value), _) => Value::Double(value),
        (Cell::Text(text), Type::Decimal) => Value::Decimal(Decimal::parse(text).ok()?),
        (Cell::Text(text), _) => Value::Text(text),
        (Cell::Bytes(bytes), Type::Uuid) => Value::Uuid(Uuid::from_slice(bytes).ok()?.into()),
        (Cell::Bytes(bytes), _) => Value::Bytes(bytes),
        (Cell::Timestamp(ticks), _) => Value::Timestamp(ticks),
        (Cell::DateTimeOffset { utc, .. }, _) => Value::Instant(utc),
        (Cell::Variant { text, .. }, _) => Value::Text(text),
        (Cell::Geometry { wkb, .. }, _) => Value::Bytes(wkb),
    })
}
