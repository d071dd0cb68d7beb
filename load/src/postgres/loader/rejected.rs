//! Events that can't become rows: written to `etl.rejected` in the transaction that passes them.

use std::collections::BTreeMap;

use etl_schemas::event::Event;

use crate::LoadError;
use crate::postgres::connection::Connection;
use crate::postgres::copy::CopyBuffer;
use crate::postgres::encode::{put_bytes, put_display, put_int8, put_timestamp};

const COLUMNS: [&str; 9] =
    ["position", "event_id", "event_type", "occurred_at", "stream", "key", "table_name", "reason", "body"];

/// Rows bound for `etl.rejected`, and what the server has refused since the last commit.
pub(super) struct RejectedRows {
    buffer: CopyBuffer,
    /// Reasons by position.
    refused: BTreeMap<u64, String>,
    /// Position and reason of the last one, for the error that stops a load.
    last: String,
}

impl RejectedRows {
    /// Rows that wait go to this connection from now on; what was refused stays known.
    pub(super) fn reconnect(&mut self, connection: &Connection) -> Result<(), LoadError> {
        self.buffer = RejectedRows::prepare(connection)?.buffer;
        Ok(())
    }

    pub(super) fn prepare(connection: &Connection) -> Result<RejectedRows, LoadError> {
        let buffer = CopyBuffer::prepare(
            connection,
            connection.generation.state,
            "rejected",
            COLUMNS.map(String::from).to_vec(),
        )?;
        Ok(RejectedRows { buffer, refused: BTreeMap::new(), last: "none in this run".to_string() })
    }

    /// The server refused the row of the event at `position`.
    pub(super) fn refuse(&mut self, position: u64, reason: String) {
        self.refused.insert(position, reason);
    }

    /// Why the server refused the event's row, if it has.
    pub(super) fn refusal(&self, position: u64) -> Option<String> {
        if self.refused.is_empty() { None } else { self.refused.get(&position).cloned() }
    }

    /// Refusals up to `position` are in the database now.
    pub(super) fn forget_refused(&mut self, position: u64) {
        self.refused.retain(|refused, _| *refused > position);
    }

    /// Adds an event.
    pub(super) fn put(&mut self, event: &Event<'_>, table: &str, reason: &str) {
        let row = self.buffer.put_row(event.position, |out| {
            put_int8(out, event.position as i64);
            put_bytes(out, event.id().as_bytes());
            put_bytes(out, event.event_type().name.as_bytes());
            let (seconds, nanos) = event.occurred_at.to_timestamp();
            put_timestamp(out, seconds, nanos);
            put_bytes(out, without_nul(event.stream()).as_bytes());
            put_display(out, &without_nul(&event.key().to_string()));
            put_bytes(out, table.as_bytes());
            put_bytes(out, without_nul(reason).as_bytes());
            put_bytes(out, event.body);
            Ok::<(), std::convert::Infallible>(())
        });
        match row {
            Ok(()) => self.last = format!("event {} ({}): {reason}", event.position, event.event_type().name),
            Err(never) => match never {},
        }
    }

    pub(super) fn send(&mut self, connection: &Connection) -> Result<(), LoadError> {
        self.buffer.send(connection)
    }

    pub(super) fn clear(&mut self) {
        self.buffer.clear();
    }

    pub(super) fn last(&self) -> &str {
        &self.last
    }
}

/// NUL shown as its symbol: this table must take what the others can't.
fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{2400}")
}
