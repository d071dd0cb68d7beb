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

/// Events in total order. Cheap to share between sinks behind an `Arc`.
///
/// A batch covers a run of consecutive positions. Most hold every event of their run; a sparse one holds those alone that
/// its reader takes, and may hold none.
#[derive(Clone, Debug)]
pub struct EventBatch {
    catalog: Arc<EventCatalog>,
    first_position: u64,
    headers: Vec<EventHeader>,
    arenas: Vec<Arc<Vec<u8>>>,
    sparse: Option<Sparse>,
}

/// Which events of its run a sparse batch holds.
#[derive(Clone, Debug)]
struct Sparse {
    positions: Vec<u64>,
    last_position: u64,
    ends_at: Ticks,
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
        EventBatch { catalog, first_position, headers, arenas, sparse: None }
    }

    /// Of a run of positions the events that a reader takes, each with its position; `ends_at` is when the run's last
    /// event happened.
    ///
    /// # Panics
    /// When the positions don't rise within the run, or as [`EventBatch::new`] does.
    pub fn sparse(
        catalog: Arc<EventCatalog>,
        run: std::ops::RangeInclusive<u64>,
        ends_at: Ticks,
        events: Vec<(u64, EventHeader)>,
        arenas: Vec<Arc<Vec<u8>>>,
    ) -> EventBatch {
        let (positions, headers): (Vec<u64>, Vec<EventHeader>) = events.into_iter().unzip();
        assert!(positions.is_sorted_by(|a, b| a < b), "positions rise");
        assert!(positions.first().into_iter().chain(positions.last()).all(|at| run.contains(at)), "within the run");
        let batch = EventBatch::new(catalog, *run.start(), headers, arenas);
        EventBatch { sparse: Some(Sparse { positions, last_position: *run.end(), ends_at }), ..batch }
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

    /// First position that it covers, from 1: of the first event, if it isn't sparse.
    pub fn first_position(&self) -> u64 {
        self.first_position
    }

    /// Last position that it covers: of the last event, if it isn't sparse; one less than the first for an empty batch.
    pub fn last_position(&self) -> u64 {
        match &self.sparse {
            None => self.first_position + self.headers.len() as u64 - 1,
            Some(sparse) => sparse.last_position,
        }
    }

    /// When the last event happened that it covers; `None` for an empty batch that isn't sparse.
    pub fn ends_at(&self) -> Option<Ticks> {
        match &self.sparse {
            None => self.headers.last().map(|header| header.occurred_at),
            Some(sparse) => Some(sparse.ends_at),
        }
    }

    /// Position of the event at `index`.
    #[inline]
    pub fn position(&self, index: usize) -> u64 {
        match &self.sparse {
            None => self.first_position + index as u64,
            Some(sparse) => sparse.positions[index],
        }
    }

    /// How many of its events don't lie behind `position`.
    pub fn count_up_to(&self, position: u64) -> usize {
        match &self.sparse {
            None => ((position + 1).saturating_sub(self.first_position) as usize).min(self.headers.len()),
            Some(sparse) => sparse.positions.partition_point(|at| *at <= position),
        }
    }

    /// Its events behind `position`, which lies in it.
    pub fn behind(&self, position: u64) -> EventBatch {
        let skipped = self.count_up_to(position);
        EventBatch {
            catalog: self.catalog.clone(),
            first_position: (position + 1).max(self.first_position),
            headers: self.headers[skipped..].to_vec(),
            arenas: self.arenas.clone(),
            sparse: self
                .sparse
                .as_ref()
                .map(|sparse| Sparse { positions: sparse.positions[skipped..].to_vec(), ..*sparse }),
        }
    }

    /// What its events take in memory, about: their headers, and their bytes in the arenas.
    pub fn bytes(&self) -> usize {
        let of = |header: &EventHeader| {
            usize::from(header.key_len) + usize::from(header.stream_len) + header.body_len as usize
        };
        self.headers.iter().map(|header| size_of::<EventHeader>() + of(header)).sum()
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
            position: self.position(index),
            occurred_at: header.occurred_at,
            rank: header.rank,
            key,
            stream,
            body: &rest[..header.body_len as usize],
        }
    }

    /// Some of its events, which follow each other, under other positions. Their bytes are shared.
    ///
    /// # Panics
    /// When the batch doesn't have the range.
    #[must_use]
    pub fn part(&self, range: std::ops::Range<usize>, first_position: u64) -> EventBatch {
        let headers = self.headers[range].to_vec();
        let (catalog, arenas) = (Arc::clone(&self.catalog), self.arenas.clone());
        EventBatch { catalog, first_position, headers, arenas, sparse: None }
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
