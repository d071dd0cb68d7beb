//! Rows cost no allocation on their way into blocks and out of them, whatever they hold.

#![allow(clippy::unwrap_used, reason = "what the tests build on fails a test by panicking")]

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use etl_schemas::dump::{BlockBuffer, BlockBuilder, Cell, Compressor, Level, Part, PartWriter, RowLayout, RowReader};
use etl_schemas::sql_type::FieldKind;
use etl_schemas::ticks::Ticks;

use allocations::{COUNTING, Counting, alone, assert_none_per_row};

/// Not by way of the crate: that would bring SQLite and TLS into every build of this crate's tests and examples.
#[path = "../../fixtures/src/allocations.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with the other crates' tests")]
mod allocations;
#[path = "dump/sample.rs"]
#[allow(dead_code, reason = "shared with the other tests")]
mod sample;

#[global_allocator]
static ALLOCATOR: &Counting = &COUNTING;

/// Several blocks.
const FEW: u64 = 20_000;
const MANY: u64 = 5 * FEW;

#[test]
fn rows_are_encoded_and_blocks_written_without_an_allocation_per_row() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (few, many) = (folder.path().join("few.pb.gz"), folder.path().join("many.pb.gz"));
    assert_none_per_row(|| write(&few, FEW), || write(&many, MANY));
}

#[test]
fn blocks_are_read_and_rows_decoded_without_an_allocation_per_row() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (few, many) = (folder.path().join("few.pb.gz"), folder.path().join("many.pb.gz"));
    write(&few, FEW);
    write(&many, MANY);
    assert_none_per_row(|| read(&few), || read(&many));
}

fn layout() -> Arc<RowLayout> {
    let columns: Vec<_> = (1..).zip(sample::types()).collect();
    Arc::new(RowLayout::new(&sample::table("Allocations", &columns)))
}

/// Encodes rows with a value of each kind, and writes them as a part.
fn write(path: &Path, rows: u64) -> u64 {
    let layout = layout();
    let mut builder = BlockBuilder::new(Arc::clone(&layout));
    let mut compressor = Compressor::new(Level::default());
    let kinds: Vec<FieldKind> = (0..layout.column_count()).map(|column| layout.kind(column)).collect();
    let mut writer = PartWriter::create(path, layout).unwrap();
    for row in 0..rows as i64 {
        put_row(&mut builder, &kinds, row);
        if builder.is_full() {
            writer.append(&compressor.compress(&builder.take())).unwrap();
        }
    }
    writer.append(&compressor.compress(&builder.take())).unwrap();
    writer.finish().unwrap().rows
}

/// Texts of many lengths, so that a row's own length takes one byte or two; a column in seven is NULL.
fn put_row(builder: &mut BlockBuilder, kinds: &[FieldKind], row: i64) {
    use FieldKind as F;
    const TEXT: &str = "Hej! Jag tror att vi har sett varandra i skogen bakom den gamla kvarnen.";
    let text = &TEXT[..(row % 71) as usize];
    for (column, kind) in kinds.iter().enumerate() {
        match kind {
            _ if (row + column as i64) % 7 == 0 => builder.put_null(column),
            F::Bool => builder.put_bool(column, row % 2 == 0),
            F::UInt32 | F::SInt32 | F::SInt64 => builder.put_integer(column, row % 200),
            F::Float => builder.put_float(column, row as f32),
            F::Double => builder.put_double(column, row as f64),
            F::String => builder.put_text(column, text),
            F::Bytes => builder.put_bytes(column, text.as_bytes()),
            F::Timestamp => builder.put_timestamp(column, Ticks(row * 10_000_001)),
            F::DateTimeOffset => builder.put_datetime_offset(column, Ticks(row * 10_000_001), 120),
            F::Variant => builder.put_variant(column, "int", text),
            F::Geometry => builder.put_geometry(column, 4326, text.as_bytes()),
        }
    }
    builder.end_row().unwrap();
}

/// Reads a part block by block, and decodes its rows.
fn read(path: &Path) -> u64 {
    let part = Part::open(path, layout()).unwrap();
    let reader = RowReader::all(part.layout());
    let (mut buffer, mut rows, mut nulls) = (BlockBuffer::new(), 0, 0);
    for block in 0..part.blocks().len() {
        part.read(block, &mut buffer).unwrap();
        let mut cells = Vec::new();
        for row in buffer.rows() {
            reader.read(row, &mut cells).unwrap();
            nulls += black_box(&cells).iter().filter(|cell| **cell == Cell::Null).count() as u64;
            rows += 1;
        }
    }
    assert!(nulls >= rows, "a column in seven is NULL");
    rows
}
