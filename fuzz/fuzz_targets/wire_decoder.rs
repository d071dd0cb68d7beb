//! Any bytes as a row, as an event's key and as protobuf fields: an error or a value, never a panic.
#![no_main]

mod tables;

use std::sync::{Arc, OnceLock};

use etl_schemas::dump::{RowJson, RowLayout, RowReader};
use etl_schemas::event::EventKey;
use etl_schemas::wire::{WireReader, WireValue, read_timestamp};
use libfuzzer_sys::fuzz_target;

fn readers() -> &'static (RowReader, RowReader, RowJson) {
    static READERS: OnceLock<(RowReader, RowReader, RowJson)> = OnceLock::new();
    READERS.get_or_init(|| {
        let table = tables::every_kind();
        let layout = Arc::new(RowLayout::new(&table));
        (RowReader::all(&layout), RowReader::columns(&layout, &[7, 0, 12]), RowJson::new(&table, &layout))
    })
}

fuzz_target!(|data: &[u8]| {
    let (all, some, json) = readers();
    let (mut cells, mut few, mut line) = (Vec::new(), Vec::new(), Vec::new());
    let whole = all.read(data, &mut cells);
    if whole.is_ok() {
        some.read(data, &mut few).expect("whoever reads all columns reads some of them");
        assert_eq!(format!("{:?}", (few[0], few[1], few[2])), format!("{:?}", (cells[7], cells[0], cells[12])));
        json.write(data, &mut Vec::new(), &mut line).expect("a row that is read is written");
        std::str::from_utf8(&line).expect("JSON is UTF-8");
    }
    let _ = EventKey::from_bytes(data).map(|key| key.to_string());
    let _ = read_timestamp(data);
    let mut reader = WireReader::new(data);
    let mut left = reader.remaining();
    while let Ok(Some((_, value))) = reader.field() {
        assert!(reader.remaining() < left, "every field takes bytes");
        left = reader.remaining();
        if let WireValue::Bytes(bytes) = value {
            assert!(bytes.len() <= data.len());
        }
    }
});
