//! The plan of a handler: which value of an event goes into which column of its table, and how it is encoded.
//!
//! In: a handler, its event type, and the table's columns as the database has them. Out: a [`RowPlan`] that encodes one
//! event after another, or everything that doesn't fit, each with its place in `module.toml`. A column takes what
//! `columns` says, else the field of its own name, else the engine's field of its own name; a column that nothing fills
//! must be nullable or have a default.

mod fit;

use etl_schemas::diagnostic::{Diagnostic, did_you_mean};
use etl_schemas::event::{ENGINE_FIELDS, Event, EventField, EventKey, EventType};

use self::fit::{Given, fit};
use super::catalog::TableColumn;
use super::encode::{Encoding, put_null};
use crate::fields::{FieldReader, Value};
use crate::module::{Handler, Module, is_engine_field};

/// Where a column's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// The field at this index of the plan's reader.
    Field(usize),
    EventId,
    OccurredAt,
    Stream,
    Key,
    Position,
    EventType,
}

struct ColumnPlan {
    name: String,
    type_name: String,
    not_null: bool,
    source: Source,
    encoding: Encoding,
}

/// Encodes the events of one type as rows of one table.
pub(super) struct RowPlan {
    reader: FieldReader,
    columns: Vec<ColumnPlan>,
}

/// A column with what fills it, before its encoding is settled.
struct Filled<'a> {
    column: &'a TableColumn,
    field: &'a str,
}

impl RowPlan {
    /// Plans `handler` for a table with `columns`; `table` is what messages call it.
    pub(super) fn compile(
        module: &Module,
        handler: &Handler,
        table: &str,
        event_type: &EventType,
        columns: &[TableColumn],
    ) -> Result<RowPlan, Vec<Diagnostic>> {
        let mut diagnostics = unknown_columns(module, handler, table, columns);
        let mut filled = Vec::new();
        for column in columns {
            match fill(module, handler, table, event_type, column) {
                Ok(filling) => filled.extend(filling),
                Err(diagnostic) => diagnostics.push(diagnostic),
            }
        }
        if filled.is_empty() && diagnostics.is_empty() {
            let message = format!("no column of `{table}` has the name of a field of `{}`", event_type.name);
            let help = format!("fields: {}", names(event_type).join(", "));
            diagnostics.push(module.at_handler(handler, message).help(help));
        }
        let mut wanted: Vec<EventField> = event_type.fields.clone();
        wanted.retain(|field| filled.iter().any(|filled| filled.field == field.name));
        let mut plans = Vec::new();
        for Filled { column, field } in filled {
            let source = source(field, &wanted);
            match fit(given(source, &wanted), column) {
                Ok(encoding) => plans.push(ColumnPlan {
                    name: column.name.clone(),
                    type_name: column.type_name.clone(),
                    not_null: column.not_null,
                    source,
                    encoding,
                }),
                Err(takers) => diagnostics.push(misfit(module, handler, column, field, &takers)),
            }
        }
        match diagnostics.is_empty() {
            true => Ok(RowPlan { reader: FieldReader::new(wanted), columns: plans }),
            false => Err(diagnostics),
        }
    }

    /// Names of the columns that are filled, in the order in which [`RowPlan::encode`] fills them.
    pub(super) fn columns(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.name.clone()).collect()
    }

    /// Appends one value for each column, or says what the table wouldn't take.
    #[inline]
    pub(super) fn encode(&mut self, event: &Event<'_>, out: &mut Vec<u8>) -> Result<(), String> {
        self.reader.read(event.body).map_err(|error| format!("the event's bytes don't fit its type: {error}"))?;
        for column in &self.columns {
            let value = match column.source {
                Source::Field(index) => self
                    .reader
                    .value(index, event.body)
                    .map_err(|error| format!("the event's bytes don't fit its type: {error}"))?,
                Source::EventId => Value::Uuid(event.id()),
                Source::OccurredAt => {
                    let (seconds, nanos) = event.occurred_at.to_timestamp();
                    Value::Time(seconds, nanos)
                }
                Source::Stream => Value::Text(event.stream()),
                Source::Key => key(event),
                Source::Position => Value::UInt(event.position),
                Source::EventType => Value::Text(&event.event_type().name),
            };
            if value == Value::Null {
                if column.not_null {
                    return Err(column.reason("is NULL, which the column doesn't take"));
                }
                put_null(out);
            } else {
                column.encoding.put(value, out).map_err(|reason| column.reason(&reason))?;
            }
        }
        Ok(())
    }
}

impl ColumnPlan {
    fn reason(&self, reason: &str) -> String {
        format!("the value for `{}` ({}) {reason}", self.name, self.type_name)
    }
}

fn key<'a>(event: &Event<'a>) -> Value<'a> {
    match event.key() {
        EventKey::Integer(value) => Value::Int(value),
        EventKey::Text(text) => Value::Text(text),
        EventKey::Uuid(value) => Value::Uuid(value),
    }
}

/// Entries of `columns` that the table has no column for.
fn unknown_columns(module: &Module, handler: &Handler, table: &str, columns: &[TableColumn]) -> Vec<Diagnostic> {
    let known = || columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>();
    let unknown = handler.columns.iter().filter(|source| !known().contains(&source.column.as_str()));
    let diagnostic = |column: &str| {
        let message = format!("table `{table}` has no column `{column}`");
        module.at_column(handler, column, message).help(did_you_mean(column, known()))
    };
    unknown.map(|source| diagnostic(&source.column)).collect()
}

/// What fills a column; nothing, where it may be left out.
fn fill<'a>(
    module: &Module,
    handler: &'a Handler,
    table: &str,
    event_type: &'a EventType,
    column: &'a TableColumn,
) -> Result<Option<Filled<'a>>, Diagnostic> {
    let written = handler.columns.iter().find(|source| source.column == column.name);
    if column.generated {
        return match written {
            None => Ok(None),
            Some(_) => {
                let message = format!("column `{}` is generated by the database", column.name);
                Err(module.at_column(handler, &column.name, message).help("leave it out"))
            }
        };
    }
    let field = match written {
        Some(source) => Some(source.field.as_str()),
        None => event_type
            .field(&column.name)
            .map(|field| field.name.as_str())
            .or_else(|| ENGINE_FIELDS.into_iter().find(|engine| *engine == column.name)),
    };
    match field {
        Some(field) => Ok(Some(Filled { column, field })),
        None if column.not_null && !column.has_default => {
            let message =
                format!("nothing fills column `{}` of `{}`, which is NOT NULL and has no default", column.name, table);
            let help =
                format!("write columns = {{ {} = \"field\" }}; fields: {}", column.name, names(event_type).join(", "));
            Err(module.at_column(handler, &column.name, message).help(help))
        }
        None => Ok(None),
    }
}

fn names(event_type: &EventType) -> Vec<&str> {
    event_type.fields.iter().map(|field| field.name.as_str()).chain(ENGINE_FIELDS).collect()
}

fn source(field: &str, wanted: &[EventField]) -> Source {
    match field {
        "event_id" => Source::EventId,
        "occurred_at" => Source::OccurredAt,
        "stream" => Source::Stream,
        "key" => Source::Key,
        "position" => Source::Position,
        "event_type" => Source::EventType,
        _ => {
            debug_assert!(!is_engine_field(field));
            let index = wanted.iter().position(|known| known.name == field);
            Source::Field(index.expect("every field that fills a column is among the wanted ones"))
        }
    }
}

fn given(source: Source, wanted: &[EventField]) -> Given<'_> {
    match source {
        Source::Field(index) => Given::of_field(&wanted[index].kind),
        Source::EventId => Given::Uuid,
        Source::OccurredAt => Given::Timestamp,
        Source::Stream | Source::EventType => Given::Text,
        Source::Key => Given::Key,
        Source::Position => Given::Integer,
    }
}

fn misfit(module: &Module, handler: &Handler, column: &TableColumn, field: &str, takers: &str) -> Diagnostic {
    let message = format!("column `{}` is {}, which can't take `{field}`", column.name, column.type_name);
    module.at_column(handler, &column.name, message).help(format!("`{field}` fits {takers}"))
}
