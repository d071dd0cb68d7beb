//! Answers of catalog queries, read by place. Servers give one column as `int`, `smallint` or `bit` as they like, so a
//! whole number is taken whatever its width.

use etl_schemas::ticks::Ticks;
use tiberius::{ColumnData, Row};

use crate::connect::TdsClient;
use crate::error::SourceError;
use crate::row_source::tiberius::datetime2;

/// One row of an answer.
pub(super) struct Answer {
    cells: Vec<ColumnData<'static>>,
}

/// Runs a query whose answer is small.
pub(super) async fn ask(client: &mut TdsClient, sql: &str) -> Result<Vec<Answer>, SourceError> {
    let rows = client.simple_query(sql).await?.into_first_result().await?;
    Ok(rows.into_iter().map(Answer::from).collect())
}

impl From<Row> for Answer {
    fn from(row: Row) -> Answer {
        Answer { cells: row.into_iter().collect() }
    }
}

impl Answer {
    fn cell(&self, place: usize) -> Result<&ColumnData<'static>, SourceError> {
        let missing = || SourceError::Protocol { message: format!("the answer has no column {}", place + 1) };
        self.cells.get(place).ok_or_else(missing)
    }

    /// A whole number.
    pub(super) fn integer(&self, place: usize) -> Result<i64, SourceError> {
        match self.cell(place)? {
            ColumnData::Bit(Some(value)) => Ok(i64::from(*value)),
            ColumnData::U8(Some(value)) => Ok(i64::from(*value)),
            ColumnData::I16(Some(value)) => Ok(i64::from(*value)),
            ColumnData::I32(Some(value)) => Ok(i64::from(*value)),
            ColumnData::I64(Some(value)) => Ok(*value),
            other => Err(unexpected(place, "a whole number", other)),
        }
    }

    /// A whole number that fits, such as a precision.
    pub(super) fn small<T: TryFrom<i64>>(&self, place: usize) -> Result<T, SourceError> {
        let value = self.integer(place)?;
        T::try_from(value).map_err(|_| {
            let message = format!("column {} of the answer holds {value}, which is out of range", place + 1);
            SourceError::Protocol { message }
        })
    }

    /// True for anything but zero; NULL is false.
    pub(super) fn truth(&self, place: usize) -> Result<bool, SourceError> {
        match self.cell(place)? {
            cell if is_null(cell) => Ok(false),
            _ => Ok(self.integer(place)? != 0),
        }
    }

    /// Text or NULL.
    pub(super) fn text(&self, place: usize) -> Result<Option<&str>, SourceError> {
        match self.cell(place)? {
            ColumnData::String(value) => Ok(value.as_deref()),
            cell if is_null(cell) => Ok(None),
            other => Err(unexpected(place, "text", other)),
        }
    }

    /// A `datetime2`.
    pub(super) fn time(&self, place: usize) -> Result<Ticks, SourceError> {
        let cell = self.cell(place)?;
        let ticks = match cell {
            ColumnData::DateTime2(Some(value)) => datetime2(*value),
            _ => None,
        };
        ticks.ok_or_else(|| unexpected(place, "a time", cell))
    }
}

fn is_null(cell: &ColumnData<'_>) -> bool {
    matches!(
        cell,
        ColumnData::Bit(None)
            | ColumnData::U8(None)
            | ColumnData::I16(None)
            | ColumnData::I32(None)
            | ColumnData::I64(None)
            | ColumnData::String(None)
    )
}

fn unexpected(place: usize, wanted: &str, found: &ColumnData<'_>) -> SourceError {
    SourceError::Protocol { message: format!("column {} of the answer should be {wanted}, not {found:?}", place + 1) }
}
