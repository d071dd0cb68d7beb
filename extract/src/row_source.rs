//! Where rows come from: one narrow trait, so that another TDS client can stand beside the one there is.
//!
//! In: a [`Query`]. Out: each value pushed straight into a [`RowSink`](crate::row_sink::RowSink), in the server's order;
//! no row is owned between client and dump. A source that failed half-way is thrown away with its connection: what is
//! left on the wire belongs to the failed query.

pub(crate) mod clock;
pub(crate) mod tiberius;
mod variant;

use std::future::Future;

use crate::error::SourceError;
use crate::row_sink::RowSink;

/// How many expressions of the answer make a column's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parts {
    /// The value itself.
    One,
    /// Two, as a variant's base type and value, or a geometry's SRID and shape.
    Two,
}

/// Asks for the number of rows of the statement before it.
pub(crate) const ROW_COUNT: &str = "SELECT ROWCOUNT_BIG()";

/// A SELECT over one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    /// What the server is asked.
    pub(crate) sql: String,
    /// One entry per column of the table, in its order.
    pub(crate) columns: Vec<Parts>,
    /// Whether the server can be asked for the number of rows.
    pub(crate) counted: bool,
}

impl Query {
    /// Expressions in a row of the answer.
    pub(crate) fn expressions(&self) -> usize {
        self.columns.iter().map(|parts| if *parts == Parts::Two { 2 } else { 1 }).sum()
    }
}

/// A connection that can be asked for rows.
pub(crate) trait RowSource {
    /// Runs the query and pushes its rows. Gives the number of rows that the server counted, where it told.
    fn read(&mut self, query: &Query, sink: &mut RowSink<'_>)
    -> impl Future<Output = Result<Option<u64>, SourceError>>;
}
