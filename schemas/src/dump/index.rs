//! A part's block index, `00000.idx`: an `etl.PartIndex` (see `proto/etl/index.proto`).
//!
//! It is derived: all it says can be had by reading the part. A reader that finds it missing, damaged or of another
//! part makes it anew. Its last field is a CRC-32 of the bytes before it.

use std::path::{Path, PathBuf};

use prost::Message as _;

use super::DumpError;
use super::durable;
use super::layout::RowLayout;
use super::member::{FOOTER_BYTES, Footer};
use super::part::BlockEntry;
use super::zone::Zone;

/// The last field's key: number 15, fixed 32 bits.
const CHECKSUM_KEY: u8 = 15 << 3 | crate::wire::FIXED32;
const CHECKSUM_BYTES: usize = 5;
/// No block's entry is longer: four numbers, and for each zone five.
const ENTRY_BYTES_MAX: u64 = 64;
const ZONE_BYTES_MAX: u64 = 48;

#[derive(Clone, PartialEq, prost::Message)]
struct PartIndex {
    #[prost(uint64, tag = "1")]
    part_bytes: u64,
    #[prost(message, repeated, tag = "2")]
    blocks: Vec<BlockMessage>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct BlockMessage {
    #[prost(uint64, tag = "1")]
    offset: u64,
    #[prost(uint32, tag = "2")]
    member_bytes: u32,
    #[prost(uint32, tag = "3")]
    content_bytes: u32,
    #[prost(uint32, tag = "4")]
    rows: u32,
    #[prost(message, repeated, tag = "5")]
    zones: Vec<ZoneMessage>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct ZoneMessage {
    #[prost(uint32, tag = "1")]
    field: u32,
    #[prost(sint64, optional, tag = "2")]
    min: Option<i64>,
    #[prost(sint64, optional, tag = "3")]
    max: Option<i64>,
    #[prost(uint32, tag = "4")]
    nulls: u32,
    #[prost(bool, tag = "5")]
    ascending: bool,
}

/// `00000.idx` beside `00000.pb.gz`.
pub(crate) fn index_path(part: &Path) -> PathBuf {
    let name = part.file_name().unwrap_or_default().to_string_lossy();
    part.with_file_name(format!("{}.idx", name.strip_suffix(".pb.gz").unwrap_or(&name)))
}

/// The index's bytes.
pub(crate) fn encode(layout: &RowLayout, part_bytes: u64, blocks: &[BlockEntry]) -> Vec<u8> {
    let blocks = blocks.iter().map(|block| block_message(layout, block)).collect();
    let mut bytes = PartIndex { part_bytes, blocks }.encode_to_vec();
    let checksum = libdeflater::crc32(&bytes);
    bytes.push(CHECKSUM_KEY);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

/// Reads the index of a part; `None` when it is missing, damaged or doesn't fit the part.
pub(crate) fn read(
    part: &Path,
    layout: &RowLayout,
    part_bytes: u64,
    footer: Footer,
) -> Result<Option<Vec<BlockEntry>>, DumpError> {
    let path = index_path(part);
    let zones = layout.zoned_columns().len() as u64;
    let limit = 64 + u64::from(footer.blocks).saturating_mul(ENTRY_BYTES_MAX + zones * ZONE_BYTES_MAX);
    match durable::read_bounded(&path, limit) {
        Ok(bytes) => Ok(decode(&bytes, layout, part_bytes, footer)),
        Err(DumpError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(DumpError::Invalid { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn decode(bytes: &[u8], layout: &RowLayout, part_bytes: u64, footer: Footer) -> Option<Vec<BlockEntry>> {
    let (message, checksum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM_BYTES)?)?;
    let expected = libdeflater::crc32(message).to_le_bytes();
    if checksum[0] != CHECKSUM_KEY || checksum[1..] != expected {
        return None;
    }
    let index = PartIndex::decode(message).ok()?;
    if index.part_bytes != part_bytes || index.blocks.len() != footer.blocks as usize {
        return None;
    }
    let blocks = index.blocks.iter().map(|block| block_entry(layout, block)).collect::<Option<Vec<_>>>()?;
    fits(&blocks, part_bytes, footer).then_some(blocks)
}

/// Whether blocks follow one another without a gap from the start of the part to its footer, and add up to it.
pub(crate) fn fits(blocks: &[BlockEntry], part_bytes: u64, footer: Footer) -> bool {
    let mut offset = 0u64;
    let (mut rows, mut content_bytes) = (0u64, 0u64);
    for block in blocks {
        if block.offset != offset || block.header().is_none() {
            return false;
        }
        offset += u64::from(block.member_bytes);
        rows += u64::from(block.rows);
        content_bytes += u64::from(block.content_bytes);
    }
    let whole = Footer { rows, content_bytes, blocks: blocks.len() as u32 };
    whole == footer && offset.checked_add(FOOTER_BYTES as u64) == Some(part_bytes)
}

fn block_message(layout: &RowLayout, block: &BlockEntry) -> BlockMessage {
    let zone = |zone: &Zone| ZoneMessage {
        field: layout.column(zone.column).field,
        min: zone.range.map(|range| range.0),
        max: zone.range.map(|range| range.1),
        nulls: zone.nulls,
        ascending: zone.ascending,
    };
    BlockMessage {
        offset: block.offset,
        member_bytes: block.member_bytes,
        content_bytes: block.content_bytes,
        rows: block.rows,
        zones: block.zones.iter().map(zone).collect(),
    }
}

/// `None` when the zones aren't those of the table's columns.
fn block_entry(layout: &RowLayout, block: &BlockMessage) -> Option<BlockEntry> {
    let columns = layout.zoned_columns();
    if block.zones.len() != columns.len() {
        return None;
    }
    let zone = |(message, column): (&ZoneMessage, &usize)| {
        let known = message.field == layout.column(*column).field && message.min.is_some() == message.max.is_some();
        known.then_some(Zone {
            column: *column,
            range: message.min.zip(message.max),
            nulls: message.nulls,
            ascending: message.ascending,
        })
    };
    Some(BlockEntry {
        offset: block.offset,
        member_bytes: block.member_bytes,
        content_bytes: block.content_bytes,
        rows: block.rows,
        zones: block.zones.iter().zip(columns).map(zone).collect::<Option<Vec<_>>>()?,
    })
}
