//! The transform: from the rows of a dump to events in one total order.
//!
//! In: a project's mappings (SQL), its event types, a dump. Out: batches of events ordered by
//! `(occurred_at, rank of the type, key)`, a ledger in which every source row is accounted for, and a quarantine of
//! the rows that gave no event because they couldn't.
//!
//! [`compile`] turns mappings into a [`Program`] or says all that is wrong with them; [`run`] starts worker threads
//! and gives an [`EventStream`]. There is no network and nothing async here. The same dump, mappings and project give
//! the same events in the same order, whatever the number of threads and the memory.

mod allocator;
mod causality;
pub mod decimal;
mod derived;
mod error;
mod explain;
pub mod expression;
mod ledger;
mod mapping;
mod order;
mod quarantine;
mod scan;
mod stream;
pub mod zone;

pub use allocator::share_one_heap;
pub use derived::{KeptTables, materialise};
pub use error::TransformError;
pub use explain::{Explanation, MappingExplanation, RowOutcome, ValueExplanation, explain};
pub use ledger::{CausalityLedger, Ledger, MappingLedger, Offender, TableLedger};
pub use mapping::{Mappings, Program, compile};
pub use order::{MappingPlan, Strategy, Window};
pub use quarantine::quarantine_schema;
pub use stream::{EventStream, Progress, RunOptions, plan, run, seek};
