//! Small answers, such as those of the catalog, read by place. Servers give one column as `int`, `smallint` or `bit` as
//! they like, so a whole number is taken whatever its width.

use std::fmt;

use etl_schemas::ticks::Ticks;

use super::TakeRows;
use super::value::Value;
use crate::error::SourceError;
use crate::key::KeyValue;

/// One row of a small answer.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    cells: Vec<Cell>,
}

#[derive(Debug)]
enum Cell {
    Null,
    Integer(i64),
    Text(String),
    Time(Ticks),
    /// Anything else, as a message shows it.
    Other(String),
}

impl From<Value<'_>> for Cell {
    fn from(value: Value<'_>) -> Cell {
        match value {
            Value::Null => Cell::Null,
            Value::Bool(value) => Cell::Integer(i64::from(value)),
            Value::Integer(value) => Cell::Integer(value),
            Value::Text(text) => Cell::Text(text.to_string()),
            Value::Timestamp(Some(ticks)) => Cell::Time(ticks),
            other => Cell::Other(format!("{other:?}")),
        }
    }
}

impl Answer {
    fn cell(&self, place: usize) -> Result<&Cell, SourceError> {
        let missing = || SourceError::Protocol { message: format!("the answer has no column {}", place + 1) };
        self.cells.get(place).ok_or_else(missing)
    }

    /// A whole number.
    pub(crate) fn integer(&self, place: usize) -> Result<i64, SourceError> {
        match self.cell(place)? {
            Cell::Integer(value) => Ok(*value),
            other => Err(unexpected(place, "a whole number", other)),
        }
    }

    /// A whole number that fits, such as a precision.
    pub(crate) fn small<T: TryFrom<i64>>(&self, place: usize) -> Result<T, SourceError> {
        let value = self.integer(place)?;
        T::try_from(value).map_err(|_| {
            let message = format!("column {} of the answer holds {value}, which is out of range", place + 1);
            SourceError::Protocol { message }
        })
    }

    /// True for anything but zero; NULL is false.
    pub(crate) fn truth(&self, place: usize) -> Result<bool, SourceError> {
        match self.cell(place)? {
            Cell::Null => Ok(false),
            _ => Ok(self.integer(place)? != 0),
        }
    }

    /// Text or NULL.
    pub(crate) fn text(&self, place: usize) -> Result<Option<&str>, SourceError> {
        match self.cell(place)? {
            Cell::Text(text) => Ok(Some(text)),
            Cell::Null => Ok(None),
            other => Err(unexpected(place, "text", other)),
        }
    }

    /// A `datetime2`.
    pub(crate) fn time(&self, place: usize) -> Result<Ticks, SourceError> {
        match self.cell(place)? {
            Cell::Time(ticks) => Ok(*ticks),
            other => Err(unexpected(place, "a time", other)),
        }
    }
}

fn unexpected(place: usize, wanted: &str, found: &Cell) -> SourceError {
    let found: &dyn fmt::Debug = match found {
        Cell::Null => &"NULL",
        Cell::Integer(value) => value,
        Cell::Text(text) | Cell::Other(text) => text,
        Cell::Time(ticks) => ticks,
    };
    SourceError::Protocol { message: format!("column {} of the answer should be {wanted}, not {found:?}", place + 1) }
}

/// Keeps the rows of an answer.
#[derive(Default)]
pub(super) struct Answers {
    pub(super) rows: Vec<Answer>,
    row: Answer,
}

impl TakeRows for Answers {
    fn value(&mut self, _place: usize, value: Value<'_>) -> Result<(), SourceError> {
        self.row.cells.push(value.into());
        Ok(())
    }

    fn unfit(&self, place: usize, reason: &str) -> SourceError {
        undecoded(place, reason)
    }

    fn end_row(&mut self) -> Result<(), SourceError> {
        self.rows.push(std::mem::take(&mut self.row));
        Ok(())
    }
}

/// Keeps the first value of an answer, which is one of a key.
#[derive(Default)]
pub(super) struct FirstKey(pub(super) Option<KeyValue>);

impl TakeRows for FirstKey {
    fn value(&mut self, _place: usize, value: Value<'_>) -> Result<(), SourceError> {
        if self.0.is_none() {
            self.0 = Some(value.key()?);
        }
        Ok(())
    }

    fn unfit(&self, place: usize, reason: &str) -> SourceError {
        undecoded(place, reason)
    }

    fn end_row(&mut self) -> Result<(), SourceError> {
        Ok(())
    }
}

#[cfg_attr(not(feature = "mssql-tds"), allow(dead_code, reason = "the other client fails by itself"))]
fn undecoded(place: usize, reason: &str) -> SourceError {
    SourceError::Protocol { message: format!("column {} of the answer: {reason}", place + 1) }
}
