//! The scans before a run that find what is to be moved, and to when.

use std::sync::Arc;

use super::join::Tally;
use super::moves::{BYTES, Move, Moves, MovesWriter};
use super::numbering::Numbering;
use super::sorter::Sorter;
use super::watch::{Causality, Observer};
use crate::error::TransformError;
use crate::order::{Plan, SpillFolder};
use crate::scan::{Source, Workers};
use crate::stream::RunOptions;

/// What was found before the run.
pub(crate) struct Repaired {
    pub moves: Option<Moves>,
    /// For each constraint; those that aren't repaired are zero.
    pub tallies: Vec<Tally>,
}

/// Finds all moves, one link of the chain of causes after the other. Gives the source back as it was.
pub(crate) fn repair(mut source: Source, options: &RunOptions) -> Result<(Source, Repaired), TransformError> {
    let constraints = source.program.constraints.clone();
    let mut repaired = Repaired { moves: None, tallies: vec![Tally::default(); constraints.len()] };
    let levels = constraints.iter().filter(|constraint| constraint.repair).map(|constraint| constraint.level).max();
    let budget_bytes = (options.memory_bytes / 8).clamp(1 << 20, 64 << 20);
    let folder = || SpillFolder::create(&options.work_folder);
    let whole = std::mem::take(&mut source.plan.blocks);
    for level in 1..=levels.unwrap_or(0) {
        let at_level = |place: &usize| constraints[*place].repair && constraints[*place].level == level;
        source.causality =
            Causality::new(&source.program, Numbering::new(&source.parts), repaired.moves.take(), |constraint| {
                constraint.repair && constraint.level == level
            });
        let watched = |scan: usize| {
            let mut ranks =
                source.program.scans[scan].mappings.iter().map(|mapping| source.program.mappings[*mapping].rank);
            ranks.any(|rank| source.causality.watches_type(rank))
        };
        let blocks = whole.iter().filter(|planned| watched(planned.scan)).copied().collect();
        source.plan = Plan { blocks };
        let mut observer = Observer::new(folder()?, budget_bytes);
        source = scan(source, options, &mut observer)?;
        let mut sorter: Sorter<BYTES> = Sorter::new(folder()?, budget_bytes);
        let tallies = observer.join(&constraints, |found: Move| sorter.add(found.encode()))?;
        let before = source.causality.moves.take();
        if let Some(before) = &before {
            for block in before.blocks() {
                before.of(block)?.iter().try_for_each(|found| sorter.add(found.encode()))?;
            }
        }
        let mut target = folder()?;
        let mut writer = MovesWriter::create(target.next_file())?;
        sorter.finish(|bytes| writer.add(bytes))?;
        repaired.moves = Some(writer.finish(target)?);
        for (place, tally) in tallies.into_iter().enumerate().filter(|(place, _)| at_level(place)) {
            repaired.tallies[place] = tally;
        }
    }
    source.plan.blocks = whole;
    source.causality = Causality::default();
    Ok((source, repaired))
}

/// Scans all blocks of the plan for what the observer gathers.
fn scan(source: Source, options: &RunOptions, observer: &mut Observer) -> Result<Source, TransformError> {
    let shared = Arc::new(source);
    let mut workers = Workers::start(&shared, options.threads, options.blocks_on_the_way())?;
    while let Some(scanned) = workers.next() {
        observer.add(&mut scanned?)?;
    }
    drop(workers);
    Ok(Arc::try_unwrap(shared).unwrap_or_else(|_| unreachable!("the workers have ended, and nobody else shares it")))
}
