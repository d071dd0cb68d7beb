//! What the reading threads share: the parts that are left, and what became of the others.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use etl_schemas::dump::{DumpError, DumpWriter, PartSummary};
use etl_schemas::table::TableName;

use crate::plan::{Plan, TablePlan};
use crate::progress::Progress;
use crate::report::{ExtractReport, FailedTable, Outcome, SourceLoad, TableReport};

/// See the module.
pub(super) struct State {
    shared: Mutex<Shared>,
}

struct Shared {
    /// Places of table and part, the largest table first.
    queue: VecDeque<(usize, usize)>,
    /// In the plan's order.
    tables: Vec<TableState>,
    load: SourceLoad,
    /// What ended the run.
    stopped_by: Option<DumpError>,
}

struct TableState {
    parts_left: usize,
    figures: TableReport,
    failed: Option<String>,
}

impl State {
    /// Nothing done yet.
    pub(super) fn new(tables: &[TablePlan], load: SourceLoad) -> State {
        let table = |plan: &TablePlan| TableState {
            parts_left: plan.parts.len(),
            figures: empty_figures(plan.name()),
            failed: None,
        };
        let tables = tables.iter().map(table).collect();
        let shared = Shared { queue: VecDeque::new(), tables, load, stopped_by: None };
        State { shared: Mutex::new(shared) }
    }

    /// Puts every part into the queue that no earlier run finished.
    pub(super) fn queue_parts(&self, plan: &Plan, dump: &DumpWriter, progress: &dyn Progress) {
        for place in plan.by_size() {
            let table = &plan.tables[place];
            for (part_place, part) in table.parts.iter().enumerate() {
                match dump.finished_part(table.name(), part.number) {
                    None => self.lock().queue.push_back((place, part_place)),
                    Some(record) => {
                        let summary = &record.info.summary;
                        progress.advanced(table.name(), summary.rows, summary.content_bytes);
                        self.lock().tables[place].figures.parts_kept += 1;
                        let took = Duration::ZERO;
                        if self.finished(place, summary, record.info.replaced_characters, took) {
                            progress.finished(table.name());
                        }
                    }
                }
            }
        }
    }

    pub(super) fn parts_queued(&self) -> usize {
        self.lock().queue.len()
    }

    /// The next part of a table that hasn't failed.
    pub(super) fn next(&self) -> Option<(usize, usize)> {
        let mut shared = self.lock();
        if shared.stopped_by.is_some() {
            return None;
        }
        while let Some((table, part)) = shared.queue.pop_front() {
            if shared.tables[table].failed.is_none() {
                return Some((table, part));
            }
        }
        None
    }

    /// A part lies in the dump. True when it was its table's last.
    pub(super) fn finished(&self, table: usize, summary: &PartSummary, replaced: u64, took: Duration) -> bool {
        let mut shared = self.lock();
        let table = &mut shared.tables[table];
        table.parts_left -= 1;
        table.figures.rows += summary.rows;
        table.figures.content_bytes += summary.content_bytes;
        table.figures.file_bytes += summary.bytes;
        table.figures.replaced_characters += replaced;
        table.figures.elapsed += took;
        table.parts_left == 0
    }

    /// A table is given up.
    pub(super) fn failed(&self, table: usize, reason: String) {
        self.lock().tables[table].failed.get_or_insert(reason);
    }

    /// The run can't go on.
    pub(super) fn stop(&self, error: DumpError) {
        self.lock().stopped_by.get_or_insert(error);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.lock().stopped_by.is_some()
    }

    pub(super) fn stopped_by(&self) -> Option<DumpError> {
        self.lock().stopped_by.take()
    }

    /// A query over a table ran.
    pub(super) fn queried(&self, table: &TableName, took: Duration, rows: u64, bytes: u64) {
        self.lock().load.add(table, took, rows, bytes);
    }

    /// A connection rests, for the server has become slower.
    pub(super) fn slowed_down(&self) {
        self.lock().load.slow_downs += 1;
    }

    /// An answer took too long and was left behind.
    pub(super) fn cut_short(&self) {
        self.lock().load.cut_short += 1;
    }

    /// A query waited too long for a lock.
    pub(super) fn lock_timed_out(&self) {
        self.lock().load.lock_timeouts += 1;
    }

    /// A part is read again.
    pub(super) fn retried(&self) {
        self.lock().load.retries += 1;
    }

    /// How the run ended, once no thread works any more.
    pub(super) fn outcome(&self) -> Outcome {
        let shared = self.lock();
        let left = shared.tables.iter().any(|table| table.parts_left > 0 && table.failed.is_none());
        match shared.tables.iter().any(|table| table.failed.is_some()) {
            _ if left => Outcome::Cancelled,
            true => Outcome::TablesFailed,
            false => Outcome::Complete,
        }
    }

    /// The figures, in the plan's order.
    pub(super) fn report(
        &self,
        tables: &[TablePlan],
        outcome: Outcome,
        paced: Duration,
        elapsed: Duration,
    ) -> ExtractReport {
        let shared = self.lock();
        let failed = shared.tables.iter().zip(tables).filter_map(|(state, plan)| {
            let reason = state.failed.clone()?;
            Some(FailedTable { table: plan.name().clone(), reason })
        });
        let whole = shared.tables.iter().filter(|table| table.parts_left == 0);
        ExtractReport {
            outcome,
            fingerprint: None,
            failed: failed.collect(),
            load: SourceLoad { paced, ..shared.load.clone() },
            replaced_characters: shared.tables.iter().map(|table| table.figures.replaced_characters).sum(),
            tables: whole.map(|table| table.figures.clone()).collect(),
            elapsed,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // Counters and a queue: whatever a panicking thread left is whole.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn empty_figures(table: &TableName) -> TableReport {
    TableReport {
        table: table.clone(),
        rows: 0,
        content_bytes: 0,
        file_bytes: 0,
        elapsed: Duration::ZERO,
        parts_kept: 0,
        replaced_characters: 0,
    }
}
