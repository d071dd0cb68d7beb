//! What one source row became, and why.
//!
//! In: a table and a key, or a place in the dump. Out: for every mapping of the table the joins, the conditions one by
//! one, the values of all expressions, and the event, the condition that dropped the row, or the reason why it lies in
//! quarantine. The row is found by the zone maps of its key: of a table with an integer key, in order, one block is read.
//! Whether an event is a duplicate is asked of those blocks alone that may hold events of its time.

mod find;

use std::path::PathBuf;
use std::sync::Arc;

use bumpalo::Bump;
use etl_schemas::dump::{BlockBuffer, Dump, DumpTable, Part, RowJson};
use etl_schemas::event::{EventBatch, EventHeader};
use etl_schemas::table::TableName;
use etl_schemas::ticks::Ticks;

use crate::error::TransformError;
use crate::mapping::Program;
use crate::order::{Entry, Plan, Window};
use crate::scan::{Lookups, TableScanner, Trace, TraceOutcome, key_text};
use crate::stream::RunOptions;
use find::{Found, find};

/// One source row.
#[derive(Debug)]
pub struct Explanation {
    /// Its table.
    pub table: TableName,
    /// Its key columns, `Id=17`.
    pub key: String,
    /// The file of its part.
    pub part: PathBuf,
    /// Place of its block in the part.
    pub block: usize,
    /// Place of the row in its block.
    pub row: usize,
    /// The row as a JSON object; `None` when it can't be read.
    pub content: Option<String>,
    /// Blocks that were read to find it, and blocks that the table has.
    pub blocks_read: (usize, usize),
    /// Why the row can't be read, if so; then no mapping was asked.
    pub unreadable: Option<String>,
    /// What each mapping of the table made of it.
    pub mappings: Vec<MappingExplanation>,
}

/// An expression as it is written, and its value: text, `None` for NULL, or why there is none.
#[derive(Debug)]
pub struct ValueExplanation {
    /// The column, the condition's `WHERE`, or empty.
    pub name: String,
    /// The expression in the parser's wording.
    pub expression: String,
    /// Its value for this row.
    pub value: Result<Option<String>, String>,
}

/// What one mapping made of a row.
#[derive(Debug)]
pub struct MappingExplanation {
    /// File, line and event.
    pub mapping: String,
    /// The event's type.
    pub event: String,
    /// The joins, the key that each looked for, and whether it was there.
    pub joins: Vec<(ValueExplanation, bool)>,
    /// The conditions of the WHERE; all of them must be true.
    pub conditions: Vec<ValueExplanation>,
    /// The columns; empty for a row that was filtered.
    pub values: Vec<ValueExplanation>,
    /// What came of it.
    pub outcome: RowOutcome,
}

/// What came of a row.
#[derive(Debug)]
pub enum RowOutcome {
    /// This event, the only one of its batch. Its position isn't known.
    Event(EventBatch),
    /// The join or the condition that dropped the row.
    Filtered(String),
    /// Why the row lies in quarantine.
    Quarantined(String),
}

/// Explains the rows of a table with this key, of which there is more than one only where the key isn't unique. `key` is
/// the key's value; of a key of several columns the values with commas between; or `@part:block:row`, as the quarantine
/// names places. `memory_bytes` bounds the lookups.
pub fn explain(
    program: &Arc<Program>,
    dump: &Arc<Dump>,
    table: &TableName,
    key: &str,
    memory_bytes: usize,
) -> Result<Vec<Explanation>, TransformError> {
    let not_found = |message: String| TransformError::Explain { message };
    let table = dump.table(table).ok_or_else(|| {
        let known: Vec<String> = dump.tables().iter().map(|table| table.schema.name.to_string()).collect();
        let help = etl_schemas::diagnostic::did_you_mean(&table.to_string(), known.iter().map(String::as_str));
        not_found(format!("the dump has no table {table}; {help}"))
    })?;
    let (found, blocks_read) = find(table, key)?;
    if found.is_empty() {
        return Err(not_found(format!("{} has no row {key}", table.schema.name)));
    }
    let scan = program.scans.iter().position(|scan| scan.table.name == table.schema.name);
    let mut explanations = Vec::with_capacity(found.len());
    let lookups = match scan {
        Some(_) => {
            let options = RunOptions { memory_bytes, ..RunOptions::new(std::env::temp_dir()) };
            Lookups::load(program, dump, &options, memory_bytes)?
        }
        None => Lookups::default(),
    };
    for found in &found {
        let mut explanation = described(table, found, blocks_read);
        if let Some(scan) = scan {
            match TableScanner::new(program, dump, scan)?.trace(&found.content, &lookups) {
                Err(reason) => explanation.unreadable = Some(reason),
                Ok(traces) => {
                    let duplicates = Duplicates::new(program, dump, &lookups)?;
                    let place = duplicates.place(scan, found);
                    for trace in traces {
                        explanation.mappings.push(told(program, trace, place, found, &duplicates)?);
                    }
                }
            }
        }
        explanations.push(explanation);
    }
    Ok(explanations)
}

fn described(table: &DumpTable, found: &Found, blocks_read: (usize, usize)) -> Explanation {
    let mut line = Vec::new();
    let content = RowJson::new(&table.schema, table.layout()).write(&found.content, &mut Vec::new(), &mut line);
    Explanation {
        table: table.schema.name.clone(),
        key: key_text(&table.schema, table.layout(), &found.content),
        part: table.part_path(found.part),
        block: found.block,
        row: found.row,
        content: content.ok().and_then(|()| String::from_utf8(line).ok()),
        blocks_read,
        unreadable: None,
        mappings: Vec::new(),
    }
}

fn told(
    program: &Program,
    trace: Trace,
    place: usize,
    found: &Found,
    duplicates: &Duplicates<'_>,
) -> Result<MappingExplanation, TransformError> {
    let mapping = &program.mappings[trace.mapping];
    let explained = |name: &str, expression, value| ValueExplanation { name: name.to_string(), expression, value };
    let outcome = match trace.outcome {
        TraceOutcome::Filtered(by) => RowOutcome::Filtered(by),
        TraceOutcome::Rejected(reason) => RowOutcome::Quarantined(reason),
        TraceOutcome::Event(entry, arena) => {
            let entry = Entry { block: place as u32, row: found.row as u32, mapping: trace.mapping as u16, ..entry };
            match duplicates.before(&entry, &arena)? {
                Some(first) => RowOutcome::Quarantined(format!("duplicate: an event of its time and key is {first}")),
                None => RowOutcome::Event(batch(program, &entry, arena)),
            }
        }
    };
    let joins = trace.joins.into_iter().map(|(text, key, found)| (explained("", text, key), found));
    let conditions = trace.conditions.into_iter().map(|(text, value)| explained("WHERE", text, value));
    let values = trace.values.into_iter().map(|(name, text, value)| explained(&name, text, value));
    Ok(MappingExplanation {
        mapping: mapping.name.clone(),
        event: program.catalog.types[usize::from(mapping.rank)].name.clone(),
        joins: joins.collect(),
        conditions: conditions.collect(),
        values: values.collect(),
        outcome,
    })
}

fn batch(program: &Program, entry: &Entry, arena: Vec<u8>) -> EventBatch {
    let header = EventHeader {
        occurred_at: entry.occurred_at,
        rank: entry.rank,
        arena: 0,
        key_len: entry.key_len,
        stream_len: entry.stream_len,
        body_len: entry.body_len,
        offset: entry.offset,
    };
    EventBatch::new(Arc::clone(&program.catalog), 1, vec![header], vec![Arc::new(arena)])
}

/// Finds the event that stands where another one has its time, type and key.
struct Duplicates<'p> {
    program: &'p Program,
    dump: &'p Dump,
    lookups: &'p Lookups,
    parts: Vec<Vec<Part>>,
    plan: Plan,
}

impl<'p> Duplicates<'p> {
    fn new(program: &'p Program, dump: &'p Dump, lookups: &'p Lookups) -> Result<Duplicates<'p>, TransformError> {
        let parts = crate::stream::open_parts(program, dump)?;
        let plan = Plan::new(program, &parts);
        Ok(Duplicates { program, dump, lookups, parts, plan })
    }

    /// Place in the plan of a row's block.
    fn place(&self, scan: usize, found: &Found) -> usize {
        let is_it = |block: &crate::order::PlannedBlock| {
            (block.scan, block.part, block.block) == (scan, found.part, found.block)
        };
        self.plan.blocks.iter().position(is_it).expect("the plan has every block of every table that drives mappings")
    }

    /// Where the first event with the time, type and key of this one comes from, when it isn't this one itself.
    fn before(&self, entry: &Entry, arena: &[u8]) -> Result<Option<String>, TransformError> {
        let time = entry.occurred_at;
        let window = Window { since: Some(time), until: Some(Ticks(time.0 + 1)) };
        let (mut buffer, mut bump) = (BlockBuffer::new(), Bump::new());
        let mut hints = vec![0; self.program.mappings.len()];
        for (place, planned) in self.plan.blocks.iter().enumerate().take(entry.block as usize + 1) {
            let scan = &self.program.scans[planned.scan];
            let same_type = |mapping: &usize| self.program.mappings[*mapping].rank == entry.rank;
            if !scan.mappings.iter().any(same_type) || !self.plan.meets(self.program, &self.parts, place, window) {
                continue;
            }
            let part = &self.parts[planned.scan][planned.part];
            part.read(planned.block, &mut buffer)?;
            let scanner = TableScanner::new(self.program, self.dump, planned.scan)?;
            let scanned = scanner.scan(place as u32, &buffer, self.lookups, &mut bump, &mut hints);
            for (_, run) in &scanned.runs {
                let first = run.entries.iter().find(|other| other.compare_event(&run.arena, entry, arena).is_eq());
                let Some(first) = first else { continue };
                if (first.block, first.row, first.mapping) < (entry.block, entry.row, entry.mapping) {
                    let mapping = &self.program.mappings[usize::from(first.mapping)].name;
                    let path = part.path().display();
                    let (block, row) = (planned.block, first.row);
                    return Ok(Some(format!("there already, from {path}, block {block}, row {row} by {mapping}")));
                }
            }
        }
        Ok(None)
    }
}
