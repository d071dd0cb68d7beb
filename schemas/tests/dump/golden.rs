//! The bytes of a part, one by one: what this test holds, dumps on people's disks have.

use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;

use etl_schemas::dump::{Level, Part, RowLayout};
use etl_schemas::sql_type::SqlType;
use expect_test::{Expect, expect};

use super::sample::{blocks, small_row, table, write_part};

fn check(bytes: &[u8], expected: &Expect) {
    let mut shown = String::new();
    for line in bytes.chunks(16) {
        line.iter().for_each(|byte| write!(shown, "{byte:02x} ").unwrap());
        shown.pop();
        shown.push('\n');
    }
    expected.assert_eq(&shown);
}

#[test]
fn a_part_and_its_index_byte_by_byte() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("00000.pb.gz");
    let columns = [(1, SqlType::Int), (2, SqlType::DateTime), (4, SqlType::NVarChar { length: Some(50) })];
    let layout = Arc::new(RowLayout::new(&table("Small", &columns)));
    let rows = [small_row(2), small_row(3)];
    // Stored, not compressed, so that the bytes don't depend on libdeflate's version.
    write_part(&path, &layout, &blocks(&layout, &rows, 2), Level::new(0).unwrap());
    check(
        &fs::read(&path).unwrap(),
        &expect![[r#"
        1f 8b 08 04 00 00 00 00 00 ff 14 00 45 42 10 00
        47 00 00 00 1a 00 00 00 02 00 00 00 0a d5 57 8e
        01 1a 00 e5 ff 0e 08 04 12 02 08 02 22 06 74 65
        78 74 20 34 0a 08 06 22 06 74 65 78 74 20 39 ea
        db 43 97 1a 00 00 00 1f 8b 08 04 00 00 00 00 00
        ff 1c 00 45 46 18 00 02 00 00 00 00 00 00 00 1a
        00 00 00 00 00 00 00 01 00 00 00 f9 8f 88 9b 03
        00 00 00 00 00 00 00 00 00
    "#]],
    );
    check(
        &fs::read(dir.path().join("00000.idx")).unwrap(),
        &expect![[r#"
        08 79 12 22 10 47 18 1a 20 02 2a 08 08 01 10 04
        18 06 28 01 2a 10 08 02 10 80 b4 89 13 18 80 b4
        89 13 20 01 28 01 7d 45 53 bd 50
    "#]],
    );
    assert_eq!(Part::open(&path, layout).unwrap().rows(), 2);
}
