//! Framing: the blocks of a dump, from the file to rows one behind another.
//!
//! In: a dump of messages, once as extract writes it (gzip) and once with its blocks stored. Out: bytes of rows a second
//! for reading blocks with every check (`read`), and for walking over the rows of blocks that lie in memory (`walk`).
//! `read/stored` is what checksums, file and row count cost; the rest of `read/gzip` is inflating.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use etl_micro::recut::{recut, stored};
use etl_micro::sample::{MESSAGES, Sample, blocks, table};
use etl_schemas::dump::{BlockBuffer, DumpTable, Part};

/// 60,000 messages.
const SCALE: f64 = 0.05;

fn framing(criterion: &mut Criterion) {
    let sample = Sample::of(&[MESSAGES], SCALE);
    let stored = recut(&sample.dump, &sample.folder.path().join("stored"), stored(), |block, _| block);
    let mut group = criterion.benchmark_group("framing");
    for (name, table) in [("read/gzip", sample.table(MESSAGES)), ("read/stored", table(&stored, MESSAGES))] {
        let parts = parts(table);
        let mut buffer = BlockBuffer::new();
        assert_eq!(read(&parts, &mut buffer), table.rows(), "every row lies in a block");
        group.throughput(Throughput::Bytes(table.content_bytes()));
        group.bench_function(name, |bencher| bencher.iter(|| read(black_box(&parts), &mut buffer)));
    }

    let blocks = blocks(sample.table(MESSAGES));
    let bytes: usize = blocks.iter().map(|block| block.content().len()).sum();
    let (rows, row_bytes) = walk(&blocks);
    assert_eq!(rows, sample.table(MESSAGES).rows());
    assert!(row_bytes < bytes, "the content is rows and their lengths");
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("walk", |bencher| bencher.iter(|| walk(black_box(&blocks))));
    group.finish();
}

fn parts(table: &DumpTable) -> Vec<Part> {
    (0..table.parts.len()).map(|part| table.open_part(part).expect("the part was just written")).collect()
}

/// Reads every block into one buffer, as a worker of the transform does, and counts the rows.
fn read(parts: &[Part], buffer: &mut BlockBuffer) -> u64 {
    let mut rows = 0;
    for part in parts {
        for block in 0..part.blocks().len() {
            part.read(block, buffer).expect("the block was just written");
            rows += u64::from(buffer.row_count());
            black_box(buffer.content());
        }
    }
    rows
}

/// Counts rows and their bytes without their lengths.
fn walk(blocks: &[BlockBuffer]) -> (u64, usize) {
    let rows = blocks.iter().flat_map(BlockBuffer::rows);
    rows.fold((0, 0), |(rows, bytes), row| (rows + 1, bytes + black_box(row).len()))
}

criterion_group!(benches, framing);
criterion_main!(benches);
