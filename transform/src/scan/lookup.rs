//! Lookups: tables held in memory by their key, with the columns that mappings use and nothing else.
//!
//! An entry is the row's own fields, cut down to those columns, so a lookup is as compact as the dump's format and is
//! decoded by the same code.

mod cutter;
mod keys;

use std::sync::Arc;

use etl_schemas::dump::{Cell, Dump, DumpTable, RowError, RowReader};
use etl_schemas::wire::WireReader;

use self::cutter::{Cutter, copy_fields};
use self::keys::{Integers, Map, append, entry_at};
use super::decode::value_of;
use super::workers::Workers;
use crate::error::TransformError;
use crate::expression::{Type, UuidValue, Value};
use crate::mapping::{Program, column_type};
use crate::stream::RunOptions;

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
    pub(crate) fn load(
        program: &Arc<Program>,
        dump: &Dump,
        options: &RunOptions,
        limit_bytes: usize,
    ) -> Result<Lookups, TransformError> {
        let mut lookups = Lookups::default();
        for (place, lookup) in program.lookups.iter().enumerate() {
            let left = limit_bytes - lookups.bytes().min(limit_bytes);
            let table = dump.table(&lookup.table.name).ok_or_else(|| TransformError::OtherDump {
                dump: dump.dir().to_path_buf(),
                message: format!("it has no table {}", lookup.table.name),
            })?;
            lookups.tables.push(load(program, place, table, options, left)?);
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

fn load(
    program: &Arc<Program>,
    place: usize,
    table: &DumpTable,
    options: &RunOptions,
    limit_bytes: usize,
) -> Result<Lookup, TransformError> {
    let plan = &program.lookups[place];
    let mut lookup = Lookup::default();
    let cutter = Arc::new(Cutter::new(program, place, table)?);
    let mut entry = Vec::new();
    let keys = Keys {
        reader: RowReader::columns(table.layout(), &[plan.key]),
        ty: column_type(&plan.table.columns[plan.key]),
    };
    let mut rows = 0;
    let mut workers = Workers::start(&cutter, options.threads, options.blocks_on_the_way())?;
    while let Some(block) = workers.next() {
        let block = block?;
        let refused = |row, message| cutter.refused(workers.done() - 1, row, message);
        let mut reader = WireReader::new(&block);
        let mut row = 0;
        while reader.remaining() > 0 {
            let bytes = reader.delimited().map_err(|error| refused(row, error.to_string()))?;
            add(&mut lookup, &keys, &cutter, bytes, &mut entry).map_err(|message| refused(row, message))?;
            row += 1;
        }
        rows += row;
        if lookup.bytes() > limit_bytes {
            let table = plan.table.name.to_string();
            return Err(TransformError::LookupTooLarge { table, rows, limit_bytes });
        }
    }
    Ok(lookup)
}

/// Reads the key of each row; its type is found once, since finding it costs an allocation.
struct Keys {
    reader: RowReader,
    ty: Type,
}

impl Keys {
    fn read<'a>(&self, row: &'a [u8]) -> Result<Option<Value<'a>>, RowError> {
        let mut key = [Cell::Null];
        self.reader.read_each(row, key.as_mut_slice())?;
        Ok(value_of(key[0], self.ty))
    }
}

/// Adds a row that was cut down.
fn add(lookup: &mut Lookup, keys: &Keys, cutter: &Cutter, row: &[u8], entry: &mut Vec<u8>) -> Result<(), String> {
    let key = keys.read(row).map_err(|error| error.to_string())?;
    let key = key.filter(|key| !key.is_null()).ok_or("its key has no value")?;
    entry.clear();
    copy_fields(row, &cutter.fields, entry).map_err(|error| error.to_string())?;
    match lookup.insert(&key, entry) {
        true => Ok(()),
        false => Err(format!("its key {key:?} is there twice, though the source says that it is unique")),
    }
}
