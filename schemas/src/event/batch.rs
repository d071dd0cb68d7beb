//! Batches of ordered events: headers in order, payloads in shared arenas.

use std::sync::Arc;

use uuid::Uuid;

use super::{EventCatalog, EventKey, EventType};
use crate::ticks::Ticks;

/// Where an event lies. Its bytes in the arena are key, stream and body, one behind another from `offset`.
#[derive(Clone, Copy, Debug)]
pub struct EventHeader {
    /// When it happened, UTC.
    pub occurred_at: Ticks,
    /// Place of its type in [`EventCatalog::types`].
    pub rank: u16,
    /// Which of the batch's arenas holds it.
    pub arena: u16,
    /// Bytes of the key, see [`super::put_integer_key`] and its neighbours.
    pub key_len: u16,
    /// Bytes of the stream's name.
    pub stream_len: u16,
    /// Bytes of the body.
    pub body_len: u32,
    /// Where the key begins in the arena.
    pub offset: u32,
}

/// Events in total order, with consecutive positions. Cheap to share between sinks behind an `Arc`.
#[derive(Clone, Debug)]
pub struct EventBatch {
    catalog: Arc<EventCatalog>,
    first_position: u64,
    headers: Vec<EventHeader>,
    arenas: Vec<Arc<Vec<u8>>>,
}

impl EventBatch {
    /// From headers in total order. `first_position` is the first event's place in the whole stream, counted from 1.
    ///
    /// # Panics
    /// When a header points outside its arena: a batch is made by our own transform, never from input.
    pub fn new(
        catalog: Arc<EventCatalog>,
        first_position: u64,
        headers: Vec<EventHeader>,
        arenas: Vec<Arc<Vec<u8>>>,
    ) -> EventBatch {
        for header in &headers {
            let end = header.offset as usize
                + usize::from(header.key_len)
                + usize::from(header.stream_len)
                + header.body_len as usize;
            assert!(end <= arenas[usize::from(header.arena)].len(), "an event's bytes lie within its arena");
        }
        EventBatch { catalog, first_position, headers, arenas }
    }

    /// What the events' types are.
    pub fn catalog(&self) -> &Arc<EventCatalog> {
        &self.catalog
    }

    /// Number of events.
    pub fn len(&self) -> usize {
        self.headers.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.headers.is_empty()
    }

    /// Position of the first event, from 1.
    pub fn first_position(&self) -> u64 {
        self.first_position
    }

    /// Position of the last event; one less than the first's for an empty batch.
    pub fn last_position(&self) -> u64 {
        self.first_position + self.headers.len() as u64 - 1
    }

    /// The headers, in order.
    pub fn headers(&self) -> &[EventHeader] {
        &self.headers
    }

    /// The event at `index` within the batch.
    pub fn event(&self, index: usize) -> Event<'_> {
        let header = &self.headers[index];
        let arena = &self.arenas[usize::from(header.arena)][header.offset as usize..];
        let (key, rest) = arena.split_at(usize::from(header.key_len));
        let (stream, rest) = rest.split_at(usize::from(header.stream_len));
        Event {
            catalog: &self.catalog,
            position: self.first_position + index as u64,
            occurred_at: header.occurred_at,
            rank: header.rank,
            key,
            stream,
            body: &rest[..header.body_len as usize],
        }
    }

    /// The events, in order.
    pub fn events(&self) -> impl Iterator<Item = Event<'_>> {
        (0..self.headers.len()).map(|index| self.event(index))
    }
}

/// One event, borrowed from its batch.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    catalog: &'a EventCatalog,
    /// Its place in the total order, from 1.
    pub position: u64,
    /// When it happened, UTC.
    pub occurred_at: Ticks,
    /// Place of its type in [`EventCatalog::types`].
    pub rank: u16,
    key: &'a [u8],
    stream: &'a [u8],
    /// Its protobuf message.
    pub body: &'a [u8],
}

impl<'a> Event<'a> {
    /// Its type.
    pub fn event_type(&self) -> &'a EventType {
        &self.catalog.types[usize::from(self.rank)]
    }

    /// Its key.
    pub fn key(&self) -> EventKey<'a> {
        EventKey::from_bytes(self.key).expect("the transform writes keys only by `put_*_key`")
    }

    /// The key as ordered bytes.
    pub fn key_bytes(&self) -> &'a [u8] {
        self.key
    }

    /// The name of the stream whose history it belongs to.
    pub fn stream(&self) -> &'a str {
        std::str::from_utf8(self.stream).expect("the transform writes stream names from text only")
    }

    /// Its id: UUIDv5 of project, type and key. Costs a SHA-1.
    pub fn id(&self) -> Uuid {
        self.catalog.event_id(self.rank, &self.key())
    }
}
