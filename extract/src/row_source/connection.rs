//! A connection by whichever client it was made.

#[cfg(feature = "mssql-tds")]
use super::mssql_tds::MssqlTds;
#[cfg(feature = "tiberius")]
use super::tiberius::Tiberius;
use super::{Answered, RowSource, Shape, TakeRows};
use crate::error::SourceError;
use crate::key::KeyValue;
use crate::pace::Pace;
use crate::row_sink::RowSink;
use crate::seek::{Parameter, Request};

/// See the module. Chosen once per connection, so that no value looks for its client.
pub(crate) enum Connection {
    #[cfg(feature = "tiberius")]
    Tiberius(Box<Tiberius>),
    #[cfg(feature = "mssql-tds")]
    MssqlTds(Box<MssqlTds>),
}

impl RowSource for Connection {
    async fn read(
        &mut self,
        request: &Request,
        shape: &Shape,
        sink: &mut RowSink<'_>,
        pace: &Pace,
        last: &mut Vec<KeyValue>,
    ) -> Result<Answered, SourceError> {
        match self {
            #[cfg(feature = "tiberius")]
            Connection::Tiberius(source) => source.read(request, shape, sink, pace, last).await,
            #[cfg(feature = "mssql-tds")]
            Connection::MssqlTds(source) => source.read(request, shape, sink, pace, last).await,
        }
    }

    async fn take<T: TakeRows + Send>(
        &mut self,
        sql: &str,
        parameters: &[Parameter],
        taker: &mut T,
    ) -> Result<(), SourceError> {
        match self {
            #[cfg(feature = "tiberius")]
            Connection::Tiberius(source) => source.take(sql, parameters, taker).await,
            #[cfg(feature = "mssql-tds")]
            Connection::MssqlTds(source) => source.take(sql, parameters, taker).await,
        }
    }
}
