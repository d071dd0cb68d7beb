//! What encoder and decoder need of a table, computed once: field numbers, key bytes, kinds, zones.

use crate::sql_type::FieldKind;
use crate::table::{TableName, TableSchema};
use crate::wire;

/// Field numbers up to here find their column by one look into a table; higher ones by a search.
const DIRECT_FIELDS: u32 = 1 << 14;
/// No column has this field number.
const NO_COLUMN: u16 = u16::MAX;

/// The protobuf field number of a column: its `column_id`, but for 19,000 to 19,999, which protobuf keeps for itself.
/// These move up by 500,000,000, where no `column_id` reaches (each needs a column to be added).
pub fn field_number(column_id: u32) -> u32 {
    match column_id {
        19_000..=19_999 => column_id + 500_000_000,
        other => other,
    }
}

/// How one column is encoded.
#[derive(Clone, Debug)]
pub(crate) struct ColumnLayout {
    pub(crate) name: String,
    pub(crate) field: u32,
    pub(crate) kind: FieldKind,
    /// Field number and wire type as they stand before a value, padded with zeros.
    pub(crate) key: [u8; 8],
    pub(crate) key_len: u8,
    /// Place among the zones of a block.
    pub(crate) zone: Option<u16>,
}

/// A table as encoder and decoder see it. A column's place is its place in [`TableSchema::columns`].
#[derive(Clone, Debug)]
pub struct RowLayout {
    table: TableName,
    columns: Vec<ColumnLayout>,
    zoned: Vec<usize>,
    /// Column by field number, for small numbers.
    direct: Vec<u16>,
    /// Field number and column, sorted, for the others.
    sparse: Vec<(u32, u16)>,
}

impl RowLayout {
    /// Of a table's columns.
    pub fn new(table: &TableSchema) -> RowLayout {
        let mut layout = RowLayout {
            table: table.name.clone(),
            columns: Vec::with_capacity(table.columns.len()),
            zoned: Vec::new(),
            direct: Vec::new(),
            sparse: Vec::new(),
        };
        for column in &table.columns {
            layout.add(column.name.clone(), field_number(column.id), column.kind());
        }
        layout.sparse.sort_unstable();
        layout
    }

    fn add(&mut self, name: String, field: u32, kind: FieldKind) {
        let place = self.columns.len();
        let zone = kind.has_zone().then(|| {
            self.zoned.push(place);
            (self.zoned.len() - 1) as u16
        });
        let mut bytes = Vec::with_capacity(5);
        wire::put_key(&mut bytes, field, wire_type(kind));
        let mut key = [0; 8];
        key[..bytes.len()].copy_from_slice(&bytes);
        self.columns.push(ColumnLayout { name, field, kind, key, key_len: bytes.len() as u8, zone });
        if field < DIRECT_FIELDS {
            let field = field as usize;
            self.direct.resize(self.direct.len().max(field + 1), NO_COLUMN);
            self.direct[field] = place as u16;
        } else {
            self.sparse.push((field, place as u16));
        }
    }

    /// The table.
    pub fn table(&self) -> &TableName {
        &self.table
    }

    /// Number of columns.
    pub fn column_count(&self) -> usize {
        self.columns.len()
    }

    /// Name of a column in the source.
    pub fn column_name(&self, column: usize) -> &str {
        &self.columns[column].name
    }

    /// What a column's field holds.
    pub fn kind(&self, column: usize) -> FieldKind {
        self.columns[column].kind
    }

    /// The columns that have a zone map, in rising order; a block's zones follow it.
    pub fn zoned_columns(&self) -> &[usize] {
        &self.zoned
    }

    /// Place of a column among the zones of a block.
    pub fn zone_of(&self, column: usize) -> Option<usize> {
        self.columns[column].zone.map(usize::from)
    }

    #[inline]
    pub(crate) fn column(&self, column: usize) -> &ColumnLayout {
        &self.columns[column]
    }

    /// All field numbers below this one are found by one look.
    pub(crate) fn direct_fields(&self) -> u32 {
        self.direct.len() as u32
    }

    /// The column of a field number; `None` for a field that the schema doesn't know.
    #[inline]
    pub(crate) fn place(&self, field: u32) -> Option<usize> {
        let place = match self.direct.get(field as usize) {
            Some(place) => *place,
            None => {
                let at = self.sparse.binary_search_by_key(&field, |entry| entry.0).ok()?;
                self.sparse[at].1
            }
        };
        (place != NO_COLUMN).then_some(usize::from(place))
    }
}

/// The wire type of a kind's values.
pub(crate) fn wire_type(kind: FieldKind) -> u8 {
    use FieldKind as F;
    match kind {
        F::Bool | F::UInt32 | F::SInt32 | F::SInt64 => wire::VARINT,
        F::Float => wire::FIXED32,
        F::Double => wire::FIXED64,
        F::String | F::Bytes | F::Timestamp | F::DateTimeOffset | F::Variant | F::Geometry => wire::LENGTH,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::samples;

    #[test]
    fn the_numbers_protobuf_keeps_for_itself_are_stepped_over() {
        assert_eq!(field_number(18_999), 18_999);
        assert_eq!(field_number(19_000), 500_019_000);
        assert_eq!(field_number(19_999), 500_019_999);
        assert_eq!(field_number(20_000), 20_000);
    }

    #[test]
    fn columns_are_found_by_field_number_however_far_apart() {
        let table = samples::table(&[(1, "int"), (3, "int"), (19_500, "bit"), (40_000, "bigint")]);
        let layout = RowLayout::new(&table);
        let places: Vec<_> = [0, 1, 2, 3, 4, 19_500, 500_019_500, 40_000].map(|field| layout.place(field)).to_vec();
        assert_eq!(places, [None, Some(0), None, Some(1), None, None, Some(2), Some(3)]);
        assert_eq!(layout.zoned_columns(), [0, 1, 3]);
    }
}
