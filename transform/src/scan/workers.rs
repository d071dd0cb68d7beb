//! Worker threads: blocks are read, inflated and scanned in parallel, and come back in the plan's order.
//!
//! A bounded number of blocks is on its way at any time. Dropping the workers lets each end with the block it is at.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::thread::JoinHandle;

use bumpalo::Bump;
use crossbeam_channel::{Receiver, Sender};
use etl_schemas::dump::{BlockBuffer, Dump, Part};

use super::block::{ScannedBlock, TableScanner};
use super::lookup::Lookups;
use crate::causality::Causality;
use crate::error::TransformError;
use crate::mapping::Program;
use crate::order::{Origin, Plan, Repeated};

type Scanned = Result<ScannedBlock, TransformError>;

/// What all workers read.
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

/// The threads, and the blocks that came back before their turn.
pub(crate) struct Workers {
    jobs: Option<Sender<usize>>,
    results: Receiver<(usize, Scanned)>,
    early: BTreeMap<usize, Scanned>,
    /// The next block to hand out.
    sent: usize,
    /// The next block to give back.
    wanted: usize,
    blocks: usize,
    window: usize,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts threads for a window of so many blocks on their way, and no more of them than there are blocks.
    pub(crate) fn start(source: &Arc<Source>, threads: usize, window: usize) -> Result<Workers, TransformError> {
        let threads = threads.clamp(1, window);
        let (jobs, jobs_in) = crossbeam_channel::bounded::<usize>(window);
        let (results_out, results) = crossbeam_channel::bounded(window);
        let mut handles = Vec::with_capacity(threads);
        for number in 0..threads {
            let (source, jobs, results) = (Arc::clone(source), jobs_in.clone(), results_out.clone());
            let thread = std::thread::Builder::new().name(format!("scan-{number}"));
            let handle = thread.spawn(move || work(&source, &jobs, &results)).map_err(TransformError::Thread)?;
            handles.push(handle);
        }
        let blocks = source.plan.blocks.len();
        Ok(Workers {
            jobs: Some(jobs),
            results,
            early: BTreeMap::new(),
            sent: 0,
            wanted: 0,
            blocks,
            window,
            threads: handles,
        })
    }

    /// How many blocks have come back.
    pub(crate) fn read(&self) -> usize {
        self.wanted
    }

    /// The next block of the plan; `None` behind the last.
    pub(crate) fn next(&mut self) -> Option<Scanned> {
        if self.wanted == self.blocks {
            return None;
        }
        while self.sent < self.blocks && self.sent < self.wanted + self.window {
            // The channel has room for the whole window, so this never waits.
            if let Some(jobs) = &self.jobs
                && jobs.send(self.sent).is_err()
            {
                return Some(Err(ended()));
            }
            self.sent += 1;
        }
        loop {
            if let Some(scanned) = self.early.remove(&self.wanted) {
                self.wanted += 1;
                return Some(scanned);
            }
            match self.results.recv() {
                Ok((place, scanned)) => self.early.insert(place, scanned),
                Err(_) => return Some(Err(ended())),
            };
        }
    }
}

fn ended() -> TransformError {
    TransformError::Panicked { at: "waiting for blocks".to_string() }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // Blocks that wait in the channel would still be scanned; but a worker whose result nobody takes ends.
        self.results = crossbeam_channel::never();
        self.jobs = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a scan thread died");
            }
        }
    }
}

fn work(source: &Source, jobs: &Receiver<usize>, results: &Sender<(usize, Scanned)>) {
    let mut scanner = Scanner::new(source);
    while let Ok(place) = jobs.recv() {
        // A panic is a defect; it is reported as an error in the block's turn instead of leaving others waiting.
        let scanned = std::panic::catch_unwind(AssertUnwindSafe(|| scanner.scan(place)));
        let scanned = scanned.unwrap_or_else(|_| {
            let planned = source.plan.blocks[place];
            let path = source.parts[planned.scan][planned.part].path().display();
            Err(TransformError::Panicked { at: format!("{path}, block {}", planned.block) })
        });
        if results.send((place, scanned)).is_err() {
            return;
        }
    }
}

/// A worker's own buffers.
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

    fn scan(&mut self, place: usize) -> Scanned {
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
