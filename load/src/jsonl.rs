//! Events as JSON lines: one object a line, in the stream's order.
//!
//! In: batches. Out: lines like
//! `{"position":1,"id":"2ed6657d-…","type":"MessageSent","occurred_at":"2014-03-01T11:30:00Z","key":"7",
//! "stream":"member/3","data":{"body":"Hej"}}`. `data` follows protobuf's JSON mapping (protobuf.dev, "ProtoJSON
//! Format") with the options "use field names as they stand in the .proto file" and "print fields without presence":
//! 64-bit integers are strings, bytes are base64, enums go by name, timestamps are RFC 3339, and a field is left out only
//! when it is `optional` and absent. A key is always a string. Nothing is allocated per event.

mod data;
mod text;

use std::io::{ErrorKind, Write};
use std::sync::Arc;
use std::time::Instant;

use etl_schemas::event::{Event, EventBatch, EventCatalog, EventKey, EventType};
use etl_schemas::wire::WireError;

use crate::LoadError;
use crate::sink::{Sink, SinkReport};

pub(crate) use data::DataWriter;

/// Bytes gathered before they are handed to the writer.
const CHUNK_BYTES: usize = 256 << 10;

/// Whether an event is written.
type Predicate = Box<dyn Fn(&Event<'_>) -> bool + Send>;

/// Writes JSON lines to any writer.
///
/// Output can't be read back to find out what is there, so its durable position stays 0 until the end: a new run writes
/// the whole stream again.
pub struct JsonLines<W> {
    name: String,
    writer: W,
    types: Vec<TypeWriter>,
    /// Lines not yet handed to the writer.
    lines: Vec<u8>,
    limit: u64,
    only: Option<Predicate>,
    written: u64,
    position: u64,
    opened: Instant,
}

impl<W: Write + Send> JsonLines<W> {
    /// Writes the events of `catalog`'s types to `writer`; `name` stands in reports and errors (`jsonl:-`).
    pub fn new(name: impl Into<String>, writer: W, catalog: &EventCatalog) -> JsonLines<W> {
        JsonLines {
            name: name.into(),
            writer,
            types: catalog.types.iter().map(TypeWriter::new).collect(),
            lines: Vec::with_capacity(CHUNK_BYTES + (64 << 10)),
            limit: u64::MAX,
            only: None,
            written: 0,
            position: 0,
            opened: Instant::now(),
        }
    }

    /// Writes the first `limit` events only, and passes over the others.
    #[must_use]
    pub fn limit(mut self, limit: u64) -> JsonLines<W> {
        self.limit = limit;
        self
    }

    /// Writes the events alone for which `only` holds; the others don't count towards the limit.
    #[must_use]
    pub fn only(mut self, only: impl Fn(&Event<'_>) -> bool + Send + 'static) -> JsonLines<W> {
        self.only = Some(Box::new(only));
        self
    }

    /// Leaves `position` out, for events whose place in the whole stream isn't known.
    #[must_use]
    pub fn without_positions(mut self) -> JsonLines<W> {
        self.types.iter_mut().for_each(|writer| writer.has_position = false);
        self
    }

    /// Whether the limit is reached, so that nothing more will be written.
    pub fn is_full(&self) -> bool {
        self.written >= self.limit
    }

    fn hand_over(&mut self) -> Result<(), LoadError> {
        let result = self.writer.write_all(&self.lines);
        self.lines.clear();
        result.map_err(|source| write_error(&self.name, source))
    }

    fn end(&mut self, complete: bool) -> Result<SinkReport, LoadError> {
        self.hand_over()?;
        self.writer.flush().map_err(|source| write_error(&self.name, source))?;
        Ok(SinkReport {
            name: self.name.clone(),
            complete,
            position: self.position,
            taken: self.written,
            elapsed: self.opened.elapsed(),
            ..SinkReport::default()
        })
    }
}

impl<W: Write + Send> Sink for JsonLines<W> {
    fn name(&self) -> &str {
        &self.name
    }

    fn durable_position(&self) -> u64 {
        0
    }

    fn write(&mut self, batch: &Arc<EventBatch>) -> Result<(), LoadError> {
        for event in batch.events() {
            if self.is_full() {
                break;
            }
            if self.only.as_ref().is_some_and(|only| !only(&event)) {
                continue;
            }
            let writer = &mut self.types[usize::from(event.rank)];
            writer.put_line(&event, &mut self.lines).map_err(|error| {
                let text = format!("event {} ({}): {error}", event.position, writer.name);
                write_error(&self.name, std::io::Error::new(ErrorKind::InvalidData, text))
            })?;
            self.written += 1;
            self.position = event.position;
            if self.lines.len() >= CHUNK_BYTES {
                self.hand_over()?;
            }
        }
        self.hand_over()
    }

    fn finish(&mut self) -> Result<SinkReport, LoadError> {
        self.end(true)
    }

    fn stop(&mut self) -> Result<SinkReport, LoadError> {
        self.end(false)
    }
}

fn write_error(sink: &str, source: std::io::Error) -> LoadError {
    let sink = sink.to_string();
    match source.kind() {
        ErrorKind::BrokenPipe => LoadError::BrokenPipe { sink },
        _ => LoadError::Write { sink, source },
    }
}

/// Writes the events of one type; what is the same in each of them is made once.
struct TypeWriter {
    name: String,
    has_position: bool,
    /// `","type":"MessageSent","occurred_at":`
    between_id_and_time: Vec<u8>,
    data: DataWriter,
}

impl TypeWriter {
    fn new(event_type: &EventType) -> TypeWriter {
        let name = event_type.name.clone();
        let between_id_and_time = format!("\",\"type\":\"{name}\",\"occurred_at\":").into_bytes();
        TypeWriter { name, has_position: true, between_id_and_time, data: DataWriter::new(event_type) }
    }

    fn put_line(&mut self, event: &Event<'_>, out: &mut Vec<u8>) -> Result<(), WireError> {
        out.push(b'{');
        if self.has_position {
            out.extend_from_slice(b"\"position\":");
            text::put_unsigned(out, event.position);
            out.push(b',');
        }
        out.extend_from_slice(b"\"id\":\"");
        text::put_uuid(out, &event.id());
        out.extend_from_slice(&self.between_id_and_time);
        let (seconds, nanos) = event.occurred_at.to_timestamp();
        text::put_timestamp(out, seconds, nanos);
        out.extend_from_slice(b",\"key\":");
        put_key(out, &event.key());
        out.extend_from_slice(b",\"stream\":");
        text::put_string(out, event.stream());
        out.extend_from_slice(b",\"data\":");
        self.data.put(event.body, out)?;
        out.extend_from_slice(b"}\n");
        Ok(())
    }
}

fn put_key(out: &mut Vec<u8>, key: &EventKey<'_>) {
    match key {
        EventKey::Text(text) => text::put_string(out, text),
        EventKey::Integer(value) => {
            out.push(b'"');
            text::put_signed(out, *value);
            out.push(b'"');
        }
        EventKey::Uuid(value) => {
            out.push(b'"');
            text::put_uuid(out, value);
            out.push(b'"');
        }
    }
}
