//! Batches made by hand: events that a program of its own writes, for the same sinks.

use std::sync::Arc;

use super::{EventBatch, EventCatalog, EventHeader, EventKey, put_integer_key, put_text_key, put_uuid_key};
use crate::ticks::Ticks;

/// Gathers events into a batch. They come in total order: by time, then by rank, then by key.
#[derive(Debug)]
pub struct BatchBuilder {
    catalog: Arc<EventCatalog>,
    first_position: u64,
    headers: Vec<EventHeader>,
    arena: Vec<u8>,
}

impl BatchBuilder {
    /// Begins a batch whose first event has this position, counted from 1.
    pub fn new(catalog: Arc<EventCatalog>, first_position: u64) -> BatchBuilder {
        BatchBuilder { catalog, first_position, headers: Vec::new(), arena: Vec::new() }
    }

    /// Adds an event: its type's name, and the protobuf message. `Err` says in a sentence why it can't be one: an unknown
    /// type, a key or stream past 65,535 bytes, more than 4 GiB in the batch, or a place before its predecessor.
    pub fn push(
        &mut self,
        event_type: &str,
        occurred_at: Ticks,
        key: &EventKey<'_>,
        stream: &str,
        body: &[u8],
    ) -> Result<(), String> {
        let known =
            self.catalog.event_type(event_type).ok_or_else(|| format!("there is no event type {event_type}"))?;
        let (rank, start) = (known.rank, self.arena.len());
        match key {
            EventKey::Integer(value) => put_integer_key(&mut self.arena, *value),
            EventKey::Text(text) => put_text_key(&mut self.arena, text),
            EventKey::Uuid(uuid) => put_uuid_key(&mut self.arena, uuid.as_bytes()),
        }
        let header = self.header(rank, occurred_at, start, stream, body);
        match header {
            Ok(header) => {
                self.arena.extend_from_slice(stream.as_bytes());
                self.arena.extend_from_slice(body);
                self.headers.push(header);
            }
            Err(_) => self.arena.truncate(start),
        }
        header.map(|_| ())
    }

    fn header(
        &self,
        rank: u16,
        occurred_at: Ticks,
        start: usize,
        stream: &str,
        body: &[u8],
    ) -> Result<EventHeader, String> {
        let key = &self.arena[start..];
        let too_long = |what: &str| format!("the {what} is too long");
        let header = EventHeader {
            occurred_at,
            rank,
            arena: 0,
            key_len: u16::try_from(key.len()).map_err(|_| too_long("key"))?,
            stream_len: u16::try_from(stream.len()).map_err(|_| too_long("stream"))?,
            body_len: u32::try_from(body.len()).map_err(|_| too_long("body"))?,
            offset: u32::try_from(start).map_err(|_| too_long("batch"))?,
        };
        if let Some(last) = self.headers.last() {
            let last_key = &self.arena[last.offset as usize..][..usize::from(last.key_len)];
            if (last.occurred_at, last.rank, last_key) >= (occurred_at, rank, key) {
                return Err(format!("an event at {occurred_at} can't come behind one at {}", last.occurred_at));
            }
        }
        Ok(header)
    }

    /// Number of events so far.
    pub fn len(&self) -> usize {
        self.headers.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.headers.is_empty()
    }

    /// The batch.
    pub fn build(self) -> EventBatch {
        EventBatch::new(self.catalog, self.first_position, self.headers, vec![Arc::new(self.arena)])
    }
}
