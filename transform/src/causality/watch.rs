//! What a scan does for causality: it moves the events that are to be moved, and notes those that constraints speak of.

use std::sync::Arc;

use super::constraint::{Constraint, Side};
use super::join::{Join, Tally};
use super::moves::Moves;
use super::numbering::Numbering;
use super::record::{BYTES, Parts};
use super::sorter::Sorter;
use crate::error::TransformError;
use crate::mapping::Program;
use crate::order::{PlannedBlock, SpillFolder};
use crate::scan::ScannedBlock;

/// One side of one constraint, as events of its type are noted.
#[derive(Debug)]
struct Watch {
    constraint: u16,
    is_effect: bool,
    side: Side,
}

/// What scans are told, by all threads. The default does nothing and costs nothing.
#[derive(Debug, Default)]
pub(crate) struct Causality {
    pub moves: Option<Moves>,
    /// By rank of the event type; empty when nothing is noted.
    watched: Vec<Vec<Watch>>,
    numbering: Option<Numbering>,
}

impl Causality {
    /// Carries out `moves`, and notes the events of those constraints for which `is_watched` holds.
    pub(crate) fn new(
        program: &Program,
        numbering: Numbering,
        moves: Option<Moves>,
        is_watched: impl Fn(&Constraint) -> bool,
    ) -> Causality {
        let mut watched: Vec<Vec<Watch>> = program.catalog.types.iter().map(|_| Vec::new()).collect();
        let mut is_empty = true;
        for (place, constraint) in program.constraints.iter().enumerate().filter(|(_, one)| is_watched(one)) {
            for (side, is_effect) in [(&constraint.effect, true), (&constraint.cause, false)] {
                let watch = Watch { constraint: place as u16, is_effect, side: side.clone() };
                watched[usize::from(side.rank)].push(watch);
                is_empty = false;
            }
        }
        if is_empty {
            watched.clear();
        }
        Causality { moves, watched, numbering: Some(numbering) }
    }

    /// Whether events are noted.
    pub(crate) fn watches(&self) -> bool {
        !self.watched.is_empty()
    }

    /// Whether a mapping of this event type makes events that are noted.
    pub(crate) fn watches_type(&self, rank: u16) -> bool {
        self.watched.get(usize::from(rank)).is_some_and(|watched| !watched.is_empty())
    }

    /// Whether any event of the block moves.
    pub(crate) fn moves_within(&self, planned: &PlannedBlock) -> bool {
        match (&self.moves, &self.numbering) {
            (Some(moves), Some(numbering)) => moves.has(numbering.of(planned)),
            _ => false,
        }
    }

    /// Moves and notes the events of a block that was just scanned.
    pub(crate) fn apply(&self, planned: &PlannedBlock, scanned: &mut ScannedBlock) -> Result<(), TransformError> {
        let Some(numbering) = &self.numbering else { return Ok(()) };
        let block = numbering.of(planned);
        if let Some(moves) = &self.moves {
            move_events(moves, block, scanned)?;
        }
        if self.watched.is_empty() {
            return Ok(());
        }
        for (_, run) in &scanned.runs {
            let Some(first) = run.entries.first() else { continue };
            for watch in &self.watched[usize::from(first.rank)] {
                let Watch { constraint, is_effect, side } = watch;
                let parts = |entry| Parts::of(*constraint, *is_effect, side, entry, &run.arena, block);
                scanned.records.extend(run.entries.iter().filter_map(parts).map(|parts| parts.encode()));
            }
        }
        Ok(())
    }
}

fn move_events(moves: &Moves, block: u32, scanned: &mut ScannedBlock) -> Result<(), TransformError> {
    let moves = moves.of(block)?;
    if moves.is_empty() {
        return Ok(());
    }
    for (_, run) in &mut scanned.runs {
        let mut moved = false;
        let entries = Arc::get_mut(&mut run.entries).expect("a run that was made just now isn't shared yet");
        for entry in entries.iter_mut() {
            let place = (entry.row, entry.mapping);
            if let Ok(found) = moves.binary_search_by_key(&place, |one| (one.row, one.mapping)) {
                entry.occurred_at = moves[found].time;
                moved = true;
            }
        }
        if moved {
            let arena = &run.arena;
            entries.sort_unstable_by(|left, right| left.compare(arena, right, arena));
        }
    }
    Ok(())
}

/// Gathers what the scans noted.
pub(crate) struct Observer {
    sorter: Sorter<BYTES>,
}

impl Observer {
    pub(crate) fn new(folder: SpillFolder, budget_bytes: usize) -> Observer {
        Observer { sorter: Sorter::new(folder, budget_bytes) }
    }

    /// Takes what a block brought.
    pub(crate) fn add(&mut self, scanned: &mut ScannedBlock) -> Result<(), TransformError> {
        std::mem::take(&mut scanned.records).into_iter().try_for_each(|record| self.sorter.add(record))
    }

    /// A tally for each constraint; each move is handed to `take`.
    pub(super) fn join(
        self,
        constraints: &[Constraint],
        mut take: impl FnMut(super::moves::Move) -> Result<(), TransformError>,
    ) -> Result<Vec<Tally>, TransformError> {
        let mut join = Join::new(constraints);
        self.sorter.finish(|record| join.take(record).map_or(Ok(()), &mut take))?;
        Ok(join.finish())
    }

    /// A tally for each constraint.
    pub(crate) fn tallies(self, constraints: &[Constraint]) -> Result<Vec<Tally>, TransformError> {
        self.join(constraints, |_| Ok(()))
    }
}
