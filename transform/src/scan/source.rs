//! What a run reads, and how a thread scans one block of it after another.

use std::sync::Arc;

use bumpalo::Bump;
use etl_schemas::dump::{BlockBuffer, Dump, Part};

use super::block::{ScannedBlock, TableScanner};
use super::lookup::Lookups;
use super::workers::Work;
use crate::causality::Causality;
use crate::error::TransformError;
use crate::mapping::Program;
use crate::order::{Origin, Plan, Repeated};

/// What all threads of a run read.
pub(crate) struct Source {
    pub program: Arc<Program>,
    pub dump: Arc<Dump>,
    /// Parts of each of the program's scans.
    pub parts: Vec<Vec<Part>>,
    pub plan: Plan,
    pub lookups: Lookups,
    /// What is moved and noted of the events of every block.
    pub causality: Causality,
}

impl Source {
    /// Names two events that share a key.
    pub(crate) fn repeated_key(&self, repeated: &Repeated) -> TransformError {
        let place = |origin: &Origin| {
            let planned = self.plan.blocks[origin.block as usize];
            let path = self.parts[planned.scan][planned.part].path().display();
            let mapping = &self.program.mappings[usize::from(origin.mapping)].name;
            format!("{path}, block {}, row {} by {mapping}, at {}", planned.block, origin.row, origin.occurred_at)
        };
        let rank = self.program.mappings[usize::from(repeated.first.mapping)].rank;
        TransformError::RepeatedKey {
            event: self.program.catalog.types[usize::from(rank)].name.clone(),
            first: place(&repeated.first),
            second: place(&repeated.second),
        }
    }
}

/// The blocks of the plan.
impl Work for Source {
    type Output = ScannedBlock;

    fn places(&self) -> usize {
        self.plan.blocks.len()
    }

    fn worker(&self) -> impl FnMut(usize) -> Result<ScannedBlock, TransformError> {
        let mut scanner = Scanner::new(self);
        move |place| scanner.scan(place)
    }

    fn at(&self, place: usize) -> String {
        let planned = self.plan.blocks[place];
        format!("{}, block {}", self.parts[planned.scan][planned.part].path().display(), planned.block)
    }
}

/// A thread's own buffers.
struct Scanner<'s> {
    source: &'s Source,
    /// Made when a table's first block comes.
    tables: Vec<Option<TableScanner<'s>>>,
    buffer: BlockBuffer,
    bump: Bump,
    hints: Vec<usize>,
}

impl<'s> Scanner<'s> {
    fn new(source: &'s Source) -> Scanner<'s> {
        Scanner {
            source,
            tables: source.program.scans.iter().map(|_| None).collect(),
            buffer: BlockBuffer::new(),
            bump: Bump::new(),
            hints: vec![0; source.program.mappings.len()],
        }
    }

    fn scan(&mut self, place: usize) -> Result<ScannedBlock, TransformError> {
        let planned = self.source.plan.blocks[place];
        let table = match &mut self.tables[planned.scan] {
            Some(table) => table,
            empty => empty.insert(TableScanner::new(&self.source.program, &self.source.dump, planned.scan)?),
        };
        self.source.parts[planned.scan][planned.part].read(planned.block, &mut self.buffer)?;
        let mut scanned = table.scan(place as u32, &self.buffer, &self.source.lookups, &mut self.bump, &mut self.hints);
        self.source.causality.apply(&planned, &mut scanned)?;
        Ok(scanned)
    }
}
