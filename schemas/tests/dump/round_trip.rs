//! What is written is read, by us and by others.

use std::fs;
use std::io::Read as _;
use std::sync::Arc;

use etl_schemas::dump::{
    BLOCK_TARGET_BYTES, BlockBuffer, BlockBuilder, Cell, DumpError, DumpWriter, Level, Part, ROW_BYTES_MAX, RowLayout,
    RowReader, Zone,
};
use etl_schemas::sql_type::SqlType;
use etl_schemas::wire::WireReader;
use proptest::prelude::*;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage};

use super::sample::{Row, blocks, put_row, small_row, table, table_and_rows, write_part};

/// The zone of a column, computed from the values themselves.
fn plain_zone(rows: &[Row], column: usize) -> Zone {
    let values: Vec<i64> = rows.iter().filter_map(|row| row[column].cell().zone_value()).collect();
    let range = values.iter().min().copied().zip(values.iter().max().copied());
    let nulls = (rows.len() - values.len()) as u32;
    Zone { column, range, nulls, ascending: values.is_sorted() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn rows_zones_and_counts_come_back((table, rows) in table_and_rows(40), per_block in 1..12usize, level in 0..=12u8) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("00000.pb.gz");
        let layout = Arc::new(RowLayout::new(&table));
        let written = blocks(&layout, &rows, per_block);
        let summary = write_part(&path, &layout, &written, Level::new(level).unwrap());
        prop_assert_eq!(summary.rows, rows.len() as u64);

        let part = Part::open(&path, Arc::clone(&layout)).unwrap();
        prop_assert!(!part.index_rebuilt());
        prop_assert_eq!((part.rows(), part.bytes()), (summary.rows, summary.bytes));
        let reader = RowReader::all(&layout);
        let mut buffer = BlockBuffer::new();
        for (block, expected) in rows.chunks(per_block).enumerate() {
            part.read(block, &mut buffer).unwrap();
            prop_assert_eq!(buffer.row_count() as usize, expected.len());
            let mut cells = Vec::new();
            for (bytes, row) in buffer.rows().zip(expected) {
                reader.read(bytes, &mut cells).unwrap();
                prop_assert_eq!(&cells, &row.iter().map(|value| value.cell()).collect::<Vec<_>>());
            }
            let zones: Vec<Zone> = layout.zoned_columns().iter().map(|column| plain_zone(expected, *column)).collect();
            prop_assert_eq!(&part.blocks()[block].zones, &zones);
        }

        fs::remove_file(dir.path().join("00000.idx")).unwrap();
        let rebuilt = Part::open(&path, layout).unwrap();
        prop_assert!(rebuilt.index_rebuilt());
        prop_assert_eq!(rebuilt.blocks(), part.blocks());
    }

    #[test]
    fn any_gunzip_gives_the_delimited_stream((table, rows) in table_and_rows(30), per_block in 1..12usize) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("00000.pb.gz");
        let layout = Arc::new(RowLayout::new(&table));
        let written = blocks(&layout, &rows, per_block);
        write_part(&path, &layout, &written, Level::default());
        let mut stream = Vec::new();
        flate2::read::MultiGzDecoder::new(fs::File::open(&path).unwrap()).read_to_end(&mut stream).unwrap();
        let expected: Vec<u8> = written.iter().flat_map(|block| block.content().to_vec()).collect();
        prop_assert_eq!(stream, expected);
    }

    #[test]
    fn another_protobuf_reader_takes_the_rows_and_would_write_the_same((table, rows) in table_and_rows(8)) {
        let dir = tempfile::tempdir().unwrap();
        drop(DumpWriter::create(dir.path(), "", std::slice::from_ref(&table)).unwrap());
        let descriptors = fs::read(dir.path().join("schema.binpb")).unwrap();
        let pool = DescriptorPool::decode(descriptors.as_slice()).unwrap();
        let message = pool.get_message_by_name(&table.full_name()).unwrap();
        let layout = Arc::new(RowLayout::new(&table));
        for block in blocks(&layout, &rows, 100) {
            let mut stream = Vec::new();
            let mut reader = WireReader::new(block.content());
            for row in &rows {
                let dynamic = DynamicMessage::decode(message.clone(), reader.delimited().unwrap()).unwrap();
                let given = row.iter().filter(|value| value.cell() != Cell::Null).count();
                prop_assert_eq!(dynamic.fields().count(), given);
                prop_assert_eq!(dynamic.unknown_fields().count(), 0);
                dynamic.encode_length_delimited(&mut stream).unwrap();
            }
            prop_assert_eq!(stream, block.content());
        }
    }

    #[test]
    fn hostile_rows_end_in_an_error_or_in_cells(bytes: Vec<u8>) {
        let (table, _) = sample_table();
        let mut cells = Vec::new();
        if RowReader::all(&Arc::new(RowLayout::new(&table))).read(&bytes, &mut cells).is_ok() {
            prop_assert_eq!(cells.len(), table.columns.len());
        }
    }
}

fn sample_table() -> (etl_schemas::table::TableSchema, Arc<RowLayout>) {
    let columns: Vec<(u32, SqlType)> =
        super::sample::types().into_iter().zip(1..).map(|(kind, id)| (id, kind)).collect();
    let table = table("Types", &columns);
    let layout = Arc::new(RowLayout::new(&table));
    (table, layout)
}

#[test]
fn an_abandoned_row_leaves_no_trace() {
    let columns = [(1, SqlType::Int), (2, SqlType::DateTime), (4, SqlType::NVarChar { length: None })];
    let layout = Arc::new(RowLayout::new(&table("Small", &columns)));
    let mut builder = BlockBuilder::new(Arc::clone(&layout));
    for number in 0..20 {
        put_row(&mut builder, &small_row(-number));
        builder.abandon_row();
        put_row(&mut builder, &small_row(number));
        builder.end_row().unwrap();
    }
    put_row(&mut builder, &small_row(-99));
    let rows: Vec<Row> = (0..20).map(small_row).collect();
    assert_eq!(vec![builder.take()], blocks(&layout, &rows, 20));
}

#[test]
fn a_block_is_full_at_its_target_and_a_row_past_the_limit_is_refused() {
    let columns = [(1, SqlType::VarBinary { length: None })];
    let layout = Arc::new(RowLayout::new(&table("Blobs", &columns)));
    let mut builder = BlockBuilder::new(Arc::clone(&layout));
    let put = |builder: &mut BlockBuilder, bytes: usize| {
        builder.put_bytes(0, &vec![7; bytes]);
        builder.end_row()
    };
    put(&mut builder, BLOCK_TARGET_BYTES - 20).unwrap();
    assert!(!builder.is_full());
    put(&mut builder, 0).unwrap();
    let refused = put(&mut builder, ROW_BYTES_MAX).unwrap_err();
    assert!(matches!(&refused, DumpError::RowTooLarge { row: 2, .. }), "{refused}");
    assert!(refused.to_string().starts_with("dbo.Blobs: row 2 has 67108869 bytes"), "{refused}");
    assert_eq!(builder.rows(), 2);
    let largest = ROW_BYTES_MAX - 5;
    put(&mut builder, largest).unwrap();
    assert!(builder.is_full());
    let block = builder.take();
    assert_eq!((block.rows(), builder.rows(), builder.content_bytes()), (3, 0, 0));

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("00000.pb.gz");
    write_part(&path, &layout, &[block], Level::default());
    let mut buffer = BlockBuffer::new();
    Part::open(&path, layout).unwrap().read(0, &mut buffer).unwrap();
    assert_eq!(buffer.rows().last().map(<[u8]>::len), Some(ROW_BYTES_MAX));
}

#[test]
fn only_the_wanted_columns_are_read_and_unknown_fields_are_skipped() {
    let (_, layout) = sample_table();
    let reader = RowReader::columns(&layout, &[3, 0]);
    // Field 1 twice (the last one counts), field 4, and field 99, which the table doesn't have.
    let row = [0x08, 1, 0x20, 7, 0x08, 0, 0x9a, 0x06, 1, 0xff];
    let mut cells = Vec::new();
    reader.read(&row, &mut cells).unwrap();
    assert_eq!(cells, [Cell::Integer(-4), Cell::Bool(false)]);
    let error = reader.read(&[0x0a, 0], &mut Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "column Column 1: field 1 has wire type 2, which its schema doesn't expect");
}
