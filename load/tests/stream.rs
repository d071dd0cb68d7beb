//! Streams of events written down as JSON, and modules written into folders.

use std::path::Path;
use std::sync::Arc;

use etl_load::LoadError;
use etl_load::module::Module;
use etl_load::postgres::StreamFingerprint;
use etl_schemas::event::{EventBatch, EventCatalog, EventHeader, put_integer_key, put_text_key, put_uuid_key};
use etl_schemas::ticks::Ticks;
use prost_reflect::DynamicMessage;
use prost_reflect::prost::Message;
use uuid::Uuid;

/// The key of an event.
pub(crate) enum Key<'a> {
    Integer(i64),
    Text(&'a str),
    Uuid(Uuid),
}

/// Events in the making.
pub(crate) struct Stream {
    catalog: Arc<EventCatalog>,
    headers: Vec<EventHeader>,
    arena: Vec<u8>,
}

pub(crate) fn catalog(proto: &str) -> Arc<EventCatalog> {
    let text = format!("syntax = \"proto3\";\nimport \"google/protobuf/timestamp.proto\";\n{proto}");
    Arc::new(EventCatalog::parse(Path::new("events.proto"), &text, Uuid::NAMESPACE_URL).unwrap())
}

impl Stream {
    pub(crate) fn new(catalog: &Arc<EventCatalog>) -> Stream {
        Stream { catalog: catalog.clone(), headers: Vec::new(), arena: Vec::new() }
    }

    /// Adds an event a second after the one before, its body from JSON, its key its place from 1.
    pub(crate) fn json(&mut self, event_type: &str, body: &str) -> &mut Stream {
        let descriptor = self.catalog.event_type(event_type).unwrap().descriptor.clone();
        let message = DynamicMessage::deserialize(descriptor, &mut serde_json::Deserializer::from_str(body)).unwrap();
        let key = Key::Integer(self.headers.len() as i64 + 1);
        let seconds = self.headers.len() as i64;
        self.event(event_type, Ticks(seconds * 10_000_000), &key, "member/1", &message.encode_to_vec())
    }

    pub(crate) fn event(
        &mut self,
        event_type: &str,
        at: Ticks,
        key: &Key<'_>,
        stream: &str,
        body: &[u8],
    ) -> &mut Stream {
        let offset = self.arena.len();
        match key {
            Key::Integer(value) => put_integer_key(&mut self.arena, *value),
            Key::Text(value) => put_text_key(&mut self.arena, value),
            Key::Uuid(value) => put_uuid_key(&mut self.arena, value.as_bytes()),
        }
        let key_len = (self.arena.len() - offset) as u16;
        self.arena.extend_from_slice(stream.as_bytes());
        self.arena.extend_from_slice(body);
        self.headers.push(EventHeader {
            occurred_at: at,
            rank: self.catalog.event_type(event_type).unwrap().rank,
            arena: 0,
            key_len,
            stream_len: stream.len() as u16,
            body_len: body.len() as u32,
            offset: offset as u32,
        });
        self
    }

    /// All events, in batches of `size`.
    pub(crate) fn batches(&self, size: usize) -> Vec<Arc<EventBatch>> {
        let arena = Arc::new(self.arena.clone());
        let mut position = 1;
        let mut batches = Vec::new();
        for headers in self.headers.chunks(size) {
            let batch = EventBatch::new(self.catalog.clone(), position, headers.to_vec(), vec![arena.clone()]);
            position = batch.last_position() + 1;
            batches.push(Arc::new(batch));
        }
        batches
    }
}

/// Writes a module's files and loads it.
pub(crate) fn module(
    folder: &Path,
    catalog: &EventCatalog,
    module_toml: &str,
    schema: &str,
    indexes: &str,
) -> Result<Module, LoadError> {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("module.toml"), module_toml).unwrap();
    std::fs::write(folder.join("schema.sql"), schema).unwrap();
    std::fs::write(folder.join("indexes.sql"), indexes).unwrap();
    Module::load(folder, catalog)
}

pub(crate) fn fingerprint() -> StreamFingerprint {
    StreamFingerprint { dump: "d1".to_string(), mappings: "m1".to_string() }
}
