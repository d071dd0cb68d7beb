//! Rows by way of Microsoft's `mssql-tds` client.
//!
//! It decodes a row straight into a writer of ours, from the packet it stands in. Its own conversions aren't used: text
//! is decoded here, since its table of code pages lacks some and it takes Windows-1252 for those without a word.

mod code_page;
mod parameter;
mod text;
mod writer;

use ::mssql_tds::connection::tds_client::{BufferedRowPoll, ResultSet, StatementResult, TdsClient};
use ::mssql_tds::error::Error;

use super::row::Rows;
use super::{Answered, Course, RowSource, Shape, TakeRows};
use crate::connect::Silence;
use crate::error::SourceError;
use crate::key::KeyValue;
use crate::pace::Pace;
use crate::row_sink::RowSink;
use crate::seek::{Parameter, Request};
use writer::Writer;

/// A connection of the `mssql-tds` client.
pub(crate) struct MssqlTds {
    client: TdsClient,
    silence: Silence,
    /// Text on its way from UTF-16 to UTF-8.
    text: Vec<u8>,
}

impl MssqlTds {
    /// Over a connection that is logged in. `silence` is its watchdog.
    pub(crate) fn new(client: TdsClient, silence: Silence) -> MssqlTds {
        MssqlTds { client, silence, text: Vec::new() }
    }

    /// Sends a statement, and says whether rows follow.
    async fn send(&mut self, sql: &str, parameters: &[Parameter]) -> Result<bool, SourceError> {
        let sql = sql.to_string();
        let sent = match parameters.is_empty() {
            true => self.silence.watch(self.client.execute(sql, ())).await?,
            false => {
                let parameters = parameters.iter().zip(1..).map(|(value, number)| parameter::bind(number, value));
                let parameters = parameters.collect::<Result<_, _>>()?;
                self.silence.watch(self.client.execute_sp_executesql(sql, parameters, ())).await?
            }
        };
        match sent? {
            StatementResult::Rows => Ok(true),
            StatementResult::NoRows { .. } => Ok(self.silence.watch(self.client.advance_to_rows()).await??),
            StatementResult::End => Ok(false),
        }
    }

    /// Takes the next row; false after the last one. A row that lies in the packet costs no wait.
    #[inline]
    async fn next<T: TakeRows + Send>(&mut self, taker: &mut T) -> Result<bool, SourceError> {
        let MssqlTds { client, silence, text } = self;
        let mut writer = Writer::new(taker, text);
        let more = match client.try_next_buffered_row_into(&mut writer)? {
            BufferedRowPoll::Complete => true,
            BufferedRowPoll::Exhausted => false,
            BufferedRowPoll::Partial => {
                silence.watch(client.finish_row_into(&mut writer)).await??;
                true
            }
            BufferedRowPoll::Pending => silence.watch(client.next_row_into(&mut writer)).await??,
        };
        writer.finish().map(|()| more)
    }

    /// Reads the end of an answer: the count in the token that ends its rows.
    async fn end(&mut self) -> Result<Option<u64>, SourceError> {
        let sent = self.client.last_result_row_count();
        self.silence.watch(self.client.close_query()).await??;
        Ok(sent)
    }
}

impl RowSource for MssqlTds {
    async fn read(
        &mut self,
        request: &Request,
        shape: &Shape,
        sink: &mut RowSink<'_>,
        pace: &Pace,
        last: &mut Vec<KeyValue>,
    ) -> Result<Answered, SourceError> {
        let mut course = Course::of(request, sink.content_bytes());
        let mut rows = Rows::new(sink, shape, request.rows_max);
        if !self.send(&request.sql, &request.parameters).await? {
            let message = "a query was answered without a heading".to_string();
            return Err(SourceError::Protocol { message });
        }
        rows.expect_columns(self.client.get_metadata().len())?;
        while !rows.are_cut_short() && self.next(&mut rows).await? {
            if course.is_due(&rows) {
                course.look(&mut rows, pace).await;
            }
        }
        let (received, cut_short) = (rows.received(), rows.are_cut_short());
        let sent = match cut_short {
            true => None,
            false => self.end().await?,
        };
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
        if self.send(sql, parameters).await? {
            while self.next(taker).await? {}
        }
        self.end().await.map(|_| ())
    }
}

impl From<Error> for SourceError {
    fn from(error: Error) -> SourceError {
        match error {
            Error::SqlServerError { diagnostics } => match diagnostics.errors.into_iter().next() {
                Some(first) => SourceError::Server {
                    number: first.number,
                    class: u8::try_from(first.class).unwrap_or(u8::MAX),
                    state: first.state,
                    message: first.message,
                },
                None => SourceError::Protocol { message: "the server reports an error without a number".to_string() },
            },
            Error::Io(_) | Error::TlsError(_) | Error::TlsHandshakeError { .. } => lost(&error),
            Error::ConnectionError(_) | Error::ConnectionClosed(_) | Error::TimeoutError(_) => lost(&error),
            other => SourceError::Protocol { message: other.to_string() },
        }
    }
}

fn lost(error: &Error) -> SourceError {
    SourceError::Lost { message: error.to_string() }
}
