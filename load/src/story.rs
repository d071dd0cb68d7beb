//! What a project does, told from the same files that do it: an outline of events, modules, handlers, tables and use
//! cases, with what the use cases cover; the outline as a story in Markdown, and as a graph in DOT or Mermaid.
//!
//! In: the event types, the modules with their use cases, and the texts of the mappings. Out: an [`Outline`], which is
//! data, and text made of nothing else. No database is asked: which tables a handler writes is read from its SQL, from
//! the functions that it calls and from the triggers of the tables. So a name that SQL only makes while it runs
//! (`EXECUTE`) isn't seen. The same files always give the same text.
//!
//! A use case covers a handler if it gives an event of its type and looks at a table that the handler writes, or at a view
//! of such a table. It covers the tables and views that it looks at, and the tables of those views.

mod drawing;
mod graph;
mod outline;
mod relations;
mod sql;
mod telling;

pub use graph::{GraphFormat, graph};
pub use outline::{
    EventOutline, Field, GivenOutline, HandlerOutline, ModuleOutline, Outline, TableOutline, ThenOutline,
    UseCaseOutline,
};
pub use telling::story;
