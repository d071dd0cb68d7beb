//! The events of a use case.
//!
//! In: `[[given]]` tables. Out: events with every field that their type demands, in the order in which a seed would
//! bring them: by time, then by the type's rank, then by key. Two events of one type and key are refused, because they
//! would be one event.

use std::ops::Range;
use std::sync::Arc;

use etl_schemas::diagnostic::did_you_mean;
use etl_schemas::event::{
    ENGINE_FIELDS, EventBatch, EventCatalog, EventHeader, EventType, put_integer_key, put_text_key,
};
use etl_schemas::ticks::{PER_SECOND, Ticks, days_from_civil};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fields;
use super::reading::Reading;

const HELP: &str = "write [[given]] and below it event_type = \"...\" and the event's fields";
/// Stream of events that don't say theirs.
const STREAM: &str = "usecase";

/// An event of a use case.
#[derive(Clone, Debug)]
pub struct GivenEvent {
    /// The event type's place among [`EventCatalog::types`].
    pub rank: u16,
    /// When it happened, UTC.
    pub occurred_at: Ticks,
    /// Whether the file says when; else it follows the event before.
    pub is_timed: bool,
    /// Its stream.
    pub stream: String,
    /// Its fields as they are written, in the order of the file.
    pub fields: Vec<(String, String)>,
    /// Where the file gives it.
    pub(crate) span: Range<usize>,
    /// Its key as ordered bytes.
    key: Vec<u8>,
    /// The protobuf message.
    body: Vec<u8>,
}

/// Reads the `[[given]]` tables.
pub(super) fn read(reading: &mut Reading<'_>, value: &Spanned<DeValue<'_>>, catalog: &EventCatalog) -> Vec<GivenEvent> {
    let mut events: Vec<GivenEvent> = Vec::new();
    // Events that don't say when they happened follow each other by seconds.
    let mut clock = Ticks::from_days(days_from_civil(2000, 1, 1), 0);
    for (place, (span, table)) in reading.tables(value, HELP).into_iter().enumerate() {
        let Some(event) = event(reading, &span, table, catalog, place as i64 + 1, clock) else { continue };
        clock = Ticks(event.occurred_at.0.saturating_add(PER_SECOND)).checked().unwrap_or(Ticks::MAX);
        if events.iter().any(|other| (other.rank, &other.key) == (event.rank, &event.key)) {
            let message = "there is an event of this type and key already, and both would be one event";
            reading.refuse(span, message, "give it another `key`");
        }
        events.push(event);
    }
    events.sort_by(|a, b| (a.occurred_at, a.rank, &a.key).cmp(&(b.occurred_at, b.rank, &b.key)));
    events
}

fn event(
    reading: &mut Reading<'_>,
    span: &Range<usize>,
    table: &DeTable<'_>,
    catalog: &EventCatalog,
    place: i64,
    clock: Ticks,
) -> Option<GivenEvent> {
    let event_type = event_type(reading, span, table, catalog)?;
    let mut event = GivenEvent {
        rank: event_type.rank,
        occurred_at: clock,
        is_timed: false,
        stream: STREAM.to_string(),
        fields: Vec::new(),
        span: span.clone(),
        key: Vec::new(),
        body: Vec::new(),
    };
    put_integer_key(&mut event.key, place);
    let mut written: Vec<_> = table.iter().collect();
    written.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in written {
        let name = key.get_ref().as_ref();
        match name {
            "event_type" => {}
            "occurred_at" => match fields::time(value.get_ref()) {
                Ok(time) => (event.occurred_at, event.is_timed) = (time, true),
                Err(message) => reading.refuse(value.span(), message, fields::TIME_HELP),
            },
            "stream" => match value.get_ref() {
                DeValue::String(text) => event.stream = text.to_string(),
                other => reading.refuse(
                    value.span(),
                    format!("a stream is text, not {}", other.type_str()),
                    "write it in quotes",
                ),
            },
            "key" => match key_bytes(value.get_ref()) {
                Some(bytes) => event.key = bytes,
                None => reading.refuse(value.span(), "a key is an integer or text", "write key = 7 or key = \"a\""),
            },
            _ => field(reading, key.span(), name, value, event_type, &mut event),
        }
    }
    let missing = |name: &str| !table.keys().any(|key| key.get_ref().as_ref() == name);
    for required in event_type.fields.iter().filter(|field| !field.optional && missing(&field.name)) {
        let message = format!("`{}` needs its field `{}`", event_type.name, required.name);
        reading.refuse(span.clone(), message, "only a field that events.proto calls `optional` may be left out");
    }
    Some(event)
}

fn event_type<'c>(
    reading: &mut Reading<'_>,
    span: &Range<usize>,
    table: &DeTable<'_>,
    catalog: &'c EventCatalog,
) -> Option<&'c EventType> {
    let Some(value) = table.get("event_type") else {
        reading.refuse(span.clone(), "this event has no type", "write event_type = \"...\", a message of events.proto");
        return None;
    };
    let name = value.get_ref().as_str().unwrap_or("");
    let found = catalog.event_type(name);
    if found.is_none() {
        let help = did_you_mean(name, catalog.types.iter().map(|known| known.name.as_str()));
        reading.refuse(value.span(), format!("no event type is called `{name}`"), help);
    }
    found
}

fn field(
    reading: &mut Reading<'_>,
    span: Range<usize>,
    name: &str,
    value: &Spanned<DeValue<'_>>,
    event_type: &EventType,
    event: &mut GivenEvent,
) {
    let Some(field) = event_type.field(name) else {
        let engine = ENGINE_FIELDS.into_iter().filter(|engine| !["event_id", "position"].contains(engine));
        let known: Vec<&str> = event_type.fields.iter().map(|field| field.name.as_str()).chain(engine).collect();
        reading.refuse(span, format!("`{}` has no field `{name}`", event_type.name), did_you_mean(name, known));
        return;
    };
    match fields::put(field, value.get_ref(), &mut event.body) {
        Ok(()) => event.fields.push((name.to_string(), fields::text(value.get_ref()))),
        Err((message, help)) => reading.refuse(value.span(), format!("`{name}` {message}"), help),
    }
}

fn key_bytes(value: &DeValue<'_>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    match value {
        DeValue::Integer(_) => put_integer_key(&mut bytes, i64::try_from(fields::integer(value)?).ok()?),
        DeValue::String(text) => put_text_key(&mut bytes, text),
        _ => return None,
    }
    Some(bytes)
}

/// The events as one batch from position 1; `None` without any.
pub(super) fn batch(events: &[GivenEvent], catalog: &Arc<EventCatalog>) -> Option<Arc<EventBatch>> {
    if events.is_empty() {
        return None;
    }
    let (mut arena, mut headers) = (Vec::new(), Vec::new());
    for event in events {
        headers.push(EventHeader {
            occurred_at: event.occurred_at,
            rank: event.rank,
            arena: 0,
            // People write these files: nothing in them comes near the limits of the headers.
            key_len: event.key.len() as u16,
            stream_len: event.stream.len() as u16,
            body_len: event.body.len() as u32,
            offset: arena.len() as u32,
        });
        arena.extend_from_slice(&event.key);
        arena.extend_from_slice(event.stream.as_bytes());
        arena.extend_from_slice(&event.body);
    }
    Some(Arc::new(EventBatch::new(catalog.clone(), 1, headers, vec![Arc::new(arena)])))
}
