//! The one total order of events: `(occurred_at, rank of the type, key)`.
//!
//! In: for each block of the plan, sorted runs of events, in the plan's order. Out: batches in total order, the same
//! for any number of threads and any memory budget. Events wait until no unread block can bring an earlier one, which
//! the zone maps tell; those that find no room in memory wait on disk. Nothing is ever released out of order: every
//! event is compared with its predecessor.

mod cursor;
mod entry;
mod keys;
mod merge;
mod plan;
mod spill;
mod spill_folder;
mod window;

pub(crate) use entry::{Entry, Run};
pub(crate) use keys::{KeyCheck, Origin, Repeated};
pub(crate) use merge::{Duplicate, Merge};
pub use plan::{MappingPlan, Strategy};
pub(crate) use plan::{Plan, PlannedBlock};
pub(crate) use spill_folder::SpillFolder;
pub use window::Window;
