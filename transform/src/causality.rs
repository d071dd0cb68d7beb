//! Causality: effects that come before their cause, by a wrong legacy clock, are counted, and moved where the project
//! says so.
//!
//! In: the constraints of `etl.toml`, and the events of every block as it is scanned. Out: a tally for each constraint,
//! with the worst offenders; and, for constraints that are repaired, the moves: which row's event gets which later time.
//!
//! Events and causes are brought together by sorting small records of both by the value that they share, on disk past a
//! budget, so nothing is held in memory that grows with the tables, and nothing depends on threads. Moves must be known
//! before the run, so a repaired constraint costs one more scan of the tables it speaks of; where effects are causes of
//! others, one more for each link of the chain. A moved event is given its time where it is made, before it is ordered.
//! A project without constraints pays for none of this.

mod constraint;
mod join;
mod moves;
mod numbering;
mod record;
mod repair;
mod sorter;
mod watch;

pub(crate) use constraint::{Constraint, compile};
pub(crate) use join::{Offense, Tally};
pub(crate) use numbering::Numbering;
pub(crate) use record::Record;
pub(crate) use repair::repair;
pub(crate) use watch::{Causality, Observer};
