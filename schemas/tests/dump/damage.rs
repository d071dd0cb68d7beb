//! Damage is found, wherever it is, and named.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use etl_schemas::dump::{BlockBuffer, Dump, DumpError, Part, RowLayout, verify};
use etl_schemas::sql_type::SqlType;
use proptest::prelude::*;

use super::directory::write_dump;
use super::sample::{small_part, table};

/// Opens a part and reads all its blocks.
fn read_all(path: &Path, layout: &Arc<RowLayout>) -> Result<u64, DumpError> {
    let part = Part::open(path, Arc::clone(layout))?;
    let mut buffer = BlockBuffer::new();
    for block in 0..part.blocks().len() {
        part.read(block, &mut buffer)?;
    }
    Ok(part.rows())
}

/// Asserts that the error names the file, and the block that holds `offset`.
fn assert_named(error: &DumpError, path: &Path, block: Option<usize>) {
    let shown = error.to_string();
    assert!(shown.starts_with(&path.display().to_string()), "{shown}");
    if let Some(block) = block {
        assert!(shown.contains(&format!("block {block} at byte ")), "{shown}");
    }
}

#[test]
fn a_flipped_bit_anywhere_is_found_with_and_without_the_index() {
    let dir = tempfile::tempdir().unwrap();
    let (path, layout, _) = small_part(dir.path(), 25);
    let whole = fs::read(&path).unwrap();
    let blocks = Part::open(&path, Arc::clone(&layout)).unwrap().blocks().to_vec();
    let index = fs::read(dir.path().join("00000.idx")).unwrap();
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        fs::write(&path, &flipped).unwrap();
        let block = blocks
            .iter()
            .position(|block| (block.offset..block.offset + u64::from(block.member_bytes)).contains(&(at as u64)));
        let error = read_all(&path, &layout).unwrap_err();
        assert_named(&error, &path, block);
        fs::remove_file(dir.path().join("00000.idx")).unwrap();
        let error = read_all(&path, &layout).unwrap_err();
        assert_named(&error, &path, block);
        fs::write(dir.path().join("00000.idx"), &index).unwrap();
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(read_all(&path, &layout).unwrap(), 25);
}

#[test]
fn hostile_bytes_before_a_true_footer_end_in_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let (path, layout, _) = small_part(dir.path(), 25);
    let whole = fs::read(&path).unwrap();
    proptest!(|(bytes: Vec<u8>, keep in 0..200usize)| {
        let hostile = [&whole[..keep], &bytes[..], &whole[whole.len() - 50..]].concat();
        fs::write(&path, hostile).unwrap();
        prop_assert!(read_all(&path, &layout).is_err());
    });
}

#[test]
fn hostile_checksums_and_manifests_never_panic() {
    let dir = tempfile::tempdir().unwrap();
    write_dump(dir.path());
    let (checksums, manifest) = (dir.path().join("SHA256SUMS"), dir.path().join("manifest.json"));
    let whole = fs::read(&manifest).unwrap();
    proptest!(|(text: String, at in 0..whole.len(), byte: u8)| {
        fs::write(&checksums, text).unwrap();
        let is_whole = verify(dir.path(), 1, &|_| {}).unwrap().is_whole();
        prop_assert!(!is_whole);
        let mut bytes = whole.clone();
        bytes[at] = byte;
        fs::write(&manifest, bytes).unwrap();
        let _ = Dump::open(dir.path());
        fs::write(&manifest, &whole).unwrap();
    });
}

#[test]
fn every_bit_of_the_last_byte_of_a_deflate_stream_counts() {
    let dir = tempfile::tempdir().unwrap();
    let (path, layout, _) = small_part(dir.path(), 5);
    let whole = fs::read(&path).unwrap();
    let member_bytes = Part::open(&path, Arc::clone(&layout)).unwrap().blocks()[0].member_bytes as usize;
    for bit in 0..8 {
        let mut flipped = whole.clone();
        flipped[member_bytes - 9] ^= 1 << bit;
        fs::write(&path, &flipped).unwrap();
        assert!(read_all(&path, &layout).is_err(), "bit {bit}");
    }
}

#[test]
fn a_cut_anywhere_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let (path, layout, _) = small_part(dir.path(), 25);
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let error = read_all(&path, &layout).unwrap_err();
        assert_named(&error, &path, None);
        assert!(error.to_string().contains("without a footer"), "{error}");
    }
}

#[test]
fn blocks_taken_out_or_put_in_twice_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let (path, layout, _) = small_part(dir.path(), 25);
    let whole = fs::read(&path).unwrap();
    let second = Part::open(&path, Arc::clone(&layout)).unwrap().blocks()[1].clone();
    let (from, to) = (second.offset as usize, second.offset as usize + second.member_bytes as usize);
    let without = [&whole[..from], &whole[to..]].concat();
    let twice = [&whole[..to], &whole[from..]].concat();
    let garbage_behind = [&whole[..], b"x"].concat();
    for damaged in [without, twice, garbage_behind] {
        fs::write(&path, &damaged).unwrap();
        assert_named(&read_all(&path, &layout).unwrap_err(), &path, None);
    }
}

#[test]
fn a_damaged_or_foreign_index_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (path, layout, _) = small_part(dir.path(), 25);
    let index_path = dir.path().join("00000.idx");
    let index = fs::read(&index_path).unwrap();
    let expected = Part::open(&path, Arc::clone(&layout)).unwrap().blocks().to_vec();
    let mut damages: Vec<Vec<u8>> = (0..index.len()).map(|length| index[..length].to_vec()).collect();
    damages.extend((0..index.len()).map(|at| {
        let mut flipped = index.clone();
        flipped[at] ^= 0x10;
        flipped
    }));
    damages.push([&index[..], &index[..]].concat());
    for damaged in damages {
        fs::write(&index_path, &damaged).unwrap();
        let part = Part::open(&path, Arc::clone(&layout)).unwrap();
        assert!(part.index_rebuilt());
        assert_eq!(part.blocks(), expected);
    }
    let other = tempfile::tempdir().unwrap();
    small_part(other.path(), 24);
    fs::copy(other.path().join("00000.idx"), &index_path).unwrap();
    assert!(Part::open(&path, layout).unwrap().index_rebuilt());
}

#[test]
fn rows_of_another_schema_are_named_by_block_row_and_column() {
    let dir = tempfile::tempdir().unwrap();
    let (path, _, _) = small_part(dir.path(), 25);
    fs::remove_file(dir.path().join("00000.idx")).unwrap();
    let other = table("Small", &[(1, SqlType::Int), (2, SqlType::Int), (4, SqlType::Int)]);
    let error = Part::open(&path, Arc::new(RowLayout::new(&other))).unwrap_err();
    let shown = error.to_string();
    assert!(shown.contains("block 0, row 0: column Column 2: field 2 has wire type 2"), "{shown}");
}
