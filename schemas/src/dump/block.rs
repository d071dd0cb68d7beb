//! Rows on their way into a block: encoded as they are pushed, each behind its length.
//!
//! In: a row's values by rising column. Out: the block's content, row count and zone maps. Nothing is allocated per
//! row, and no row that was abandoned leaves a trace.

use std::sync::Arc;

use super::layout::RowLayout;
use super::tail::{KEY_1_MESSAGE, KEY_1_VARINT, KEY_2_MESSAGE, KEY_2_VARINT, TAIL_BYTES, Tail};
use super::zone::{Zone, ZoneBuilder};
use super::{BLOCK_TARGET_BYTES, DumpError, ROW_BYTES_MAX};
use crate::sql_type::FieldKind;
use crate::ticks::Ticks;
use crate::wire::{varint_len, zigzag};

/// Room beyond the target, so that the row that closes a block seldom makes it grow.
const SLACK_BYTES: usize = 16 << 10;

/// Some rows of one table, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    content: Vec<u8>,
    rows: u32,
    zones: Vec<Zone>,
}

impl Block {
    /// The rows, each a protobuf message behind its varint length.
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// Number of rows.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// One zone for each integer and date/time column, by rising column.
    pub fn zones(&self) -> &[Zone] {
        &self.zones
    }
}

/// Encodes rows of one table. `column` is always the place in `TableSchema::columns`; columns are put by rising place,
/// and one that isn't put is NULL.
///
/// A value must be of its column's kind: who reads the source checks that, and a mismatch here is a defect of the
/// caller, caught by debug assertions and by `etl dump verify`. A column that the table doesn't have makes every `put_`
/// panic.
#[derive(Debug)]
pub struct BlockBuilder {
    layout: Arc<RowLayout>,
    /// Finished rows, a gap for the length of the row under way, and its fields.
    content: Vec<u8>,
    row_start: usize,
    /// Width of the gap: as wide as the row before needed, since most rows are alike.
    gap: usize,
    /// Bytes of the row under way that were left out because it is too large.
    oversize: u64,
    /// Zone and value of the row under way.
    pending: Vec<(u16, i64)>,
    zones: Vec<ZoneBuilder>,
    rows: u32,
    rows_taken: u64,
}

impl BlockBuilder {
    /// Empty.
    pub fn new(layout: Arc<RowLayout>) -> BlockBuilder {
        let zones = vec![ZoneBuilder::new(); layout.zoned_columns().len()];
        let mut builder = BlockBuilder {
            layout,
            content: Vec::with_capacity(BLOCK_TARGET_BYTES + SLACK_BYTES),
            row_start: 0,
            gap: 2,
            oversize: 0,
            pending: Vec::new(),
            zones,
            rows: 0,
            rows_taken: 0,
        };
        builder.begin_row();
        builder
    }

    /// The layout that rows are encoded by.
    pub fn layout(&self) -> &Arc<RowLayout> {
        &self.layout
    }

    /// NULL: nothing is written.
    #[inline]
    pub fn put_null(&mut self, column: usize) {
        debug_assert!(column < self.layout.column_count());
    }

    /// A `bit`.
    #[inline]
    pub fn put_bool(&mut self, column: usize, value: bool) {
        debug_assert_eq!(self.layout.kind(column), FieldKind::Bool);
        self.put_varint(column, u64::from(value));
    }

    /// An integer, a date (days since 1970-01-01) or a time (nanoseconds of the day).
    #[inline]
    pub fn put_integer(&mut self, column: usize, value: i64) {
        let layout = self.layout.column(column);
        debug_assert!(matches!(layout.kind, FieldKind::UInt32 | FieldKind::SInt32 | FieldKind::SInt64));
        if let Some(zone) = layout.zone {
            self.pending.push((zone, value));
        }
        let unsigned = matches!(layout.kind, FieldKind::UInt32);
        self.put_varint(column, if unsigned { value as u64 } else { zigzag(value) });
    }

    /// A `real`.
    #[inline]
    pub fn put_float(&mut self, column: usize, value: f32) {
        debug_assert_eq!(self.layout.kind(column), FieldKind::Float);
        self.put_small(column, |tail| tail.bytes(&value.to_le_bytes()));
    }

    /// A `float`.
    #[inline]
    pub fn put_double(&mut self, column: usize, value: f64) {
        debug_assert_eq!(self.layout.kind(column), FieldKind::Double);
        self.put_small(column, |tail| tail.bytes(&value.to_le_bytes()));
    }

    /// Text: character types, decimals, money, xml, json, hierarchyid.
    #[inline]
    pub fn put_text(&mut self, column: usize, value: &str) {
        debug_assert_eq!(self.layout.kind(column), FieldKind::String);
        self.put_delimited(column, value.as_bytes());
    }

    /// Bytes; a `uniqueidentifier` in RFC 4122 order.
    #[inline]
    pub fn put_bytes(&mut self, column: usize, value: &[u8]) {
        debug_assert_eq!(self.layout.kind(column), FieldKind::Bytes);
        self.put_delimited(column, value);
    }

    /// A wall clock: datetime, smalldatetime, datetime2.
    #[inline]
    pub fn put_timestamp(&mut self, column: usize, value: Ticks) {
        debug_assert_eq!(self.layout.kind(column), FieldKind::Timestamp);
        self.put_zone(column, value.0);
        self.put_small(column, |tail| tail.message(|tail| tail.timestamp(value)));
    }

    /// A `datetimeoffset`: the instant in UTC, and the offset at which it was written.
    #[inline]
    pub fn put_datetime_offset(&mut self, column: usize, utc: Ticks, offset_minutes: i32) {
        debug_assert_eq!(self.layout.kind(column), FieldKind::DateTimeOffset);
        self.put_zone(column, utc.0);
        self.put_small(column, |tail| {
            tail.message(|tail| {
                tail.byte(KEY_1_MESSAGE);
                tail.message(|tail| tail.timestamp(utc));
                if offset_minutes != 0 {
                    tail.byte(KEY_2_VARINT);
                    tail.varint(zigzag(i64::from(offset_minutes)));
                }
            });
        });
    }

    /// A `sql_variant`: its base type's name, and its value as text.
    pub fn put_variant(&mut self, column: usize, base_type: &str, text: &str) {
        debug_assert_eq!(self.layout.kind(column), FieldKind::Variant);
        let parts = [(KEY_1_MESSAGE, base_type.as_bytes()), (KEY_2_MESSAGE, text.as_bytes())];
        let length = parts.iter().map(|(_, value)| delimited_len(value)).sum();
        self.put_head(column, length);
        for (key, value) in parts.iter().filter(|(_, value)| !value.is_empty()) {
            self.append_delimited(*key, value);
        }
    }

    /// A `geometry` or `geography`: spatial reference and well-known binary.
    pub fn put_geometry(&mut self, column: usize, srid: i32, wkb: &[u8]) {
        debug_assert_eq!(self.layout.kind(column), FieldKind::Geometry);
        let srid = zigzag(i64::from(srid));
        let srid_len = if srid == 0 { 0 } else { 1 + varint_len(srid) };
        self.put_head(column, srid_len + delimited_len(wkb));
        if srid != 0 {
            self.append(|tail| {
                tail.byte(KEY_1_VARINT);
                tail.varint(srid);
            });
        }
        if !wkb.is_empty() {
            self.append_delimited(KEY_2_MESSAGE, wkb);
        }
    }

    /// Ends the row under way.
    ///
    /// Fails with [`DumpError::RowTooLarge`] when the row is larger than [`ROW_BYTES_MAX`]; the row is gone then, and
    /// those before it are as they were.
    #[inline]
    pub fn end_row(&mut self) -> Result<(), DumpError> {
        let length = self.content.len() - self.row_start - self.gap;
        if self.oversize > 0 || length > ROW_BYTES_MAX {
            return Err(self.refuse_row(length as u64));
        }
        let needed = varint_len(length as u64);
        if needed != self.gap {
            self.move_row(length, needed);
        }
        let mut rest = length;
        for byte in &mut self.content[self.row_start..self.row_start + needed] {
            *byte = rest as u8 | 0x80;
            rest >>= 7;
        }
        self.content[self.row_start + needed - 1] &= 0x7f;
        for (zone, value) in &self.pending {
            self.zones[usize::from(*zone)].add(*value);
        }
        self.rows += 1;
        self.row_start = self.content.len();
        self.gap = needed;
        self.begin_row();
        Ok(())
    }

    /// Forgets the row under way.
    pub fn abandon_row(&mut self) {
        self.content.truncate(self.row_start);
        self.begin_row();
    }

    /// Rows ended since the last [`take`](Self::take).
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Bytes of the rows ended since the last [`take`](Self::take), with their lengths.
    pub fn content_bytes(&self) -> usize {
        self.row_start
    }

    /// Whether the block has reached its target size and wants to be taken.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.row_start >= BLOCK_TARGET_BYTES || self.rows == u32::MAX
    }

    /// The rows ended so far as a block; a row under way is forgotten. Leaves the builder empty.
    pub fn take(&mut self) -> Block {
        let fresh = Vec::with_capacity(BLOCK_TARGET_BYTES + SLACK_BYTES);
        let mut content = std::mem::replace(&mut self.content, fresh);
        content.truncate(self.row_start);
        let zoned = self.layout.zoned_columns().iter().zip(&self.zones);
        let zones = zoned.map(|(column, zone)| zone.build(*column, self.rows)).collect();
        let block = Block { content, rows: self.rows, zones };
        self.zones.fill(ZoneBuilder::new());
        self.rows_taken += u64::from(self.rows);
        self.rows = 0;
        self.row_start = 0;
        self.begin_row();
        block
    }

    fn begin_row(&mut self) {
        self.content.extend_from_slice(&[0; 5][..self.gap]);
        self.pending.clear();
        self.oversize = 0;
    }

    /// Makes the gap before the row under way `needed` bytes wide.
    fn move_row(&mut self, length: usize, needed: usize) {
        let from = self.row_start + self.gap;
        let to = self.row_start + needed;
        self.content.resize(self.content.len().max(to + length), 0);
        self.content.copy_within(from..from + length, to);
        self.content.truncate(to + length);
    }

    #[cold]
    fn refuse_row(&mut self, length: u64) -> DumpError {
        let row = self.rows_taken + u64::from(self.rows);
        let bytes = length + self.oversize;
        self.abandon_row();
        DumpError::RowTooLarge { table: self.layout.table().clone(), row, bytes }
    }

    #[inline]
    fn put_zone(&mut self, column: usize, value: i64) {
        if let Some(zone) = self.layout.column(column).zone {
            self.pending.push((zone, value));
        }
    }

    #[inline]
    fn put_varint(&mut self, column: usize, value: u64) {
        self.put_small(column, |tail| tail.varint(value));
    }

    #[inline]
    fn put_delimited(&mut self, column: usize, value: &[u8]) {
        self.put_head(column, value.len());
        self.content_append(value);
    }

    /// Key and length.
    #[inline]
    fn put_head(&mut self, column: usize, length: usize) {
        self.put_small(column, |tail| tail.varint(length as u64));
    }

    /// A field whose key and value together fit [`Tail`].
    #[inline]
    fn put_small(&mut self, column: usize, fill: impl FnOnce(&mut Tail<'_>)) {
        let layout = self.layout.column(column);
        let (key, key_len) = (layout.key, usize::from(layout.key_len));
        self.append(|tail| {
            tail.key(key, key_len);
            fill(tail);
        });
    }

    /// A field within a message, of number 1 to 15.
    fn append_delimited(&mut self, key: u8, value: &[u8]) {
        self.append(|tail| {
            tail.byte(key);
            tail.varint(value.len() as u64);
        });
        self.content_append(value);
    }

    /// What `fill` writes, at the end of the content.
    #[inline]
    fn append(&mut self, fill: impl FnOnce(&mut Tail<'_>)) {
        let start = self.content.len();
        // Room for the longest is made at once and the rest is cut off: no look at the capacity for each byte.
        self.content.extend_from_slice(&[0; TAIL_BYTES]);
        let bytes = self.content.last_chunk_mut().expect("the room was made in the line before");
        let mut tail = Tail::new(bytes);
        fill(&mut tail);
        let end = start + tail.len();
        self.content.truncate(end);
    }

    #[inline]
    fn content_append(&mut self, value: &[u8]) {
        if self.content.len() - self.row_start + value.len() > ROW_BYTES_MAX + self.gap {
            self.oversize += value.len() as u64;
        } else {
            self.content.extend_from_slice(value);
        }
    }
}

/// Bytes of a field of number 1 to 15 with its key and length; an empty one is left out, as proto3 does.
fn delimited_len(value: &[u8]) -> usize {
    if value.is_empty() { 0 } else { 1 + varint_len(value.len() as u64) + value.len() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::{Cell, RowReader, samples};
    use crate::ticks::PER_SECOND;
    use crate::wire::WireReader;

    #[test]
    fn the_longest_small_field_fits_its_room() {
        let layout = Arc::new(RowLayout::new(&samples::table(&[(19_500, "datetimeoffset")])));
        let mut builder = BlockBuilder::new(Arc::clone(&layout));
        let (utc, offset_minutes) = (Ticks(Ticks::MIN.0 + PER_SECOND - 1), i32::MIN);
        builder.put_datetime_offset(0, utc, offset_minutes);
        builder.end_row().unwrap();
        let block = builder.take();
        assert_eq!(block.content().len(), 1 + 31);
        let mut cells = Vec::new();
        let row = WireReader::new(block.content()).delimited().unwrap();
        RowReader::all(&layout).read(row, &mut cells).unwrap();
        assert_eq!(cells, [Cell::DateTimeOffset { utc, offset_minutes }]);
    }
}
