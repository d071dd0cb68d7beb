//! What lies in a dump, for comparison.

use std::path::Path;

use etl_schemas::dump::{BlockBuffer, Cell, Dump, DumpTable, RowReader, verify};
use etl_schemas::table::TableName;

/// Calls `each` with every row of a table, in the dump's order.
pub(crate) fn each_row(table: &DumpTable, mut each: impl FnMut(&[Cell<'_>])) {
    let reader = RowReader::all(table.layout());
    let mut buffer = BlockBuffer::new();
    for part in 0..table.parts.len() {
        let part = table.open_part(part).unwrap();
        for block in 0..part.blocks().len() {
            part.read(block, &mut buffer).unwrap();
            for row in buffer.rows() {
                let mut cells = Vec::new();
                reader.read(row, &mut cells).unwrap();
                each(&cells);
            }
        }
    }
}

/// The integers of a table's first column.
pub(crate) fn first_column(dir: &Path, table: &TableName) -> Vec<i64> {
    let dump = Dump::open(dir).unwrap();
    let mut values = Vec::new();
    each_row(dump.table(table).unwrap(), |cells| match cells[0] {
        Cell::Integer(value) => values.push(value),
        other => panic!("the first column holds {other:?}"),
    });
    values
}

/// Fails unless every file, block and row of the dump is whole.
pub(crate) fn assert_whole(dir: &Path) {
    let report = verify(dir, 1, &|_| {}).unwrap();
    assert!(report.is_whole(), "{:?}", report.findings);
}

/// Fails unless two dumps hold the same bytes: equal fingerprints name equal parts.
pub(crate) fn assert_equal(a: &Path, b: &Path) {
    assert_whole(a);
    assert_whole(b);
    assert_eq!(Dump::open(a).unwrap().fingerprint(), Dump::open(b).unwrap().fingerprint());
}
