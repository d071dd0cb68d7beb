//! Reads a message's properties back. Whatever they hold, the answer is an envelope or a sentence that says what is wrong.

use etl_schemas::event::{EventCatalog, EventHeader, put_integer_key, put_text_key, put_uuid_key};
use etl_schemas::ticks::Ticks;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};

use super::{END, PROTOBUF, after_name, time};
use crate::postgres::StreamFingerprint;

/// Where a message stands, and what it is.
#[derive(Debug)]
pub(in crate::rabbitmq) struct Envelope {
    /// Of the event, or of the last event of all when this is the end.
    pub(in crate::rabbitmq) position: u64,
    /// Position of the module's event before it; `None` when the message isn't for this module.
    pub(in crate::rabbitmq) after: Option<u64>,
    pub(in crate::rabbitmq) occurred_at: Ticks,
    /// Place of its type in the catalog; `None` for the end of the stream.
    pub(in crate::rabbitmq) rank: Option<u16>,
}

/// Reads what a module's queue holds.
pub(in crate::rabbitmq) struct Reader<'a> {
    catalog: &'a EventCatalog,
    after: String,
    /// `etl:<project>/`
    source: String,
}

impl<'a> Reader<'a> {
    pub(in crate::rabbitmq) fn new(project: &str, module: &str, catalog: &'a EventCatalog) -> Reader<'a> {
        Reader { catalog, after: after_name(module), source: format!("etl:{project}/") }
    }

    /// What the stream was made from.
    pub(in crate::rabbitmq) fn stream(&self, properties: &BasicProperties) -> Result<StreamFingerprint, String> {
        let source = text(headers(properties)?, "cloudEvents:source")?;
        let parts = source.strip_prefix(&self.source).and_then(|parts| parts.split_once('/'));
        match parts {
            Some((dump, mappings)) => Ok(StreamFingerprint { dump: dump.to_string(), mappings: mappings.to_string() }),
            None => Err(format!("its source `{source}` isn't this project")),
        }
    }

    /// The envelope.
    pub(in crate::rabbitmq) fn envelope(&self, properties: &BasicProperties) -> Result<Envelope, String> {
        let headers = headers(properties)?;
        let name = text(headers, "cloudEvents:type")?;
        let rank = match self.catalog.event_type(name) {
            Some(event_type) => Some(event_type.rank),
            None if name == END => None,
            None => return Err(format!("events.proto here has no event type `{name}`")),
        };
        let written = text(headers, "cloudEvents:time")?;
        let occurred_at = time::parse(written).ok_or_else(|| format!("`{written}` is no time"))?;
        let after = headers.inner().get(self.after.as_str()).map(|value| position(value, &self.after)).transpose()?;
        let position = headers.inner().get("etl-position").ok_or("it has no `etl-position`")?;
        Ok(Envelope { position: self::position(position, "etl-position")?, after, occurred_at, rank })
    }

    /// Appends the event's key, stream and body to the arena.
    pub(in crate::rabbitmq) fn put(
        &self,
        envelope: &Envelope,
        properties: &BasicProperties,
        body: &[u8],
        arena: &mut Vec<u8>,
    ) -> Result<EventHeader, String> {
        let rank = envelope.rank.ok_or("the end of the stream is no event")?;
        let content_type = properties.content_type().as_ref().map_or("", |content_type| content_type.as_str());
        if content_type != PROTOBUF {
            return Err(format!("its body is `{content_type}`; publish with --format protobuf"));
        }
        let (headers, start) = (headers(properties)?, arena.len());
        match headers.inner().get("etl-key") {
            Some(AMQPValue::LongLongInt(value)) => put_integer_key(arena, *value),
            Some(AMQPValue::LongString(text)) => put_text_key(arena, utf8(text.as_bytes(), "etl-key")?),
            Some(AMQPValue::ByteArray(bytes)) => {
                let bytes = bytes.as_slice().try_into().map_err(|_| "its key is no UUID".to_string())?;
                put_uuid_key(arena, bytes);
            }
            _ => return Err("it has no `etl-key`".to_string()),
        }
        let key_len = arena.len() - start;
        let stream = text(headers, "cloudEvents:subject")?;
        arena.extend_from_slice(stream.as_bytes());
        arena.extend_from_slice(body);
        let long = |_| "its key, stream or body is too long".to_string();
        Ok(EventHeader {
            occurred_at: envelope.occurred_at,
            rank,
            arena: 0,
            key_len: u16::try_from(key_len).map_err(long)?,
            stream_len: u16::try_from(stream.len()).map_err(long)?,
            body_len: u32::try_from(body.len()).map_err(long)?,
            offset: u32::try_from(start).map_err(long)?,
        })
    }
}

fn headers(properties: &BasicProperties) -> Result<&FieldTable, String> {
    properties.headers().as_ref().ok_or_else(|| "it has no headers".to_string())
}

fn text<'a>(headers: &'a FieldTable, name: &str) -> Result<&'a str, String> {
    match headers.inner().get(name) {
        Some(AMQPValue::LongString(text)) => utf8(text.as_bytes(), name),
        _ => Err(format!("it has no `{name}`")),
    }
}

fn utf8<'a>(bytes: &'a [u8], name: &str) -> Result<&'a str, String> {
    std::str::from_utf8(bytes).map_err(|_| format!("its `{name}` is no UTF-8"))
}

fn position(value: &AMQPValue, name: &str) -> Result<u64, String> {
    match value {
        AMQPValue::LongLongInt(value) if *value >= 0 => Ok(value.unsigned_abs()),
        _ => Err(format!("its `{name}` is no position")),
    }
}
