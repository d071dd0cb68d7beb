//! Rows by way of the `tiberius` client.
//!
//! Its [`ColumnData`] is matched as it is: its conversions to chrono and to decimals lose digits, offsets and fractions of
//! a second. Money never arrives here as `money`, which this client decodes into a float; the SELECT casts it.

use ::tiberius::time::{DateTime2, DateTimeOffset};
use ::tiberius::{ColumnData, QueryItem, QueryStream, Row};
use etl_schemas::ticks::Ticks;
use futures_util::TryStreamExt;

use crate::connect::TdsClient;
use crate::error::SourceError;
use crate::key::KeyValue;
use crate::pace::Pace;
use crate::row_sink::RowSink;
use crate::row_source::key_cell::{Bound, key_value};
use crate::row_source::{Answered, Parts, ROW_COUNT, RowSource, Shape, clock, variant};
use crate::seek::{Parameter, Request};

/// A connection of the `tiberius` client.
pub(crate) struct Tiberius {
    client: TdsClient,
    variant_text: String,
}

impl Tiberius {
    /// Over a connection that is logged in.
    pub(crate) fn new(client: TdsClient) -> Tiberius {
        Tiberius { client, variant_text: String::new() }
    }
}

/// After so many rows the pace is asked whether to wait.
const ROWS_PACED: u64 = 128;

impl Tiberius {
    async fn ask<'c>(&'c mut self, sql: &str, parameters: &[Parameter]) -> Result<QueryStream<'c>, SourceError> {
        if parameters.is_empty() {
            return Ok(self.client.simple_query(sql).await?);
        }
        let mut query = ::tiberius::Query::new(sql);
        parameters.iter().for_each(|parameter| query.bind(Bound(parameter)));
        Ok(query.query(&mut self.client).await?)
    }
}

impl RowSource for Tiberius {
    async fn read(
        &mut self,
        request: &Request,
        shape: &Shape,
        sink: &mut RowSink<'_>,
        pace: &Pace,
        last: &mut Vec<KeyValue>,
    ) -> Result<Answered, SourceError> {
        // This client keeps the count of a DONE token to itself, so the server is asked for it within the same batch.
        let batch = match shape.counted {
            true => format!("{}; {ROW_COUNT}", request.sql),
            false => request.sql.clone(),
        };
        let mut scratch = std::mem::take(&mut self.variant_text);
        let (mut answered, mut bytes) = (Answered::default(), sink.content_bytes());
        let mut items = self.ask(&batch, &request.parameters).await?;
        while let Some(item) = items.try_next().await? {
            match item {
                QueryItem::Metadata(metadata) if metadata.result_index() == 0 => {
                    expect_columns(metadata.columns().len(), shape)?;
                }
                QueryItem::Metadata(_) => {}
                QueryItem::Row(row) if row.result_index() == 0 => {
                    push_row(&row, shape, sink, &mut scratch)?;
                    sink.end_row()?;
                    answered.received += 1;
                    if request.rows_max == Some(answered.received) {
                        read_key(&row, &shape.key, last)?;
                    }
                    if answered.received.is_multiple_of(ROWS_PACED) {
                        let before = std::mem::replace(&mut bytes, sink.content_bytes());
                        answered.paced += pace.spend(ROWS_PACED, bytes - before).await;
                    }
                }
                QueryItem::Row(row) => answered.sent = count(&row),
            }
        }
        drop(items);
        self.variant_text = scratch;
        answered.paced += pace.spend(answered.received % ROWS_PACED, sink.content_bytes() - bytes).await;
        match request.rows_max {
            Some(rows_max) if answered.received > rows_max => {
                let message = format!("{rows_max} rows were asked for at most, {} came", answered.received);
                Err(SourceError::Protocol { message })
            }
            _ => Ok(answered),
        }
    }

    async fn key(&mut self, request: &Request) -> Result<Option<KeyValue>, SourceError> {
        let row = self.ask(&request.sql, &request.parameters).await?.into_row().await?;
        let Some(row) = row else { return Ok(None) };
        row.cells().next().map(|(_, cell)| key_value(cell)).transpose()
    }
}

fn expect_columns(found: usize, shape: &Shape) -> Result<(), SourceError> {
    match shape.expressions() {
        expected if expected == found => Ok(()),
        expected => {
            let message = format!("{expected} columns were asked for, {found} came");
            Err(SourceError::Protocol { message })
        }
    }
}

fn count(row: &Row) -> Option<u64> {
    match row.cells().next()?.1 {
        ColumnData::I64(Some(count)) => u64::try_from(*count).ok(),
        ColumnData::I32(Some(count)) => u64::try_from(*count).ok(),
        _ => None,
    }
}

fn read_key(row: &Row, places: &[usize], key: &mut Vec<KeyValue>) -> Result<(), SourceError> {
    key.clear();
    for place in places {
        let (_, cell) = row
            .cells()
            .nth(*place)
            .ok_or_else(|| SourceError::Protocol { message: "a row is shorter than its heading".to_string() })?;
        key.push(key_value(cell)?);
    }
    Ok(())
}

fn push_row(row: &Row, shape: &Shape, sink: &mut RowSink<'_>, scratch: &mut String) -> Result<(), SourceError> {
    let mut cells = row.cells().map(|(_, cell)| cell);
    let short = || SourceError::Protocol { message: "a row is shorter than its heading".to_string() };
    for (column, parts) in shape.columns.iter().enumerate() {
        let first = cells.next().ok_or_else(short)?;
        match parts {
            Parts::One => push(sink, column, first)?,
            Parts::Two => push_pair(sink, column, first, cells.next().ok_or_else(short)?, scratch)?,
        }
    }
    Ok(())
}

/// One value. That it fits its column is the sink's to check.
fn push(sink: &mut RowSink<'_>, column: usize, cell: &ColumnData<'_>) -> Result<(), SourceError> {
    match cell {
        ColumnData::Bit(Some(value)) => sink.put_bool(column, *value),
        ColumnData::U8(Some(value)) => sink.put_integer(column, i64::from(*value)),
        ColumnData::I16(Some(value)) => sink.put_integer(column, i64::from(*value)),
        ColumnData::I32(Some(value)) => sink.put_integer(column, i64::from(*value)),
        ColumnData::I64(Some(value)) => sink.put_integer(column, *value),
        ColumnData::F32(Some(value)) => sink.put_float(column, *value),
        ColumnData::F64(Some(value)) => sink.put_double(column, *value),
        ColumnData::Numeric(Some(value)) => sink.put_decimal(column, value.value(), value.scale()),
        ColumnData::String(Some(value)) => sink.put_text(column, value),
        ColumnData::Xml(Some(value)) => sink.put_text(column, value.as_ref().as_ref()),
        ColumnData::Binary(Some(value)) => sink.put_bytes(column, value),
        ColumnData::Guid(Some(value)) => sink.put_guid(column, value.as_bytes()),
        ColumnData::Date(Some(value)) => sink.put_date(column, clock::date(value.days())),
        ColumnData::Time(Some(value)) => sink.put_time(column, clock::time(value.increments(), value.scale())),
        ColumnData::DateTime(Some(value)) => {
            sink.put_timestamp(column, clock::datetime(value.days(), value.seconds_fragments()))
        }
        ColumnData::SmallDateTime(Some(value)) => {
            // This client calls the field fragments of a second; on the wire it is minutes.
            sink.put_timestamp(column, clock::smalldatetime(value.days(), value.seconds_fragments()))
        }
        ColumnData::DateTime2(Some(value)) => sink.put_timestamp(column, datetime2(*value)),
        ColumnData::DateTimeOffset(Some(value)) => {
            let (utc, offset) = datetimeoffset(*value);
            sink.put_datetime_offset(column, utc, offset)
        }
        _ => {
            sink.put_null(column);
            Ok(())
        }
    }
}

/// A value made of two expressions: a variant's base type and content, a geometry's SRID and shape.
fn push_pair(
    sink: &mut RowSink<'_>,
    column: usize,
    first: &ColumnData<'_>,
    second: &ColumnData<'_>,
    scratch: &mut String,
) -> Result<(), SourceError> {
    match (first, second) {
        (ColumnData::I32(Some(srid)), ColumnData::Binary(Some(wkb))) => sink.put_geometry(column, *srid, wkb),
        (ColumnData::I32(_), ColumnData::Binary(_)) => {
            sink.put_null(column);
            Ok(())
        }
        // A variant without a base type is NULL, which this client hands over as a text.
        (ColumnData::String(None), _) => {
            sink.put_null(column);
            Ok(())
        }
        (ColumnData::String(Some(base)), value) => {
            scratch.clear();
            match variant::write_text(scratch, base, value) {
                Ok(()) => sink.put_variant(column, base, scratch),
                Err(reason) => Err(sink.unfit(column, &reason)),
            }
        }
        _ => Err(sink.unfit(column, "the two expressions that make its value came as other types")),
    }
}

/// `None` outside years 0001 to 9999.
pub(crate) fn datetime2(value: DateTime2) -> Option<Ticks> {
    clock::datetime2(value.date().days(), value.time().increments(), value.time().scale())
}

/// The instant in UTC, which is what travels on the wire, and the offset in minutes.
pub(crate) fn datetimeoffset(value: DateTimeOffset) -> (Option<Ticks>, i32) {
    (datetime2(value.datetime2()), i32::from(value.offset()))
}
