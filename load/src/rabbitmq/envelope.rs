//! A message's properties: what an event is beside its body, and where it stands.
//!
//! | property | |
//! |---|---|
//! | message id | the event's id, the same whenever it is published |
//! | `cloudEvents:*` | CloudEvents' attributes; `source` names project, dump and mappings, `subject` the stream |
//! | `etl-position` | the event's place in the order of all events |
//! | `etl-key` | its key: an integer, text, or the 16 bytes of a UUID |
//! | `etl-after-<module>` | for each module that takes it, the position of the module's event before it, 0 for none |
//!
//! The marker that ends the stream has the type `etl.end` and the position of the last event of all.

mod reading;
mod time;

use etl_schemas::event::{Event, EventKey};
use etl_schemas::ticks::Ticks;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, ByteArray, FieldTable, LongString, ShortString};

use super::Format;
use super::routes::Routes;
use crate::postgres::StreamFingerprint;

pub(super) use reading::{Envelope, Reader};

/// The type of the marker behind the last event.
const END: &str = "etl.end";
/// Survives a restart of the broker.
const PERSISTENT: u8 = 2;
const PROTOBUF: &str = "application/protobuf";
const JSON: &str = "application/json";

/// Where the events come from: `etl:<project>/<dump>/<mappings>`.
pub(super) fn source(project: &str, stream: &StreamFingerprint) -> String {
    format!("etl:{project}/{}/{}", stream.dump, stream.mappings)
}

fn after_name(module: &str) -> String {
    format!("etl-after-{module}")
}

/// Writes properties.
pub(super) struct Writer {
    source: LongString,
    content_type: ShortString,
    /// By module, as in [`Routes`].
    after: Vec<ShortString>,
}

impl Writer {
    pub(super) fn new(project: &str, stream: &StreamFingerprint, routes: &Routes, format: Format) -> Writer {
        let content_type = if format == Format::Protobuf { PROTOBUF } else { JSON };
        let after = routes.modules.iter().map(|module| super::topology::short(&after_name(module))).collect();
        Writer { source: source(project, stream).into(), content_type: content_type.into(), after }
    }

    /// Of an event; `chain` has for each module the position of its event before.
    pub(super) fn event(&self, event: &Event<'_>, takers: &[usize], chain: &[u64]) -> BasicProperties {
        let id = event.id().hyphenated().to_string();
        let mut headers = self.attributes(&id, &event.event_type().name, event.occurred_at, event.stream());
        headers.insert("etl-position".into(), AMQPValue::LongLongInt(event.position as i64));
        let key = match event.key() {
            EventKey::Integer(value) => AMQPValue::LongLongInt(value),
            EventKey::Text(text) => AMQPValue::LongString(text.into()),
            EventKey::Uuid(uuid) => AMQPValue::ByteArray(ByteArray::from(uuid.as_bytes().to_vec())),
        };
        headers.insert("etl-key".into(), key);
        for module in takers {
            headers.insert(self.after[*module].clone(), AMQPValue::LongLongInt(chain[*module] as i64));
        }
        self.properties(id, headers)
    }

    /// Of the marker that tells a module that this was all.
    pub(super) fn end(&self, module: usize, position: u64, at: Ticks, after: u64) -> BasicProperties {
        let id = format!("{END}.{position}");
        let mut headers = self.attributes(&id, END, at, "");
        headers.insert("etl-position".into(), AMQPValue::LongLongInt(position as i64));
        headers.insert(self.after[module].clone(), AMQPValue::LongLongInt(after as i64));
        self.properties(id, headers)
    }

    fn attributes(&self, id: &str, event_type: &str, at: Ticks, stream: &str) -> FieldTable {
        let mut headers = FieldTable::default();
        let mut put = |name: &str, value: LongString| {
            headers.insert(name.into(), AMQPValue::LongString(value));
        };
        put("cloudEvents:specversion", "1.0".into());
        put("cloudEvents:id", id.into());
        put("cloudEvents:source", self.source.clone());
        put("cloudEvents:type", event_type.into());
        put("cloudEvents:time", format!("{at}Z").into());
        put("cloudEvents:subject", stream.into());
        headers
    }

    fn properties(&self, id: String, headers: FieldTable) -> BasicProperties {
        BasicProperties::default()
            .with_message_id(id.into())
            .with_content_type(self.content_type.clone())
            .with_delivery_mode(PERSISTENT)
            .with_app_id("etl".into())
            .with_headers(headers)
    }
}
