//! In which order blocks are read, and how far events may go after each.
//!
//! In: the zone maps of all blocks of all tables that drive mappings. Out: one list of blocks, by the earliest event
//! that each can bring. When the first `n` of them are read, nothing earlier than the bound of the next one can still
//! come: that is the frontier. It is known before anything is read, so the order of events never depends on threads.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;

use etl_schemas::dump::{BlockEntry, Part};
use etl_schemas::ticks::{PER_DAY, Ticks};

use crate::expression::{Bound, Bounds, Type, ZoneBound};
use crate::mapping::{Program, TableScan, column_type};

/// How far events may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frontier {
    /// Nowhere: an unread block may bring any time.
    Unknown,
    /// All that happened before this.
    Before(Ticks),
    /// Everything is read.
    End,
}

/// A block that is to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlannedBlock {
    /// Place in the program's scans.
    pub scan: usize,
    /// Place of the part in its table.
    pub part: usize,
    /// Place of the block in its part.
    pub block: usize,
    bound: Bound,
}

/// The blocks of a run.
#[derive(Debug)]
pub(crate) struct Plan {
    pub blocks: Vec<PlannedBlock>,
}

/// How a mapping's events come into order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// The zone maps prove that its blocks follow one another in time: nothing waits.
    InOrder,
    /// Events wait in memory for blocks that may bring earlier ones; about this many at a time.
    Reordered {
        /// The estimate, from the zone maps.
        waiting_rows_max: u64,
    },
    /// Its time isn't bound by a zone map: events are sorted, on disk where they exceed the memory.
    Sorted,
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Strategy::InOrder => f.write_str("in order"),
            Strategy::Reordered { waiting_rows_max } => write!(f, "reordered, up to {waiting_rows_max} rows wait"),
            Strategy::Sorted => f.write_str("sorted, all rows wait"),
        }
    }
}

/// One line of `etl check --plan`.
#[derive(Clone, Debug)]
pub struct MappingPlan {
    /// File, line and event.
    pub mapping: String,
    /// The driving table.
    pub table: String,
    /// The event's type.
    pub event: String,
    /// Rows that will be read for it.
    pub rows: u64,
    /// The joined lookups.
    pub lookups: Vec<String>,
    /// How its events come into order.
    pub strategy: Strategy,
}

/// The zone maps of one block, asked for by slot.
pub(super) struct BlockBounds<'a> {
    pub(super) scan: &'a TableScan,
    pub(super) block: &'a BlockEntry,
}

impl Bounds for BlockBounds<'_> {
    fn end(&self, place: usize) -> ZoneBound {
        self.end_by(place, |(least, _)| least)
    }
}

impl BlockBounds<'_> {
    fn end_by(&self, place: usize, end: impl Fn((i64, i64)) -> i64) -> ZoneBound {
        let column = self.scan.columns[place];
        let Some(zone) = self.block.zone(column) else { return ZoneBound::Unknown };
        let Some(range) = zone.range else { return ZoneBound::AllNull };
        let value = end(range);
        match column_type(&self.scan.table.columns[column]) {
            Type::Date => ZoneBound::At(Ticks(value.saturating_mul(PER_DAY))),
            Type::Timestamp | Type::Instant => ZoneBound::At(Ticks(value)),
            _ => ZoneBound::Unknown,
        }
    }
}

/// The same, with every column at its latest value: what is computed from it bounds the events from above well enough
/// for an estimate.
pub(super) struct LatestBounds<'a>(pub(super) BlockBounds<'a>);

impl Bounds for LatestBounds<'_> {
    fn end(&self, place: usize) -> ZoneBound {
        self.0.end_by(place, |(_, most)| most)
    }
}

impl Plan {
    /// `parts` has the parts of each of the program's scans.
    pub(crate) fn new(program: &Program, parts: &[Vec<Part>]) -> Plan {
        let mut blocks = Vec::new();
        for (place, (scan, parts)) in program.scans.iter().zip(parts).enumerate() {
            for (part, opened) in parts.iter().enumerate() {
                for (block, entry) in opened.blocks().iter().enumerate() {
                    let bounds = BlockBounds { scan, block: entry };
                    let earliest = |mapping: &usize| program.mappings[*mapping].occurred_at.earliest(&bounds);
                    let bound = scan.mappings.iter().map(earliest).min().unwrap_or(Bound::Never);
                    blocks.push(PlannedBlock { scan: place, part, block, bound });
                }
            }
        }
        // Stable: blocks of equal bounds stay in the order of tables, parts and blocks.
        blocks.sort_by_key(|block| block.bound);
        Plan { blocks }
    }

    /// How far events may go when the first `read` blocks are read.
    pub(crate) fn frontier(&self, read: usize) -> Frontier {
        match self.blocks.get(read).map(|block| block.bound) {
            None => Frontier::End,
            Some(Bound::Unknown) => Frontier::Unknown,
            Some(Bound::From(ticks)) => Frontier::Before(ticks),
            // A row with a time would still be an event; but the zone map says that there is none.
            Some(Bound::Never) => Frontier::Before(Ticks::MAX),
        }
    }

    /// What the plan means for each mapping.
    pub(crate) fn describe(&self, program: &Program, parts: &[Vec<Part>]) -> Vec<MappingPlan> {
        let describe = |(place, mapping): (usize, &crate::mapping::Mapping)| {
            let scan = &program.scans[mapping.scan];
            MappingPlan {
                mapping: mapping.name.clone(),
                table: scan.table.name.to_string(),
                event: program.catalog.types[usize::from(mapping.rank)].name.clone(),
                rows: parts[mapping.scan].iter().map(Part::rows).sum(),
                lookups: (mapping.joins.iter())
                    .map(|join| program.lookups[join.lookup].table.name.to_string())
                    .collect(),
                strategy: self.strategy(program, parts, place),
            }
        };
        program.mappings.iter().enumerate().map(describe).collect()
    }

    fn strategy(&self, program: &Program, parts: &[Vec<Part>], mapping: usize) -> Strategy {
        let scan = program.mappings[mapping].scan;
        let occurred_at = &program.mappings[mapping].occurred_at;
        // Blocks whose latest event still waits, the one that goes first on top.
        let mut waiting: BinaryHeap<Reverse<(Ticks, u64)>> = BinaryHeap::new();
        let (mut waiting_rows, mut waiting_rows_max) = (0, 0);
        for (place, planned) in self.blocks.iter().enumerate().filter(|(_, planned)| planned.scan == scan) {
            let entry = &parts[scan][planned.part].blocks()[planned.block];
            let bounds = BlockBounds { scan: &program.scans[scan], block: entry };
            if occurred_at.earliest(&bounds) == Bound::Unknown {
                return Strategy::Sorted;
            }
            let Bound::From(latest) = occurred_at.earliest(&LatestBounds(bounds)) else { continue };
            let frontier = match self.frontier(place + 1) {
                Frontier::Unknown => Ticks::MIN,
                Frontier::Before(ticks) => ticks,
                Frontier::End => Ticks(i64::MAX),
            };
            waiting.push(Reverse((latest, u64::from(entry.rows))));
            waiting_rows += u64::from(entry.rows);
            while let Some(Reverse((latest, rows))) = waiting.peek()
                && *latest < frontier
            {
                waiting_rows -= rows;
                waiting.pop();
            }
            waiting_rows_max = waiting_rows_max.max(waiting_rows);
        }
        match waiting_rows_max {
            0 => Strategy::InOrder,
            waiting_rows_max => Strategy::Reordered { waiting_rows_max },
        }
    }
}
