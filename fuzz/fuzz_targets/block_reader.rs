//! Any bytes as a part, and a sound part with some bytes changed. Neither may panic, and no changed part may be read as
//! if it were sound.
#![no_main]

mod tables;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use etl_schemas::dump::{BlockBuffer, BlockBuilder, Compressor, Level, Part, PartWriter, RowLayout};
use etl_schemas::ticks::Ticks;
use libfuzzer_sys::fuzz_target;

struct Sound {
    layout: Arc<RowLayout>,
    part: Vec<u8>,
    index: Vec<u8>,
    rows: Vec<Vec<u8>>,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

fn sound() -> &'static Sound {
    static SOUND: OnceLock<Sound> = OnceLock::new();
    SOUND.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("00000.pb.gz");
        let layout = Arc::new(RowLayout::new(&tables::every_kind()));
        let mut writer = PartWriter::create(&path, Arc::clone(&layout)).expect("a new part");
        for block in 0..3i64 {
            let mut builder = BlockBuilder::new(Arc::clone(&layout));
            for row in 0..20 {
                builder.put_integer(0, block * 20 + row);
                builder.put_text(7, &format!("row {row} of block {block}"));
                builder.put_timestamp(12, Ticks(row * 1_000_000_007));
                builder.end_row().expect("a small row");
            }
            writer.append(&Compressor::new(Level::default()).compress(&builder.take())).expect("a written block");
        }
        writer.finish().expect("a finished part");
        let part = std::fs::read(&path).expect("the part");
        let index = std::fs::read(path.with_file_name("00000.idx")).expect("its index");
        let rows = read(&path, &layout).expect("a sound part is read");
        Sound { layout, part, index, rows, path, _folder: folder }
    })
}

fn read(path: &std::path::Path, layout: &Arc<RowLayout>) -> Option<Vec<Vec<u8>>> {
    let part = Part::open(path, Arc::clone(layout)).ok()?;
    let (mut buffer, mut rows) = (BlockBuffer::new(), Vec::new());
    for block in 0..part.blocks().len() {
        part.read(block, &mut buffer).ok()?;
        rows.extend(buffer.rows().map(<[u8]>::to_vec));
    }
    Some(rows)
}

fn change(bytes: &mut [u8], edits: &[u8]) {
    for edit in edits.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % bytes.len();
        bytes[at] ^= edit[2];
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((mode, data)) = data.split_first() else { return };
    let sound = sound();
    let index = sound.path.with_file_name("00000.idx");
    let (mut part_bytes, mut index_bytes) = (sound.part.clone(), sound.index.clone());
    match mode % 3 {
        0 => part_bytes = data.to_vec(),
        1 => change(&mut part_bytes, data),
        _ => change(&mut index_bytes, data),
    }
    std::fs::write(&sound.path, &part_bytes).expect("the part can be written");
    std::fs::write(&index, &index_bytes).expect("the index can be written");
    if let Some(rows) = read(&sound.path, &sound.layout)
        && mode % 3 > 0
    {
        assert!(rows == sound.rows, "a changed part was read as if it were sound");
    }
});
