//! Where rows come from: one narrow trait, behind which two TDS clients stand.
//!
//! In: a [`Request`]. Out: each value pushed straight into a [`RowSink`], in the server's order; no row is owned between
//! client and dump. Both clients send the same queries and give the same values, so a run may go on with the other one.
//! A source that failed half-way is thrown away with its connection: what is left on the wire belongs to the failed query.

mod answer;
pub(crate) mod clock;
mod connection;
mod course;
#[cfg(feature = "mssql-tds")]
pub(crate) mod mssql_tds;
mod row;
#[cfg(feature = "tiberius")]
pub(crate) mod tiberius;
pub(crate) mod value;
mod variant;

use std::future::Future;
use std::time::Duration;

use crate::error::SourceError;
use crate::key::KeyValue;
use crate::pace::Pace;
use crate::row_sink::RowSink;
use crate::seek::{Parameter, Request};
pub(crate) use answer::Answer;
use answer::{Answers, FirstKey};
pub(crate) use connection::Connection;
use course::Course;
use value::Value;

#[cfg(not(any(feature = "tiberius", feature = "mssql-tds")))]
compile_error!("a source is read by a client: build with the feature `tiberius`, `mssql-tds` or both");

/// How many expressions of the answer make a column's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parts {
    /// The value itself.
    One,
    /// Two: a geometry's SRID and shape.
    Two,
    /// Three: a variant's base type, its content unless that is text, and its text.
    Three,
}

impl Parts {
    /// The number.
    pub(crate) fn width(self) -> usize {
        match self {
            Parts::One => 1,
            Parts::Two => 2,
            Parts::Three => 3,
        }
    }
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

/// What is known of an answer beside its rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answered {
    /// Rows that arrived.
    pub(crate) received: u64,
    /// Rows that the server counted, where it told.
    pub(crate) sent: Option<u64>,
    /// Time that the reader waited to keep its pace.
    pub(crate) paced: Duration,
    /// Whether the answer took too long and has more rows. They are still on the wire, so the source is of no more use.
    pub(crate) cut_short: bool,
}

/// A connection that can be asked for rows.
pub(crate) trait RowSource {
    /// Asks, and pushes the rows that come. When as many came as were asked for at most, or the answer is cut short, `last`
    /// is the key of the last.
    fn read(
        &mut self,
        request: &Request,
        shape: &Shape,
        sink: &mut RowSink<'_>,
        pace: &Pace,
        last: &mut Vec<KeyValue>,
    ) -> impl Future<Output = Result<Answered, SourceError>>;

    /// Runs a batch whose answer is small, and gives the rows of its first result; the others are read over.
    fn take<T: TakeRows + Send>(
        &mut self,
        sql: &str,
        parameters: &[Parameter],
        taker: &mut T,
    ) -> impl Future<Output = Result<(), SourceError>>;

    /// Asks for a single value of a key; `None` when there is no row.
    async fn key(&mut self, request: &Request) -> Result<Option<KeyValue>, SourceError> {
        let mut first = FirstKey::default();
        self.take(&request.sql, &request.parameters, &mut first).await?;
        Ok(first.0)
    }

    /// The rows of a batch's first result; none for a batch without results.
    async fn ask(&mut self, sql: &str) -> Result<Vec<Answer>, SourceError> {
        let mut answers = Answers::default();
        self.take(sql, &[], &mut answers).await?;
        Ok(answers.rows)
    }
}

/// Takes the values of an answer as a client decodes them, row after row.
pub(crate) trait TakeRows {
    /// The value at a place of the row, counted from 0.
    fn value(&mut self, place: usize, value: Value<'_>) -> Result<(), SourceError>;

    /// A value that the client couldn't decode.
    #[cfg_attr(not(feature = "mssql-tds"), allow(dead_code, reason = "the other client fails by itself"))]
    fn unfit(&self, place: usize, reason: &str) -> SourceError;

    /// The row is whole.
    fn end_row(&mut self) -> Result<(), SourceError>;
}
