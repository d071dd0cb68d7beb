//! One event's bytes: key, stream and body into the arena, and the entry that points at them.

use etl_schemas::dump::RowError;
use etl_schemas::event::{put_integer_key, put_text_key, put_uuid_key};
use thiserror::Error;

use super::field::{has_nul, put_field};
use crate::expression::{Context, EvaluateError, Evaluated, Type, Value};
use crate::mapping::Mapping;
use crate::order::Entry;

/// Why a row is in quarantine.
#[derive(Debug, Error)]
pub(crate) enum RejectReason {
    /// The row's bytes are no message of its table.
    #[error("the row can't be decoded: {0}")]
    Row(#[source] RowError),
    /// A column's value isn't of the column's type.
    #[error("column {column}: the value is no {ty}")]
    Column { column: String, ty: Type },
    /// An expression has no value.
    #[error("{at}: {source}")]
    Evaluate { at: String, source: EvaluateError },
    /// NULL where a value must be.
    #[error("{at} is NULL")]
    Null { at: String },
    /// Postgres' text can't hold it.
    #[error("{at} holds a NUL character, which Postgres can't store in text")]
    Nul { at: String },
    /// A number past its field's range.
    #[error("{at}: {value} is out of range of {kind}")]
    Range { at: String, value: String, kind: &'static str },
    /// More bytes than an event can have.
    #[error("{at} is longer than {limit} bytes")]
    TooLong { at: String, limit: usize },
}

impl From<RowError> for Box<RejectReason> {
    fn from(error: RowError) -> Box<RejectReason> {
        Box::new(RejectReason::Row(error))
    }
}

impl RejectReason {
    pub(super) fn evaluate(at: &str) -> impl FnOnce(Box<EvaluateError>) -> Box<RejectReason> {
        move |source| Box::new(RejectReason::Evaluate { at: at.to_string(), source: *source })
    }
}

/// Runs one mapping for one row. `None` when its WHERE doesn't hold; the arena grows by the event's bytes alone.
pub(super) fn emit(
    mapping: &Mapping,
    context: &Context<'_>,
    arena: &mut Vec<u8>,
) -> Result<Option<Entry>, Box<RejectReason>> {
    if let Some(condition) = &mapping.condition {
        let holds = condition.condition(context).map_err(RejectReason::evaluate("WHERE"))?;
        if holds != Some(true) {
            return Ok(None);
        }
    }
    let start = arena.len();
    let entry = put_event(mapping, context, arena);
    if entry.is_err() {
        arena.truncate(start);
    }
    entry.map(Some)
}

fn put_event(mapping: &Mapping, context: &Context<'_>, arena: &mut Vec<u8>) -> Result<Entry, Box<RejectReason>> {
    let start = arena.len();
    let occurred_at = mapping.occurred_at.look(context, |value| match value {
        Value::Instant(occurred_at) => Ok(Some(*occurred_at)),
        Value::Null => Ok(None),
        other => unreachable!("the compiler checked that occurred_at is an instant, not {other:?}"),
    });
    let occurred_at = not_null(occurred_at, "occurred_at")?;
    let clean = mapping.key.look(context, |value| Ok(put_event_key(arena, value)));
    if !not_null(clean, "key")? {
        return Err(Box::new(RejectReason::Nul { at: "key".to_string() }));
    }
    let key_len = short_len(arena.len() - start, "key")?;
    let key_prefix = Entry::prefix(&arena[start..]);
    let stream = arena.len();
    if !mapping.stream.put_text(context, arena).map_err(RejectReason::evaluate("stream"))? {
        return Err(Box::new(RejectReason::Null { at: "stream".to_string() }));
    }
    let body = arena.len();
    let stream_len = short_len(body - stream, "stream")?;
    if has_nul(&arena[stream..]) {
        return Err(Box::new(RejectReason::Nul { at: "stream".to_string() }));
    }
    for field in &mapping.fields {
        put_field(field, context, arena)?;
    }
    let limit = u32::MAX as usize;
    let too_long = || Box::new(RejectReason::TooLong { at: "the block's events".to_string(), limit });
    // The arena of a block's events is addressed in 32 bits.
    u32::try_from(arena.len()).map_err(|_| too_long())?;
    Ok(Entry {
        occurred_at,
        key_prefix,
        offset: start as u32,
        body_len: (arena.len() - body) as u32,
        block: 0,
        row: 0,
        mapping: 0,
        rank: mapping.rank,
        key_len,
        stream_len,
    })
}

/// Appends a key; says whether it is one that Postgres can hold. `None` for NULL.
#[inline]
fn put_event_key(arena: &mut Vec<u8>, value: &Value<'_>) -> Option<bool> {
    match value {
        Value::Null => return None,
        Value::Integer(value) => put_integer_key(arena, *value),
        Value::Text(text) if has_nul(text.as_bytes()) => return Some(false),
        Value::Text(text) => put_text_key(arena, text),
        Value::Uuid(uuid) => put_uuid_key(arena, &uuid.to_bytes()),
        other => unreachable!("the compiler checked that a key is no {other:?}"),
    }
    Some(true)
}

#[inline]
fn not_null<T>(found: Evaluated<Option<T>>, at: &str) -> Result<T, Box<RejectReason>> {
    let null = || Box::new(RejectReason::Null { at: at.to_string() });
    found.map_err(RejectReason::evaluate(at))?.ok_or_else(null)
}

#[inline]
fn short_len(length: usize, at: &str) -> Result<u16, Box<RejectReason>> {
    let limit = usize::from(u16::MAX);
    u16::try_from(length).map_err(|_| Box::new(RejectReason::TooLong { at: at.to_string(), limit }))
}
