//! Row decoding: rows on the wire to typed cells.
//!
//! In: the inflated blocks of two tables, messages (few columns, long texts) and members (many columns, half of them
//! texts). Out: rows a second, and bytes of rows a second, for decoding all columns (`all`) and three of them, as a mapping
//! does that needs no more (`three`): what isn't wanted is skipped unread.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use etl_micro::sample::{MESSAGES, Sample, blocks};
use etl_schemas::dump::{BlockBuffer, Cell, DumpTable, RowReader};

const MEMBERS: &str = "Members";
/// 120,000 messages, 22 MiB of rows, which lie in memory; 5,000 members, 2 MiB, which a cache may hold.
const SCALE: f64 = 0.1;

fn row_decode(criterion: &mut Criterion) {
    let sample = Sample::of(&[MESSAGES, MEMBERS], SCALE);
    let mut group = criterion.benchmark_group("row_decode");
    for (name, three) in [(MESSAGES, ["Id", "SentAt", "Body"]), (MEMBERS, ["Id", "CreatedAt", "Description"])] {
        let table = sample.table(name);
        let blocks = blocks(table);
        let bytes: usize = blocks.iter().map(|block| block.content().len()).sum();
        for (columns, reader) in [("all", RowReader::all(table.layout())), ("three", reader_of(table, three))] {
            check(table, &reader, &blocks);
            group.throughput(Throughput::ElementsAndBytes { elements: table.rows(), bytes: bytes as u64 });
            let name = format!("{}/{columns}", name.to_lowercase());
            group.bench_function(name, |bencher| bencher.iter(|| decode(&reader, black_box(&blocks))));
        }
    }
    group.finish();
}

fn reader_of(table: &DumpTable, columns: [&str; 3]) -> RowReader {
    let place = |name: &str| table.schema.columns.iter().position(|column| column.name == name);
    let places = columns.map(|name| place(name).expect("the sample's table has this column"));
    RowReader::columns(table.layout(), &places)
}

/// Decodes every row into the same cells and counts those that hold a value.
fn decode(reader: &RowReader, blocks: &[BlockBuffer]) -> (u64, u64) {
    let (mut rows, mut values) = (0, 0);
    for block in blocks {
        let mut cells = Vec::new();
        for row in block.rows() {
            reader.read(row, &mut cells).expect("the dump is sound");
            rows += 1;
            values += u64::from(black_box(&cells)[0] != Cell::Null);
        }
    }
    (rows, values)
}

/// Every row is read, its first column (the key, `Id`) is a value in all of them, and the wanted columns are all there.
fn check(table: &DumpTable, reader: &RowReader, blocks: &[BlockBuffer]) {
    assert_eq!(decode(reader, blocks), (table.rows(), table.rows()));
    let mut cells = Vec::new();
    let first = blocks.first().and_then(|block| block.rows().next()).expect("the table has rows");
    reader.read(first, &mut cells).expect("the dump is sound");
    assert_eq!(cells.len(), reader.width());
    assert_eq!(cells.first(), Some(&Cell::Integer(1)), "the dump is in the order of the key");
}

criterion_group!(benches, row_decode);
criterion_main!(benches);
