//! Events that can't become rows: written to `etl.rejected` in the transaction that passes them.

use std::collections::BTreeMap;

use etl_schemas::event::Event;

use crate::LoadError;
use crate::postgres::connection::Connection;
use crate::postgres::copy::CopyBuffer;
use crate::postgres::encode::{put_bytes, put_display, put_int8, put_timestamp};

const COLUMNS: [&str; 9] =
    ["position", "event_id", "event_type", "occurred_at", "stream", "key", "table_name", "reason", "body"];

/// Rows bound for `etl.rejected`.
pub(super) struct RejectedRows {
    buffer: CopyBuffer,
    /// Position, type and reason of the last one, for the error that stops a load.
    last: Option<String>,
}

impl RejectedRows {
    pub(super) fn prepare(connection: &Connection) -> Result<RejectedRows, LoadError> {
        let (state, columns) = (connection.generation.state, COLUMNS.map(String::from).to_vec());
        let buffer = CopyBuffer::prepare(connection, state, "rejected", columns)?;
        Ok(RejectedRows { buffer, last: None })
    }

    /// No rows, for the same statement.
    pub(super) fn twin(&self) -> RejectedRows {
        RejectedRows { buffer: self.buffer.twin(), last: None }
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
            Ok(()) => {
                self.last = Some(format!("event {} ({}): {reason}", event.position, event.event_type().name));
            }
            Err(never) => match never {},
        }
    }

    pub(super) fn send(&mut self, connection: &Connection) -> Result<(), LoadError> {
        self.buffer.send(connection)
    }

    pub(super) fn clear(&mut self) {
        self.buffer.clear();
        self.last = None;
    }

    pub(super) fn last(&self) -> Option<&String> {
        self.last.as_ref()
    }
}

/// Rows that the server has refused since the last commit: reasons by position.
#[derive(Default)]
pub(super) struct Refusals(BTreeMap<u64, String>);

impl Refusals {
    /// The server refused the row of the event at `position`.
    pub(super) fn add(&mut self, position: u64, reason: String) {
        self.0.insert(position, reason);
    }

    /// Why the server refused the event's row, if it has.
    pub(super) fn reason(&self, position: u64) -> Option<String> {
        if self.0.is_empty() { None } else { self.0.get(&position).cloned() }
    }

    /// Those up to `position` are in the database now.
    pub(super) fn forget(&mut self, position: u64) {
        self.0.retain(|refused, _| *refused > position);
    }
}

/// NUL shown as its symbol: this table must take what the others can't.
fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{2400}")
}
