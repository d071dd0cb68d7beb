//! A span of time, and the blocks that may hold events of it.

use etl_schemas::dump::Part;
use etl_schemas::ticks::Ticks;

use super::plan::{BlockBounds, LatestBounds, Plan, PlannedBlock};
use crate::expression::{Bound, Latest};
use crate::mapping::Program;

/// From when to when. The default is all time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// The earliest time that belongs to it.
    pub since: Option<Ticks>,
    /// The earliest time that no longer does.
    pub until: Option<Ticks>,
}

impl Window {
    /// Whether a time is before it.
    pub(crate) fn is_after(&self, time: Ticks) -> bool {
        self.since.is_some_and(|since| time < since)
    }

    /// Whether a time is behind it.
    pub(crate) fn is_before(&self, time: Ticks) -> bool {
        self.until.is_some_and(|until| time >= until)
    }

    fn is_all(&self) -> bool {
        self.since.is_none() && self.until.is_none()
    }

    /// Whether the block may hold events of the window.
    pub(crate) fn meets(&self, earliest: Bound, latest: Latest) -> bool {
        let begins = match earliest {
            Bound::Unknown => true,
            Bound::From(earliest) => !self.is_before(earliest),
            Bound::Never => false,
        };
        let ends = match latest {
            Latest::Never => false,
            Latest::Until(latest) => !self.is_after(latest),
            Latest::Unknown => true,
        };
        begins && ends
    }
}

impl Plan {
    /// Leaves out the blocks that can't hold an event of the window. Those that stay keep their order, so the frontier
    /// stays right.
    /// Whether events of a block were moved to another time, which its zone maps don't know, says `moves_within`.
    pub(crate) fn keep(
        &mut self,
        program: &Program,
        parts: &[Vec<Part>],
        window: Window,
        moves_within: impl Fn(&PlannedBlock) -> bool,
    ) {
        if !window.is_all() {
            let meets: Vec<bool> = (0..self.blocks.len())
                .map(|place| moves_within(&self.blocks[place]) || self.meets(program, parts, place, window))
                .collect();
            let mut meets = meets.into_iter();
            self.blocks.retain(|_| meets.next().unwrap_or(true));
        }
    }

    /// Whether the block at `place` may hold an event of the window.
    pub(crate) fn meets(&self, program: &Program, parts: &[Vec<Part>], place: usize, window: Window) -> bool {
        let planned = self.blocks[place];
        let scan = &program.scans[planned.scan];
        let block = &parts[planned.scan][planned.part].blocks()[planned.block];
        scan.mappings.iter().any(|mapping| {
            let occurred_at = &program.mappings[*mapping].occurred_at;
            let earliest = occurred_at.earliest(&BlockBounds { scan, block });
            window.meets(earliest, occurred_at.latest(&LatestBounds(BlockBounds { scan, block })))
        })
    }
}
