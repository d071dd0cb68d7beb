//! A row's message taken apart into typed values.
//!
//! In: the bytes of one row. Out: one [`Cell`] for each wanted column, borrowed from the row. An absent field is NULL,
//! of a repeated one the last counts, fields that the schema doesn't know are skipped (as any protobuf reader does).
//! Nothing is allocated per row.

use std::sync::Arc;

use thiserror::Error;

use super::layout::{RowLayout, wire_type};
use crate::sql_type::FieldKind;
use crate::ticks::Ticks;
use crate::wire::{
    FIXED32, FIXED64, LENGTH, VARINT, WireError, WireReader, WireValue, read_timestamp, split_delimited,
    split_timestamp, split_varint, unzigzag,
};

/// A value of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// NULL.
    Null,
    /// `bit`
    Bool(bool),
    /// Integers, dates (days since 1970-01-01), times (nanoseconds of the day).
    Integer(i64),
    /// `real`
    Float(f32),
    /// `float`
    Double(f64),
    /// Character types, decimals, money, xml, json, hierarchyid.
    Text(&'a str),
    /// Binary types; a `uniqueidentifier` in RFC 4122 order.
    Bytes(&'a [u8]),
    /// A wall clock.
    Timestamp(Ticks),
    /// `datetimeoffset`
    DateTimeOffset {
        /// The instant.
        utc: Ticks,
        /// The offset at which it was written.
        offset_minutes: i32,
    },
    /// `sql_variant`
    Variant {
        /// The base type's name.
        base_type: &'a str,
        /// The value as text.
        text: &'a str,
    },
    /// `geometry`, `geography`
    Geometry {
        /// The spatial reference.
        srid: i32,
        /// Well-known binary.
        wkb: &'a [u8],
    },
}

impl Cell<'_> {
    /// The integer that zone maps keep of it; `None` for NULL and for kinds without zones.
    #[inline]
    pub fn zone_value(&self) -> Option<i64> {
        match self {
            Cell::Integer(value) => Some(*value),
            Cell::Timestamp(ticks) | Cell::DateTimeOffset { utc: ticks, .. } => Some(ticks.0),
            _ => None,
        }
    }
}

/// A row that doesn't decode.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}{source}", column.as_ref().map_or_else(String::new, |name| format!("column {name}: ")))]
pub struct RowError {
    /// The column, when the row could be read so far.
    pub column: Option<String>,
    /// What is wrong.
    #[source]
    pub source: WireError,
}

/// Takes the cells of a row, one after another.
pub trait CellSink<'a> {
    /// Why it takes no more.
    type Error: From<RowError>;

    /// Takes the cell of a column, by the column's place among the wanted ones. Worth compiling into the reader.
    fn put(&mut self, place: usize, cell: Cell<'a>) -> Result<(), Self::Error>;
}

/// Room for a cell of each wanted column.
impl<'a> CellSink<'a> for [Cell<'a>] {
    type Error = RowError;

    #[inline(always)]
    fn put(&mut self, place: usize, cell: Cell<'a>) -> Result<(), RowError> {
        self[place] = cell;
        Ok(())
    }
}

/// Reads some or all columns of a table's rows.
#[derive(Clone, Debug)]
pub struct RowReader {
    layout: Arc<RowLayout>,
    /// What to do with a field, by its whole key, field number and wire type; for the keys of small numbers.
    actions: Vec<Action>,
    /// Place among the wanted columns and what the field holds, by column.
    slots: Vec<Option<(u16, FieldKind)>>,
    width: usize,
}

/// A wanted column's place among the wanted ones, and its value.
type Placed<'a> = (usize, Cell<'a>);

#[derive(Clone, Copy, Debug)]
enum Action {
    /// Not wanted; its wire type says how far to go.
    Skip,
    /// Place among the wanted columns, and what the field holds, which the key agrees with.
    Read(u16, FieldKind),
    /// Whatever is wrong with it is told by the way that takes any key.
    Look,
}

impl RowReader {
    /// All columns.
    pub fn all(layout: &Arc<RowLayout>) -> RowReader {
        let columns: Vec<usize> = (0..layout.column_count()).collect();
        RowReader::columns(layout, &columns)
    }

    /// Only these columns (places in `TableSchema::columns`, each at most once); others are skipped unread.
    pub fn columns(layout: &Arc<RowLayout>, columns: &[usize]) -> RowReader {
        let mut slots = vec![None; layout.column_count()];
        for (slot, column) in columns.iter().enumerate() {
            slots[*column] = Some((slot as u16, layout.kind(*column)));
        }
        let action = |key: u32| {
            let (field, found) = (key >> 3, (key & 7) as u8);
            match layout.place(field).and_then(|column| slots[column]) {
                Some((slot, kind)) if wire_type(kind) == found => Action::Read(slot, kind),
                None if field > 0 && matches!(found, VARINT | FIXED64 | LENGTH | FIXED32) => Action::Skip,
                _ => Action::Look,
            }
        };
        let actions = (0..layout.direct_fields() << 3).map(action).collect();
        RowReader { layout: Arc::clone(layout), actions, slots, width: columns.len() }
    }

    /// Fills `cells` with one value for each wanted column, in the order they were asked for.
    #[inline]
    pub fn read<'a>(&self, row: &'a [u8], cells: &mut Vec<Cell<'a>>) -> Result<(), RowError> {
        cells.clear();
        cells.resize(self.width, Cell::Null);
        self.read_each(row, cells.as_mut_slice())
    }

    /// Number of wanted columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Hands each field of a wanted column to `sink`, as they stand in the row: a column that is NULL isn't among them, one
    /// that is there twice comes twice. The first error ends it.
    #[inline]
    pub fn read_each<'a, S: CellSink<'a> + ?Sized>(&self, row: &'a [u8], sink: &mut S) -> Result<(), S::Error> {
        let mut rest = row;
        while !rest.is_empty() {
            if let Some(after) = self.quick(rest, sink)? {
                rest = after;
                continue;
            }
            let mut reader = WireReader::new(rest);
            if let Some((place, cell)) = self.look(&mut reader)? {
                sink.put(place, cell)?;
            }
            rest = reader.rest();
        }
        Ok(())
    }

    /// The next field by the way that nearly all go, handed on if its column is wanted; gives what follows it. `None`, and
    /// nothing is handed on, for whatever needs a closer look.
    #[inline(always)]
    fn quick<'a, S: CellSink<'a> + ?Sized>(&self, rest: &'a [u8], sink: &mut S) -> Result<Option<&'a [u8]>, S::Error> {
        let Some((key, value)) = split_varint(rest) else { return Ok(None) };
        match self.actions.get(key as usize) {
            Some(Action::Read(slot, kind)) => quick_cell(*kind, value, usize::from(*slot), sink),
            Some(Action::Skip) => Ok(quick_skip((key & 7) as u8, value)),
            Some(Action::Look) | None => Ok(None),
        }
    }

    /// Reads a field of any kind, or says what is wrong with it.
    #[inline(never)]
    fn look<'a>(&self, reader: &mut WireReader<'a>) -> Result<Option<Placed<'a>>, RowError> {
        let found = reader.field().map_err(|source| RowError { column: None, source })?;
        let Some((field, value)) = found else { return Ok(None) };
        let Some((slot, kind)) = self.layout.place(field).and_then(|column| self.slots[column]) else {
            return Ok(None);
        };
        let cell = read_cell(kind, field, value).map_err(|source| self.error(field, source))?;
        Ok(Some((usize::from(slot), cell)))
    }

    #[cold]
    fn error(&self, field: u32, source: WireError) -> RowError {
        let column = self.layout.place(field).map(|column| self.layout.column_name(column).to_string());
        RowError { column, source }
    }
}

/// The value behind a key that agrees with the kind: of the kinds that most columns are of. Each is handed on at a place of
/// its own, so that the sink is compiled there for that kind of cell alone.
#[inline(always)]
fn quick_cell<'a, S: CellSink<'a> + ?Sized>(
    kind: FieldKind,
    bytes: &'a [u8],
    place: usize,
    sink: &mut S,
) -> Result<Option<&'a [u8]>, S::Error> {
    use FieldKind as F;
    let after = match kind {
        F::UInt32 | F::SInt32 | F::SInt64 => {
            let Some((value, after)) = split_varint(bytes) else { return Ok(None) };
            let value = match kind {
                F::UInt32 => i64::from(value as u32),
                F::SInt32 => unzigzag(u64::from(value as u32)),
                _ => unzigzag(value),
            };
            sink.put(place, Cell::Integer(value))?;
            after
        }
        F::Bool => {
            let Some((value, after)) = split_varint(bytes) else { return Ok(None) };
            sink.put(place, Cell::Bool(value != 0))?;
            after
        }
        F::String => {
            let Some((text, after)) = split_delimited(bytes) else { return Ok(None) };
            let Ok(text) = simdutf8::basic::from_utf8(text) else { return Ok(None) };
            sink.put(place, Cell::Text(text))?;
            after
        }
        F::Timestamp => {
            let Some(((seconds, nanos), after)) = split_timestamp(bytes) else { return Ok(None) };
            let Some(ticks) = Ticks::from_timestamp(seconds, nanos) else { return Ok(None) };
            sink.put(place, Cell::Timestamp(ticks))?;
            after
        }
        _ => return Ok(None),
    };
    Ok(Some(after))
}

/// What follows the value behind a key that said this wire type.
#[inline(always)]
fn quick_skip(wire_type: u8, bytes: &[u8]) -> Option<&[u8]> {
    match wire_type {
        VARINT => split_varint(bytes).map(|(_, after)| after),
        LENGTH => split_delimited(bytes).map(|(_, after)| after),
        FIXED64 => bytes.get(8..),
        FIXED32 => bytes.get(4..),
        _ => None,
    }
}

/// One field's value by its kind.
#[inline]
pub(crate) fn read_cell(kind: FieldKind, field: u32, value: WireValue<'_>) -> Result<Cell<'_>, WireError> {
    use FieldKind as F;
    Ok(match (kind, value) {
        (F::Bool, WireValue::Varint(value)) => Cell::Bool(value != 0),
        (F::UInt32, WireValue::Varint(value)) => Cell::Integer(i64::from(value as u32)),
        (F::SInt32, WireValue::Varint(value)) => Cell::Integer(unzigzag(u64::from(value as u32))),
        (F::SInt64, WireValue::Varint(value)) => Cell::Integer(unzigzag(value)),
        (F::Float, WireValue::Fixed32(bits)) => Cell::Float(f32::from_bits(bits)),
        (F::Double, WireValue::Fixed64(bits)) => Cell::Double(f64::from_bits(bits)),
        (F::String, WireValue::Bytes(bytes)) => Cell::Text(text(field, bytes)?),
        (F::Bytes, WireValue::Bytes(bytes)) => Cell::Bytes(bytes),
        (F::Timestamp, WireValue::Bytes(bytes)) => Cell::Timestamp(ticks(field, bytes)?),
        (F::DateTimeOffset, WireValue::Bytes(bytes)) => datetime_offset(field, bytes)?,
        (F::Variant, WireValue::Bytes(bytes)) => variant(field, bytes)?,
        (F::Geometry, WireValue::Bytes(bytes)) => geometry(bytes)?,
        (kind, value) => {
            debug_assert_ne!(wire_type(kind), value.wire_type());
            return Err(WireError::Mismatch { field, found: value.wire_type() });
        }
    })
}

#[inline]
fn text(field: u32, bytes: &[u8]) -> Result<&str, WireError> {
    simdutf8::basic::from_utf8(bytes).map_err(|_| WireError::Utf8(field))
}

#[inline]
fn ticks(field: u32, message: &[u8]) -> Result<Ticks, WireError> {
    let (seconds, nanos) = read_timestamp(message)?;
    Ticks::from_timestamp(seconds, nanos).ok_or(WireError::Timestamp(field))
}

fn datetime_offset(field: u32, message: &[u8]) -> Result<Cell<'_>, WireError> {
    let (mut utc, mut offset_minutes) = (Ticks(0), 0);
    let mut reader = WireReader::new(message);
    while let Some((number, value)) = reader.field()? {
        match (number, value) {
            (1, WireValue::Bytes(bytes)) => utc = ticks(field, bytes)?,
            (2, WireValue::Varint(value)) => offset_minutes = sint32(value),
            (1 | 2, value) => return Err(WireError::Mismatch { field: number, found: value.wire_type() }),
            _ => {}
        }
    }
    Ok(Cell::DateTimeOffset { utc, offset_minutes })
}

fn variant(field: u32, message: &[u8]) -> Result<Cell<'_>, WireError> {
    let (mut base_type, mut value_text) = ("", "");
    let mut reader = WireReader::new(message);
    while let Some((number, value)) = reader.field()? {
        match (number, value) {
            (1, WireValue::Bytes(bytes)) => base_type = text(field, bytes)?,
            (2, WireValue::Bytes(bytes)) => value_text = text(field, bytes)?,
            (1 | 2, value) => return Err(WireError::Mismatch { field: number, found: value.wire_type() }),
            _ => {}
        }
    }
    Ok(Cell::Variant { base_type, text: value_text })
}

fn geometry(message: &[u8]) -> Result<Cell<'_>, WireError> {
    let (mut srid, mut wkb) = (0, &[][..]);
    let mut reader = WireReader::new(message);
    while let Some((number, value)) = reader.field()? {
        match (number, value) {
            (1, WireValue::Varint(value)) => srid = sint32(value),
            (2, WireValue::Bytes(bytes)) => wkb = bytes,
            (1 | 2, value) => return Err(WireError::Mismatch { field: number, found: value.wire_type() }),
            _ => {}
        }
    }
    Ok(Cell::Geometry { srid, wkb })
}

/// Protobuf cuts a varint to the 32 bits of its field.
fn sint32(value: u64) -> i32 {
    unzigzag(u64::from(value as u32)) as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::samples;
    use crate::wire::put_varint;
    use proptest::prelude::*;

    /// Every field by the way that takes any.
    fn looked_at<'a>(reader: &RowReader, row: &'a [u8]) -> Result<Vec<Cell<'a>>, RowError> {
        let mut cells = vec![Cell::Null; reader.width()];
        let mut fields = WireReader::new(row);
        while fields.remaining() > 0 {
            if let Some((place, cell)) = reader.look(&mut fields)? {
                cells[place] = cell;
            }
        }
        Ok(cells)
    }

    proptest! {
        /// Rows of fields that the table has or hasn't, right and wrong, cut off anywhere.
        #[test]
        fn the_quick_way_reads_what_a_closer_look_reads(
            fields in proptest::collection::vec((1u64..9, 0u64..60, any::<u64>(), 0u32..64, any::<Vec<u8>>()), 0..6),
            cut in 0usize..60,
        ) {
            let layout = Arc::new(RowLayout::new(&samples::table(&[
                (1, "int"), (2, "tinyint"), (3, "bigint"), (4, "nvarchar"), (5, "datetime2"), (6, "bit"), (7, "float"),
            ])));
            let mut row = Vec::new();
            for (field, wire_type, value, shift, bytes) in fields {
                // Most are of the type that their column has.
                let usual = if matches!(field, 4 | 5) { LENGTH } else { VARINT };
                let wire_type = if wire_type < 6 { wire_type } else { u64::from(usual) };
                put_varint(&mut row, field << 3 | wire_type);
                if wire_type != u64::from(LENGTH) {
                    put_varint(&mut row, value >> shift);
                    continue;
                }
                let mut message = Vec::new();
                crate::wire::put_timestamp_fields(&mut message, (value >> shift) as i64, value as i32);
                let bytes = if field == 5 { message } else { bytes };
                put_varint(&mut row, bytes.len() as u64);
                row.extend_from_slice(&bytes);
            }
            row.truncate(row.len().saturating_sub(cut.saturating_sub(40)));
            for reader in [RowReader::all(&layout), RowReader::columns(&layout, &[4, 0])] {
                let mut cells = Vec::new();
                let read = reader.read(&row, &mut cells).map(|()| format!("{cells:?}"));
                prop_assert_eq!(read, looked_at(&reader, &row).map(|cells| format!("{cells:?}")));
            }
        }
    }
}
