//! Cuts the rows of a lookup's table down to what the lookup keeps, on several threads: most of a table is columns that
//! nobody asks for, and inflating and passing over them takes the time.
//!
//! In: a block of the table. Out: its rows one behind another, each behind its length: the fields of the key and of the
//! wanted columns, as they are.

use std::sync::Arc;

use etl_schemas::dump::{BlockBuffer, DumpTable, Part, field_number};
use etl_schemas::wire::{FIXED32, FIXED64, LENGTH, VARINT, WireError, WireReader, WireValue, put_key, put_varint};

use crate::error::TransformError;
use crate::mapping::{LookupTable, Program};
use crate::scan::workers::Work;

/// The blocks of a lookup's table.
pub(super) struct Cutter {
    program: Arc<Program>,
    /// Of the lookup in the program.
    place: usize,
    parts: Vec<Part>,
    /// Part and block of each place.
    blocks: Vec<(usize, usize)>,
    /// Fields of the wanted columns.
    pub(super) fields: Vec<u32>,
    /// The same with the key's.
    kept: Vec<u32>,
}

impl Cutter {
    pub(super) fn new(program: &Arc<Program>, place: usize, table: &DumpTable) -> Result<Cutter, TransformError> {
        let plan = &program.lookups[place];
        let parts: Vec<Part> =
            (0..table.parts.len()).map(|number| table.open_part(number)).collect::<Result<_, _>>()?;
        let blocks = |(number, part): (usize, &Part)| (0..part.blocks().len()).map(move |block| (number, block));
        let blocks = parts.iter().enumerate().flat_map(blocks).collect();
        let field = |column: usize| field_number(plan.table.columns[column].id);
        let fields: Vec<u32> = plan.columns.iter().map(|column| field(*column)).collect();
        let kept = fields.iter().copied().chain([field(plan.key)]).collect();
        Ok(Cutter { program: Arc::clone(program), place, parts, blocks, fields, kept })
    }

    pub(super) fn plan(&self) -> &LookupTable {
        &self.program.lookups[self.place]
    }

    /// The error about a row of a block.
    pub(super) fn refused(&self, place: usize, row: u64, message: String) -> TransformError {
        let (part, block) = self.blocks[place];
        let (table, part) = (self.plan().table.name.to_string(), self.parts[part].path().to_path_buf());
        TransformError::Lookup { table, part, block, row, message }
    }

    fn cut(&self, place: usize, buffer: &mut BlockBuffer, row: &mut Vec<u8>) -> Result<Vec<u8>, TransformError> {
        let (part, block) = self.blocks[place];
        self.parts[part].read(block, buffer)?;
        let mut rows = Vec::new();
        for (number, bytes) in buffer.rows().enumerate() {
            row.clear();
            copy_fields(bytes, &self.kept, row)
                .map_err(|error| self.refused(place, number as u64, error.to_string()))?;
            put_varint(&mut rows, row.len() as u64);
            rows.extend_from_slice(row);
        }
        Ok(rows)
    }
}

impl Work for Cutter {
    type Output = Vec<u8>;

    fn places(&self) -> usize {
        self.blocks.len()
    }

    fn worker(&self) -> impl FnMut(usize) -> Result<Vec<u8>, TransformError> {
        let (mut buffer, mut row) = (BlockBuffer::new(), Vec::new());
        move |place| self.cut(place, &mut buffer, &mut row)
    }

    fn at(&self, place: usize) -> String {
        let (part, block) = self.blocks[place];
        format!("{}, block {block}", self.parts[part].path().display())
    }
}

/// Copies the wanted fields of a message as they are.
pub(super) fn copy_fields(row: &[u8], fields: &[u32], out: &mut Vec<u8>) -> Result<(), WireError> {
    let mut reader = WireReader::new(row);
    while let Some((field, value)) = reader.field()? {
        if !fields.contains(&field) {
            continue;
        }
        match value {
            WireValue::Varint(value) => {
                put_key(out, field, VARINT);
                put_varint(out, value);
            }
            WireValue::Fixed64(value) => {
                put_key(out, field, FIXED64);
                out.extend_from_slice(&value.to_le_bytes());
            }
            WireValue::Bytes(value) => {
                put_key(out, field, LENGTH);
                put_varint(out, value.len() as u64);
                out.extend_from_slice(value);
            }
            WireValue::Fixed32(value) => {
                put_key(out, field, FIXED32);
                out.extend_from_slice(&value.to_le_bytes());
            }
        }
    }
    Ok(())
}
