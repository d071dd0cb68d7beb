//! The contracts between the phases: what a dump looks like on disk, how SQL Server's types are carried, what an event
//! is, and what a project file says.
//!
//! Every other crate knows this one, and this one knows nobody. Nothing here touches a network or is async; files are
//! read and written only under [`dump`] and [`project`].

pub mod diagnostic;
pub mod dump;
pub mod event;
pub mod percent;
pub mod project;
pub mod sql_type;
pub mod table;
pub mod ticks;
pub mod uuid5;
pub mod wire;
