//! The rows of a table in another dump, cut into other blocks or compressed otherwise.
//!
//! In: a dump of one table, and for every row the block that it shall lie in. Out: a dump with the same rows. With it a
//! benchmark chooses what costs: at level 0 blocks are stored, so that inflating is copying; rows that are dealt out
//! like cards give blocks that all span the whole time of the table, so that none is in order after another.

use std::path::Path;
use std::slice::from_ref;
use std::sync::Arc;

use etl_schemas::dump::{
    BlockBuilder, Cell, Compressor, Dump, DumpWriter, FinishedTable, KeyRange, Level, PartWriter, RowReader,
};

use crate::sample::blocks;

/// The level at which nothing is compressed.
pub fn stored() -> Level {
    Level::new(0).expect("levels begin at 0")
}

/// Writes the only table of `dump` anew into `out`. `place` gets the place of the row's block and the row's own in the
/// table, and says which block of the new dump takes it; the rows of a block keep their order.
pub fn recut(dump: &Dump, out: &Path, level: Level, place: impl Fn(usize, usize) -> usize) -> Arc<Dump> {
    let [table] = dump.tables() else { panic!("a dump of one table") };
    let (layout, name) = (table.layout(), &table.schema.name);
    let (reader, mut builders, mut index) = (RowReader::all(layout), Vec::new(), 0);
    for (number, block) in blocks(table).iter().enumerate() {
        let mut cells = Vec::new();
        for row in block.rows() {
            let place = place(number, index);
            builders.resize_with((place + 1).max(builders.len()), || BlockBuilder::new(Arc::clone(layout)));
            reader.read(row, &mut cells).expect("the dump is sound");
            cells.iter().enumerate().for_each(|(column, cell)| put(&mut builders[place], column, cell));
            builders[place].end_row().expect("the row was small enough before");
            index += 1;
        }
    }
    let writer = DumpWriter::create(out, "recut", from_ref(&table.schema)).expect("a new folder takes a dump");
    let mut part = PartWriter::create(&writer.part_path(name, 0), Arc::clone(layout)).expect("a new part");
    let mut compressor = Compressor::new(level);
    for builder in &mut builders {
        part.append(&compressor.compress(&builder.take())).expect("the disk has room");
    }
    let summary = part.finish().expect("the disk has room");
    writer.record_part(name, 0, KeyRange::default(), summary, 0).expect("the disk has room");
    let finished = FinishedTable { name: name.clone(), parts: 1, notes: Vec::new() };
    writer.finish(dump.manifest().source.clone(), &[finished]).expect("all parts are recorded");
    Arc::new(Dump::open(out).expect("a complete dump opens"))
}

fn put(builder: &mut BlockBuilder, column: usize, cell: &Cell<'_>) {
    match *cell {
        Cell::Null => builder.put_null(column),
        Cell::Bool(value) => builder.put_bool(column, value),
        Cell::Integer(value) => builder.put_integer(column, value),
        Cell::Text(value) => builder.put_text(column, value),
        Cell::Bytes(value) => builder.put_bytes(column, value),
        Cell::Timestamp(value) => builder.put_timestamp(column, value),
        ref other => panic!("no table of the sample that is recut holds {other:?}"),
    }
}
