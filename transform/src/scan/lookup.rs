//! Lookups: tables held in memory by their key, with the columns that mappings use and nothing else.
//!
//! An entry is the row's own fields, cut down to those columns, so a lookup is as compact as the dump's format and is
//! decoded by the same code.

mod keys;

use etl_schemas::dump::{BlockBuffer, Dump, DumpTable, Part, RowReader, field_number};
use etl_schemas::wire::{FIXED32, FIXED64, LENGTH, VARINT, WireError, WireReader, WireValue, put_key, put_varint};

use self::keys::{Integers, Map, append, entry_at};
use super::decode::value_of;
use crate::error::TransformError;
use crate::expression::{UuidValue, Value};
use crate::mapping::{LookupTable, Program, column_type};

/// One table in memory.
#[derive(Default)]
pub(crate) struct Lookup {
    integers: Integers,
    uuids: Map<UuidValue>,
    texts: Map<Box<str>>,
    /// Each entry behind its length.
    content: Vec<u8>,
}

impl Lookup {
    /// The fields of the row with this key.
    #[inline]
    pub(crate) fn find(&self, key: &Value<'_>) -> Option<&[u8]> {
        match key {
            Value::Integer(key) => self.integers.find(*key, &self.content),
            Value::Uuid(key) => entry_at(&self.content, *self.uuids.get(key)?),
            Value::Text(key) => entry_at(&self.content, *self.texts.get(*key)?),
            _ => None,
        }
    }

    /// Whether the key is new.
    fn insert(&mut self, key: &Value<'_>, entry: &[u8]) -> bool {
        let content = &mut self.content;
        match key {
            Value::Integer(key) => self.integers.insert(*key, entry, content),
            Value::Uuid(key) => self.uuids.insert(*key, append(content, entry)).is_none(),
            Value::Text(key) => self.texts.insert((*key).into(), append(content, entry)).is_none(),
            other => unreachable!("the compiler takes no {other:?} as a lookup's key"),
        }
    }

    /// Memory that it holds, the maps' entries reckoned with their load.
    fn bytes(&self) -> usize {
        let texts: usize = self.texts.capacity() * (size_of::<(Box<str>, u64)>() + 24);
        self.content.capacity()
            + self.integers.bytes()
            + self.uuids.capacity() * (size_of::<(UuidValue, u64)>() + 1)
            + texts
    }
}

/// All lookups of a program.
#[derive(Default)]
pub(crate) struct Lookups {
    tables: Vec<Lookup>,
}

impl Lookups {
    /// Reads all lookups; together they take at most `limit_bytes`.
    pub(crate) fn load(program: &Program, dump: &Dump, limit_bytes: usize) -> Result<Lookups, TransformError> {
        let mut lookups = Lookups::default();
        for lookup in &program.lookups {
            let left = limit_bytes - lookups.bytes().min(limit_bytes);
            let table = dump.table(&lookup.table.name).ok_or_else(|| TransformError::OtherDump {
                dump: dump.dir().to_path_buf(),
                message: format!("it has no table {}", lookup.table.name),
            })?;
            lookups.tables.push(load(lookup, table, left)?);
        }
        Ok(lookups)
    }

    /// Memory that they hold.
    pub(crate) fn bytes(&self) -> usize {
        self.tables.iter().map(Lookup::bytes).sum()
    }

    /// By its place in the program.
    #[inline]
    pub(crate) fn get(&self, place: usize) -> &Lookup {
        &self.tables[place]
    }
}

fn load(plan: &LookupTable, table: &DumpTable, limit_bytes: usize) -> Result<Lookup, TransformError> {
    let mut lookup = Lookup::default();
    let mut entry = Vec::new();
    let keys = RowReader::columns(table.layout(), &[plan.key]);
    let fields: Vec<u32> = plan.columns.iter().map(|column| field_number(plan.table.columns[*column].id)).collect();
    let mut buffer = BlockBuffer::new();
    let mut rows = 0;
    for number in 0..table.parts.len() {
        let part = table.open_part(number)?;
        for block in 0..part.blocks().len() {
            part.read(block, &mut buffer)?;
            for (row, bytes) in buffer.rows().enumerate() {
                add(&mut lookup, plan, &keys, &fields, bytes, &mut entry)
                    .map_err(|message| at(plan, &part, block, row, message))?;
                rows += 1;
            }
            if lookup.bytes() > limit_bytes {
                let table = plan.table.name.to_string();
                return Err(TransformError::LookupTooLarge { table, rows, limit_bytes });
            }
        }
    }
    Ok(lookup)
}

fn at(plan: &LookupTable, part: &Part, block: usize, row: usize, message: String) -> TransformError {
    let (table, part) = (plan.table.name.to_string(), part.path().to_path_buf());
    TransformError::Lookup { table, part, block, row: row as u64, message }
}

fn add(
    lookup: &mut Lookup,
    plan: &LookupTable,
    keys: &RowReader,
    fields: &[u32],
    row: &[u8],
    entry: &mut Vec<u8>,
) -> Result<(), String> {
    let mut cells = Vec::with_capacity(1);
    keys.read(row, &mut cells).map_err(|error| error.to_string())?;
    let key = value_of(cells[0], column_type(&plan.table.columns[plan.key]));
    let key = key.filter(|key| !key.is_null()).ok_or("its key has no value")?;
    entry.clear();
    copy_fields(row, fields, entry).map_err(|error| error.to_string())?;
    match lookup.insert(&key, entry) {
        true => Ok(()),
        false => Err(format!("its key {key:?} is there twice, though the source says that it is unique")),
    }
}

/// Copies the wanted fields of a message as they are.
fn copy_fields(row: &[u8], fields: &[u32], out: &mut Vec<u8>) -> Result<(), WireError> {
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
