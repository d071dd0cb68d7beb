//! Rows by way of the `tiberius` client.
//!
//! Its [`ColumnData`] is matched as it is: its conversions to chrono and to decimals lose digits, offsets and fractions of
//! a second. Money never arrives here as `money`, which this client decodes into a float; the SELECT casts it.

mod cells;

use ::tiberius::{ColumnData, QueryItem, QueryStream, Row};
use futures_util::TryStreamExt;

use super::row::Rows;
use super::{Answered, Course, ROW_COUNT, RowSource, Shape, TakeRows};
use crate::connect::{Silence, TiberiusClient};
use crate::error::SourceError;
use crate::key::KeyValue;
use crate::pace::Pace;
use crate::row_sink::RowSink;
use crate::seek::{Parameter, Request};
use cells::{Bound, value};

/// A connection of the `tiberius` client.
pub(crate) struct Tiberius {
    client: TiberiusClient,
    silence: Silence,
}

impl Tiberius {
    /// Over a connection that is logged in. `silence` is its watchdog.
    pub(crate) fn new(client: TiberiusClient, silence: Silence) -> Tiberius {
        Tiberius { client, silence }
    }

    /// Sends a statement. Its answer comes with the watchdog to read it under.
    async fn send<'c>(
        &'c mut self,
        sql: &str,
        parameters: &[Parameter],
    ) -> Result<(QueryStream<'c>, &'c mut Silence), SourceError> {
        let Tiberius { client, silence } = self;
        let items = match parameters.is_empty() {
            true => silence.watch(client.simple_query(sql)).await??,
            false => {
                let mut query = ::tiberius::Query::new(sql);
                parameters.iter().for_each(|parameter| query.bind(Bound(parameter)));
                silence.watch(query.query(client)).await??
            }
        };
        Ok((items, silence))
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
        let mut course = Course::of(request, sink.content_bytes());
        let mut rows = Rows::new(sink, shape, request.rows_max);
        let mut sent = None;
        let (mut items, silence) = self.send(&batch, &request.parameters).await?;
        while let Some(item) = silence.watch(items.try_next()).await?? {
            match item {
                QueryItem::Metadata(metadata) if metadata.result_index() == 0 => {
                    rows.expect_columns(metadata.columns().len())?;
                }
                QueryItem::Metadata(_) => {}
                QueryItem::Row(row) if row.result_index() == 0 => {
                    take_row(&row, &mut rows)?;
                    if rows.are_cut_short() {
                        break;
                    }
                    if course.is_due(&rows) {
                        course.look(&mut rows, pace).await;
                    }
                }
                QueryItem::Row(row) => sent = count(&row),
            }
        }
        drop(items);
        let (received, cut_short) = (rows.received(), rows.are_cut_short());
        let paced = course.end(&rows, pace).await;
        rows.take_key(last);
        Ok(Answered { received, sent, paced, cut_short })
    }

    async fn take<T: TakeRows + Send>(
        &mut self,
        sql: &str,
        parameters: &[Parameter],
        taker: &mut T,
    ) -> Result<(), SourceError> {
        let (mut items, silence) = self.send(sql, parameters).await?;
        while let Some(item) = silence.watch(items.try_next()).await?? {
            if let QueryItem::Row(row) = item
                && row.result_index() == 0
            {
                take_row(&row, taker)?;
            }
        }
        Ok(())
    }
}

fn take_row(row: &Row, taker: &mut impl TakeRows) -> Result<(), SourceError> {
    for (place, (_, cell)) in row.cells().enumerate() {
        taker.value(place, value(cell))?;
    }
    taker.end_row()
}

fn count(row: &Row) -> Option<u64> {
    match row.cells().next()?.1 {
        ColumnData::I64(Some(count)) => u64::try_from(*count).ok(),
        ColumnData::I32(Some(count)) => u64::try_from(*count).ok(),
        _ => None,
    }
}
