//! One block: every row through every mapping that its table drives.

use bumpalo::Bump;
use etl_schemas::dump::{BlockBuffer, Dump};
use etl_schemas::table::TableSchema;

use super::decode::Decoder;
use super::emit::{RejectReason, emit};
use super::key_text::key_text;
use super::lookup::Lookups;
use crate::causality::Record;
use crate::error::TransformError;
use crate::expression::{Context, Memo, Value};
use crate::mapping::{Join, Mapping, Program};
use crate::order::{Entry, Run};

/// A row that a mapping couldn't take.
#[derive(Debug)]
pub(crate) struct Reject {
    /// Place of the row in its block.
    pub row: u32,
    /// Place of the mapping in the program; `None` when the row itself can't be read.
    pub mapping: Option<usize>,
    pub reason: String,
    /// The row's key columns.
    pub key: String,
    /// The row's message.
    pub content: Vec<u8>,
}

/// What became of a block.
#[derive(Debug, Default)]
pub(crate) struct ScannedBlock {
    pub rows: u64,
    /// Rows that gave events and were rejected by no mapping.
    pub with_events: u64,
    /// Rows that every mapping filtered.
    pub filtered: u64,
    /// By row, then mapping.
    pub rejects: Vec<Reject>,
    /// For each mapping with events: its place in the program, and its events in order.
    pub runs: Vec<(usize, Run)>,
    /// What the project's constraints are counted by; see [`crate::causality`].
    pub records: Vec<Record>,
}

/// What scanning a table needs, shared by all threads.
pub(crate) struct TableScanner<'p> {
    program: &'p Program,
    table: &'p TableSchema,
    layout: std::sync::Arc<etl_schemas::dump::RowLayout>,
    pub(super) decoder: Decoder,
    pub(super) mappings: Vec<MappingScanner<'p>>,
    /// How many values the mappings share.
    shared: usize,
}

pub(super) struct MappingScanner<'p> {
    pub(super) place: usize,
    pub(super) mapping: &'p Mapping,
    pub(super) joins: Vec<(&'p Join, Decoder)>,
    /// Number of columns that the joins bring.
    width: usize,
}

impl<'p> TableScanner<'p> {
    pub(crate) fn new(program: &'p Program, dump: &Dump, scan: usize) -> Result<TableScanner<'p>, TransformError> {
        let layout_of = |table: &TableSchema| match dump.table(&table.name) {
            Some(found) if found.schema == *table => Ok(found.layout().clone()),
            found => Err(TransformError::OtherDump {
                dump: dump.dir().to_path_buf(),
                message: match found {
                    Some(_) => format!("its table {} has other columns", table.name),
                    None => format!("it has no table {}", table.name),
                },
            }),
        };
        let scan = &program.scans[scan];
        let layout = layout_of(&scan.table)?;
        let mut mappings = Vec::with_capacity(scan.mappings.len());
        for place in &scan.mappings {
            let mapping = &program.mappings[*place];
            let mut joins = Vec::with_capacity(mapping.joins.len());
            let mut width = 0;
            for join in &mapping.joins {
                let table = &program.lookups[join.lookup].table;
                let columns: Vec<usize> = join.columns.iter().map(|(column, _)| *column).collect();
                joins.push((join, Decoder::new(table, &layout_of(table)?, &columns)));
                width += columns.len();
            }
            mappings.push(MappingScanner { place: *place, mapping, joins, width });
        }
        let decoder = Decoder::new(&scan.table, &layout, &scan.columns);
        Ok(TableScanner { program, table: &scan.table, layout, decoder, mappings, shared: scan.shared })
    }

    /// Scans a block whose rows are in `buffer`; `block` is its place in the plan. The arenas' sizes of the block
    /// before are in `hints`, so that they grow once.
    pub(crate) fn scan(
        &self,
        block: u32,
        buffer: &BlockBuffer,
        lookups: &Lookups,
        bump: &mut Bump,
        hints: &mut [usize],
    ) -> ScannedBlock {
        let mut scanned = ScannedBlock::default();
        let mut collected: Vec<(Vec<Entry>, Vec<u8>)> =
            self.mappings.iter().map(|mapping| (Vec::new(), Vec::with_capacity(hints[mapping.place]))).collect();
        let mut values: Vec<Value<'_>> = Vec::new();
        let mut joined = Joined { found: Vec::new(), values: Vec::new() };
        let memos = vec![Memo::default(); self.shared];
        for (row, bytes) in buffer.rows().enumerate() {
            let row = row as u32;
            scanned.rows += 1;
            if let Err(reason) = self.decoder.decode(bytes, &mut values) {
                scanned.rejects.push(self.reject(row, None, &reason, bytes));
                continue;
            }
            memos.iter().for_each(Memo::forget);
            bump.reset();
            let (mut events, rejects) = (false, scanned.rejects.len());
            for (mapping, (entries, arena)) in self.mappings.iter().zip(&mut collected) {
                let entry = mapping.run(&values, &mut joined, lookups, bump, &memos, arena);
                match entry {
                    Ok(None) => {}
                    Ok(Some(entry)) => {
                        events = true;
                        entries.push(Entry { block, row, mapping: mapping.place as u16, ..entry });
                    }
                    Err(reason) => scanned.rejects.push(self.reject(row, Some(mapping.place), &reason, bytes)),
                }
            }
            match (scanned.rejects.len() > rejects, events) {
                (true, _) => {}
                (false, true) => scanned.with_events += 1,
                (false, false) => scanned.filtered += 1,
            }
        }
        for (mapping, (entries, arena)) in self.mappings.iter().zip(collected) {
            hints[mapping.place] = arena.len() + arena.len() / 16;
            if !entries.is_empty() {
                scanned.runs.push((mapping.place, Run::sorted(entries, arena)));
            }
        }
        scanned
    }

    #[cold]
    fn reject(&self, row: u32, mapping: Option<usize>, reason: &RejectReason, content: &[u8]) -> Reject {
        tracing::debug!(table = %self.table.name, row, mapping, %reason, "row rejected");
        debug_assert!(mapping.is_none_or(|mapping| mapping < self.program.mappings.len()));
        Reject {
            row,
            mapping,
            reason: reason.to_string(),
            key: key_text(self.table, &self.layout, content),
            content: content.to_vec(),
        }
    }
}

/// Room for the columns of joins, used for row after row.
pub(super) struct Joined<'a> {
    pub(super) found: Vec<Value<'a>>,
    pub(super) values: Vec<Value<'a>>,
}

impl MappingScanner<'_> {
    /// Runs the mapping for one row.
    pub(super) fn run<'a>(
        &self,
        row: &[Value<'a>],
        joined: &mut Joined<'a>,
        lookups: &'a Lookups,
        bump: &Bump,
        memos: &[Memo],
        arena: &mut Vec<u8>,
    ) -> Result<Option<Entry>, Box<RejectReason>> {
        joined.values.clear();
        joined.values.resize(self.width, Value::Null);
        for (join, decoder) in &self.joins {
            let context = &Context { row, joined: &joined.values, arena: bump, memos };
            let found = join.key.look(context, |key| Ok(lookups.get(join.lookup).find(key)));
            let found =
                found.map_err(|source| Box::new(RejectReason::Evaluate { at: "ON".to_string(), source: *source }))?;
            match found {
                None if join.keeps_all => {}
                None => return Ok(None),
                Some(fields) => {
                    decoder.decode(fields, &mut joined.found)?;
                    for ((_, slot), value) in join.columns.iter().zip(&joined.found) {
                        joined.values[*slot] = *value;
                    }
                }
            }
        }
        emit(self.mapping, &Context { row, joined: &joined.values, arena: bump, memos }, arena)
    }
}
