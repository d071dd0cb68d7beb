//! The temporary table that holds staged events of one type.

use etl_schemas::event::{EventFieldKind, EventType};

use crate::LoadError;
use crate::postgres::catalog::{self, TableColumn};
use crate::postgres::connection::Connection;
use crate::postgres::quoted;
use crate::postgres::staging::STAGE;

/// A temporary table, emptied at the end of every transaction.
pub(super) struct EventTable {
    /// The session's temporary schema by its own name, which COPY and the catalog want.
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) columns: Vec<TableColumn>,
}

impl EventTable {
    /// Makes the table with these columns, by name and type, and an indexed one for the stage.
    pub(super) fn create(
        connection: &Connection,
        event_type: &EventType,
        columns: &[(String, String)],
    ) -> Result<EventTable, LoadError> {
        let name = format!("etl_staged_{}", event_type.rank);
        let list: Vec<String> = columns.iter().map(|(column, kind)| format!("{} {kind}", quoted(column))).collect();
        let create = format!(
            "CREATE TEMPORARY TABLE {name} ({}, {STAGE} integer) ON COMMIT DELETE ROWS;
             CREATE INDEX ON pg_temp.{name} ({STAGE})",
            list.join(", ")
        );
        let doing = format!("making the table for staged `{}` events", event_type.name);
        connection.run(&doing, connection.client.batch_execute(&create))?;
        let schema = "SELECT nspname::text FROM pg_namespace WHERE oid = pg_my_temp_schema()";
        let schema: String = connection.run(&doing, connection.client.query_one_scalar(schema, &[]))?;
        let columns = catalog::columns(connection, &schema, &name)?.unwrap_or_default();
        Ok(EventTable { schema, name, columns })
    }
}

/// The columns that a handler in SQL sees, by name and type: the event's fields and the engine's.
pub(super) fn columns_of(event_type: &EventType) -> Vec<(String, String)> {
    let engine = [
        ("position", "bigint"),
        ("event_id", "uuid"),
        ("occurred_at", "timestamptz"),
        ("stream", "text"),
        ("key", "text"),
    ];
    let fields = event_type.fields.iter().map(|field| (field.name.as_str(), type_of(&field.kind)));
    engine.into_iter().chain(fields).map(|(name, kind)| (name.to_string(), kind.to_string())).collect()
}

/// The Postgres type that holds every value of the field.
fn type_of(kind: &EventFieldKind) -> &'static str {
    use EventFieldKind as K;
    match kind {
        K::Bool => "boolean",
        K::Int32 | K::SInt32 => "integer",
        K::Int64 | K::SInt64 | K::UInt32 => "bigint",
        K::UInt64 => "numeric",
        K::Float => "real",
        K::Double => "double precision",
        K::String | K::Enum(_) => "text",
        K::Bytes => "bytea",
        K::Timestamp => "timestamptz",
    }
}

/// `MessageSent` to `message_sent`, `SMSSent` to `sms_sent`.
pub(super) fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (index, letter) in letters.iter().enumerate() {
        let begins = letter.is_ascii_uppercase()
            && index > 0
            && letters[index - 1] != '_'
            && (!letters[index - 1].is_ascii_uppercase()
                || letters.get(index + 1).is_some_and(char::is_ascii_lowercase));
        if begins {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_named_as_tables_are() {
        for (name, snake) in
            [("MessageSent", "message_sent"), ("SMSSent", "sms_sent"), ("A", "a"), ("Order_Paid", "order_paid")]
        {
            assert_eq!(snake_case(name), snake);
        }
    }
}
