//! From a block's rows to sorted runs of events.
//!
//! In: blocks of a table, the mappings that it drives, the lookups that they join. Out: for each block the events of
//! each mapping in order, the rows that were rejected with their reasons, and what became of every row. A row that
//! can't be read or evaluated is rejected; it never stops the others. Nothing is allocated per row but what an
//! event's bytes need in the arena that goes on with it.

mod block;
mod decode;
mod emit;
mod field;
mod key_text;
mod lookup;
mod source;
mod trace;
mod workers;

pub(crate) use block::{ScannedBlock, TableScanner};
pub(crate) use decode::value_of;
pub(crate) use key_text::key_text;
pub(crate) use lookup::Lookups;
pub(crate) use source::Source;
pub(crate) use trace::{Trace, TraceOutcome};
pub(crate) use workers::Workers;
