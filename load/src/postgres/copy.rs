//! Rows for one COPY statement: encoded into one buffer that is used again for every transaction, and sent in chunks.
//!
//! Format: Postgres documentation, COPY, "Binary Format".

mod key_order;

use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::SinkExt;
use tokio_postgres::{Client, Error, Statement};

use self::key_order::KeyOrder;
use super::connection::Connection;
use super::database::refused;
use super::{failure, quoted};
use crate::LoadError;

/// Measured as the best size: larger ones gain nothing, smaller ones cost the server more.
const CHUNK_BYTES: usize = 256 << 10;
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: Bytes = Bytes::from_static(&(-1i16).to_be_bytes());

/// Where rows go.
struct Destination {
    schema: String,
    table: String,
    /// Schema and table as SQL wants them.
    quoted: String,
    columns: Vec<String>,
    statement: Statement,
    /// What the rows are staged for, if this is no table of the module.
    staged_for: Option<StagedFor>,
}

/// Rows for some columns of one table.
pub(super) struct CopyBuffer {
    to: Arc<Destination>,
    bytes: Vec<u8>,
    /// Position of the event of each row, so that a row that the server refuses is known.
    positions: Vec<u64>,
    /// The order in which rows are sent; `None` for that of events.
    order: Option<KeyOrder>,
}

/// Where staged rows take effect.
#[derive(Clone, Debug)]
pub(super) enum StagedFor {
    /// They become rows of this table.
    Table(String),
    /// A handler makes of them what it likes; this is its file or function.
    Handler(String),
}

impl CopyBuffer {
    /// Prepares the statement, for rows of a table of the module or of ours.
    pub(super) fn prepare(
        connection: &Connection,
        schema: &str,
        table: &str,
        columns: Vec<String>,
    ) -> Result<CopyBuffer, LoadError> {
        CopyBuffer::prepare_for(connection, schema, table, columns, None)
    }

    /// Prepares the statement, for rows of a temporary table.
    pub(super) fn prepare_staged(
        connection: &Connection,
        schema: &str,
        table: &str,
        columns: Vec<String>,
        staged_for: StagedFor,
    ) -> Result<CopyBuffer, LoadError> {
        CopyBuffer::prepare_for(connection, schema, table, columns, Some(staged_for))
    }

    fn prepare_for(
        connection: &Connection,
        schema: &str,
        table: &str,
        columns: Vec<String>,
        staged_for: Option<StagedFor>,
    ) -> Result<CopyBuffer, LoadError> {
        let list: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
        let (schema, table) = (schema.to_string(), table.to_string());
        let list = list.join(", ");
        let table_quoted = format!("{}.{}", quoted(connection.schema(&schema)), quoted(&table));
        let sql = format!("COPY {table_quoted} ({list}) FROM STDIN (FORMAT binary)");
        let doing = format!("preparing to copy into `{table}`");
        let statement = connection.run(&doing, connection.client.prepare(&sql))?;
        let to = Arc::new(Destination { schema, table, quoted: table_quoted, columns, statement, staged_for });
        Ok(CopyBuffer { to, bytes: Vec::new(), positions: Vec::new(), order: None })
    }

    /// No rows, for the same statement.
    pub(super) fn twin(&self) -> CopyBuffer {
        let order = self.order.as_ref().map(KeyOrder::twin);
        CopyBuffer { to: self.to.clone(), bytes: Vec::new(), positions: Vec::new(), order }
    }

    /// Has rows sent in the order of this column, if it is among those that are filled.
    pub(super) fn sorted_by(mut self, key: Option<&str>) -> CopyBuffer {
        let place = key.and_then(|key| self.to.columns.iter().position(|column| column == key));
        self.order = place.map(KeyOrder::new);
        self
    }

    /// Whether these are the columns of that table.
    pub(super) fn is_for(&self, schema: &str, table: &str, columns: &[String]) -> bool {
        self.to.schema == schema && self.to.table == table && self.to.columns == columns
    }

    /// Where the rows go, as people write it: a table, or the handler that takes them.
    pub(super) fn destination(&self) -> String {
        match (&self.to.staged_for, self.to.schema.as_str()) {
            (Some(StagedFor::Table(name) | StagedFor::Handler(name)), _) => name.clone(),
            (None, "public") => self.to.table.clone(),
            (None, schema) => format!("{schema}.{}", self.to.table),
        }
    }

    /// The table that these rows are copied into, as SQL wants it; `None` if they are staged.
    pub(super) fn copied_table(&self) -> Option<&str> {
        self.to.staged_for.is_none().then_some(&self.to.quoted)
    }

    /// The table of the module whose rows these become; `None` if a handler decides.
    pub(super) fn counted_table(&self) -> Option<String> {
        match &self.to.staged_for {
            Some(StagedFor::Handler(_)) => None,
            _ => Some(self.destination()),
        }
    }

    /// Appends the row of the event at `position`. `encode` appends one value for each column; when it fails, the row
    /// is cut off again.
    #[inline]
    pub(super) fn put_row<E>(
        &mut self,
        position: u64,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.bytes.is_empty() {
            self.bytes.extend_from_slice(HEADER);
        }
        let start = self.bytes.len();
        // A table has at most 1,600 columns.
        self.bytes.extend_from_slice(&(self.to.columns.len() as u16).to_be_bytes());
        match encode(&mut self.bytes) {
            Ok(()) => {
                self.positions.push(position);
                if let Some(order) = &mut self.order {
                    order.add(&self.bytes, start);
                }
                Ok(())
            }
            Err(error) => {
                self.bytes.truncate(start);
                Err(error)
            }
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.positions.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Position of the event whose row the server named in its error, if it did.
    pub(super) fn refused_position(&self, error: &Error) -> Option<u64> {
        let row = failure::copy_row(error, &self.to.table)? - 1;
        let number = self.order.as_ref().map_or(Some(row), |order| order.number(row))?;
        self.positions.get(number).copied()
    }

    /// Position of the only row.
    pub(super) fn only_position(&self) -> Option<u64> {
        self.positions.first().copied().filter(|_| self.rows() == 1)
    }

    /// Forgets all rows.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.positions.clear();
        self.order.iter_mut().for_each(KeyOrder::clear);
    }

    /// Puts the rows in the order in which they are sent; no more are added.
    pub(super) fn sort(&mut self) {
        self.order.iter_mut().for_each(KeyOrder::sort);
    }

    /// Sends all rows, sorted, within the caller's transaction. They stay known by their positions until
    /// [`CopyBuffer::clear`].
    pub(super) fn send(&mut self, connection: &Connection) -> Result<(), LoadError> {
        if self.positions.is_empty() {
            return Ok(());
        }
        let doing = format!("copying into `{}`", self.destination());
        let result = match &self.order {
            Some(order) => {
                let rows = order.chunks(&self.bytes, CHUNK_BYTES);
                let chunks = std::iter::once(Bytes::from_static(HEADER)).chain(rows).chain([TRAILER]);
                connection.run(&doing, copy(&connection.client, &self.to.statement, chunks))
            }
            None => self.send_as_it_is(connection, &doing),
        };
        match result? {
            rows if rows == self.positions.len() as u64 => Ok(()),
            rows => Err(refused(
                connection.database(),
                format!("`{}` took {rows} of {} rows; nothing was committed", self.to.table, self.positions.len()),
                "look for a trigger or a rule on the table that leaves rows out, and remove it",
            )),
        }
    }

    /// The whole buffer, sliced.
    fn send_as_it_is(&mut self, connection: &Connection, doing: &str) -> Result<u64, LoadError> {
        self.bytes.extend_from_slice(&TRAILER);
        let all = Bytes::from(mem::take(&mut self.bytes));
        let starts = (0..all.len()).step_by(CHUNK_BYTES);
        let chunks = starts.map(|start| all.slice(start..all.len().min(start + CHUNK_BYTES)));
        let result = connection.run(doing, copy(&connection.client, &self.to.statement, chunks));
        // Sent chunks share the buffer, and are gone by now: it comes back without being copied. `clear` keeps that so.
        let mut all = all;
        all.clear();
        self.bytes = Vec::from(all);
        result
    }
}

async fn copy(client: &Client, statement: &Statement, chunks: impl Iterator<Item = Bytes>) -> Result<u64, Error> {
    let mut sink = Box::pin(client.copy_in::<_, Bytes>(statement).await?);
    for chunk in chunks {
        sink.feed(chunk).await?;
    }
    sink.as_mut().finish().await
}
