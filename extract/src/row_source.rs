//! Where rows come from: one narrow trait, so that another TDS client can stand beside the one there is.
//!
//! In: a [`Request`]. Out: each value pushed straight into a [`RowSink`](crate::row_sink::RowSink), in the server's order;
//! no row is owned between client and dump. A source that failed half-way is thrown away with its connection: what is
//! left on the wire belongs to the failed query.

pub(crate) mod clock;
mod key_cell;
pub(crate) mod tiberius;
mod variant;

use std::future::Future;
use std::time::Duration;

use crate::error::SourceError;
use crate::key::KeyValue;
use crate::pace::Pace;
use crate::row_sink::RowSink;
use crate::seek::Request;

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

/// How the answers of one table are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// One entry per column of the table, in its order.
    pub(crate) columns: Vec<Parts>,
    /// Places of the key's columns among the expressions.
    pub(crate) key: Vec<usize>,
    /// Whether the server can be asked for the number of rows.
    pub(crate) counted: bool,
}

impl Shape {
    /// Expressions in a row of the answer.
    pub(crate) fn expressions(&self) -> usize {
        self.columns.iter().map(|parts| if *parts == Parts::Two { 2 } else { 1 }).sum()
    }
}

/// What is known of an answer beside its rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answered {
    /// Rows that arrived.
    pub(crate) received: u64,
    /// Rows that the server counted, where it told.
    pub(crate) sent: Option<u64>,
    /// Time that the reader waited to keep its pace.
    pub(crate) paced: Duration,
}

/// A connection that can be asked for rows.
pub(crate) trait RowSource {
    /// Asks, and pushes the rows that come. When as many came as were asked for at most, `last` is the key of the last.
    fn read(
        &mut self,
        request: &Request,
        shape: &Shape,
        sink: &mut RowSink<'_>,
        pace: &Pace,
        last: &mut Vec<KeyValue>,
    ) -> impl Future<Output = Result<Answered, SourceError>>;

    /// Asks for a single value of a key; `None` when there is no row.
    fn key(&mut self, request: &Request) -> impl Future<Output = Result<Option<KeyValue>, SourceError>>;
}
