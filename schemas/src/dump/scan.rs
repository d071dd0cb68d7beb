//! Reads a part from end to end as if it had no index, and gathers what the index would say.

use std::sync::Arc;

use super::layout::RowLayout;
use super::member::FOOTER_BYTES;
use super::part::{BlockBuffer, BlockEntry, Part};
use super::row::RowReader;
use super::zone::{Zone, ZoneBuilder};
use super::{DumpError, index};

/// Which columns a scan decodes.
pub(crate) struct Decoder {
    reader: RowReader,
    /// Of each column with zones, its place among the decoded ones.
    zoned: Vec<usize>,
}

impl Decoder {
    /// Only what zone maps are made from.
    pub(crate) fn zones(layout: &Arc<RowLayout>) -> Decoder {
        let columns = layout.zoned_columns();
        Decoder { reader: RowReader::columns(layout, columns), zoned: (0..columns.len()).collect() }
    }

    /// Every column, so that every value is checked.
    pub(crate) fn everything(layout: &Arc<RowLayout>) -> Decoder {
        Decoder { reader: RowReader::all(layout), zoned: layout.zoned_columns().to_vec() }
    }

    /// Decodes a block's rows and returns their zones.
    fn decode(&self, part: &Part, block: usize, buffer: &BlockBuffer) -> Result<Vec<Zone>, DumpError> {
        let mut zones = vec![ZoneBuilder::new(); self.zoned.len()];
        let mut cells = Vec::new();
        for (row, bytes) in buffer.rows().enumerate() {
            self.reader.read(bytes, &mut cells).map_err(|error| part.row_error(block, row as u64, error))?;
            for (zone, place) in zones.iter_mut().zip(&self.zoned) {
                if let Some(value) = cells[*place].zone_value() {
                    zone.add(value);
                }
            }
        }
        let columns = part.layout().zoned_columns();
        Ok(zones.iter().zip(columns).map(|(zone, column)| zone.build(*column, buffer.row_count())).collect())
    }
}

/// Hops from block to block and reads each. A block that is damaged goes to `damaged`, which ends the scan or lets it
/// go on behind that block; where a header is damaged there is nothing to hop by, and the scan ends. `read` gets each
/// member's bytes as it is behind us.
pub(crate) fn scan(
    part: &Part,
    decoder: &Decoder,
    mut damaged: impl FnMut(DumpError) -> Result<(), DumpError>,
    mut read: impl FnMut(u64),
) -> Result<Vec<BlockEntry>, DumpError> {
    let mut blocks = Vec::new();
    let mut buffer = BlockBuffer::new();
    let (mut offset, mut whole) = (0, true);
    while let Some(header) = part.header_at(blocks.len(), offset)? {
        let block = blocks.len();
        let zones = part
            .read_member(block, offset, header, &mut buffer)
            .and_then(|()| decoder.decode(part, block, &buffer))
            .or_else(|error| {
                whole = false;
                damaged(error).map(|()| Vec::new())
            })?;
        let (member_bytes, content_bytes, rows) = (header.member_bytes, header.content_bytes, header.rows);
        blocks.push(BlockEntry { offset, member_bytes, content_bytes, rows, zones });
        offset += u64::from(member_bytes);
        read(u64::from(member_bytes));
    }
    read(FOOTER_BYTES as u64);
    if whole && !index::fits(&blocks, part.bytes(), part.footer()) {
        damaged(DumpError::damaged(
            part.path(),
            None,
            offset,
            "the footer counts other rows or blocks than the part has",
        ))?;
    }
    Ok(blocks)
}
