//! Effects and their causes, side by side: what is counted, and what is to be moved.

use etl_schemas::ticks::Ticks;

use super::constraint::Constraint;
use super::moves::Move;
use super::record::{Parts, Record};

/// How many offenders a report names for each constraint.
const WORST: usize = 10;

/// What was found for one constraint.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Effects that name a cause.
    pub effects: u64,
    /// Of these, effects that come before the first such cause.
    pub early: u64,
    /// Effects for which no cause ever comes.
    pub without_cause: u64,
    /// Early effects that were moved.
    pub moved: u64,
    /// The earliest ones, measured by the time between effect and cause.
    pub worst: Vec<Offense>,
}

/// One effect that comes too early.
#[derive(Clone, Debug)]
pub(crate) struct Offense {
    pub effect_at: Ticks,
    pub cause_at: Ticks,
    pub block: u32,
    pub row: u32,
    pub mapping: u16,
}

impl Tally {
    fn note(&mut self, offense: Offense) {
        let early = |offense: &Offense| offense.cause_at.0 - offense.effect_at.0;
        // Equal ones stay in the order of their rows.
        let order = |offense: &Offense| (-early(offense), offense.block, offense.row, offense.mapping);
        let place = self.worst.partition_point(|known| order(known) < order(&offense));
        if place < WORST {
            self.worst.insert(place, offense);
            self.worst.truncate(WORST);
        }
    }
}

/// Takes records in their order.
pub(crate) struct Join<'c> {
    constraints: &'c [Constraint],
    tallies: Vec<Tally>,
    /// The value at hand and its first cause.
    value: Option<(u16, [u8; 16])>,
    cause: Option<Ticks>,
    last: Option<(Ticks, [u8; 8])>,
}

impl<'c> Join<'c> {
    pub(crate) fn new(constraints: &'c [Constraint]) -> Join<'c> {
        let tallies = vec![Tally::default(); constraints.len()];
        Join { constraints, tallies, value: None, cause: None, last: None }
    }

    /// Takes the next record. Gives the move that would repair it.
    pub(crate) fn take(&mut self, record: &Record) -> Option<Move> {
        let parts = Parts::decode(record);
        if self.value != Some((parts.constraint, parts.value)) {
            (self.value, self.cause, self.last) = (Some((parts.constraint, parts.value)), None, None);
        }
        if !parts.is_effect {
            self.cause.get_or_insert(parts.time);
            return None;
        }
        let constraint = &self.constraints[usize::from(parts.constraint)];
        let tally = &mut self.tallies[usize::from(parts.constraint)];
        // A duplicate lies in quarantine, so it doesn't count; but it moves with the one that stands, to stay one.
        let is_duplicate = self.last == Some((parts.time, parts.key));
        self.last = Some((parts.time, parts.key));
        let counted = u64::from(!is_duplicate);
        tally.effects += counted;
        let Some(cause) = self.cause else {
            tally.without_cause += counted;
            return None;
        };
        let behind = constraint.effect.rank > constraint.cause.rank;
        if parts.time > cause || (parts.time == cause && behind) {
            return None;
        }
        let Parts { time: effect_at, block, row, mapping, .. } = parts;
        tally.early += counted;
        if !is_duplicate {
            tally.note(Offense { effect_at, cause_at: cause, block, row, mapping });
        }
        // Behind its cause at the same moment, where the order of the types allows it.
        let time = Ticks(cause.0 + i64::from(!behind)).checked()?;
        if constraint.repair {
            tally.moved += counted;
        }
        Some(Move { block, row, mapping, time })
    }

    pub(crate) fn finish(self) -> Vec<Tally> {
        self.tallies
    }
}
