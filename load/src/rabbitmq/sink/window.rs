//! What is on the way: messages in order, from the oldest one that isn't confirmed.

use std::collections::VecDeque;
use std::sync::Arc;

use etl_schemas::event::EventBatch;
use futures_util::FutureExt;
use lapin::Confirmation;
use lapin::message::BasicReturnMessage;
use lapin::types::AMQPValue;

use super::super::checkpoint::Rejected;
use super::super::connection::Link;
use super::channels::Confirming;
use crate::LoadError;

/// Bytes of bodies on the way, beyond which nothing more is sent: each is kept until it is confirmed.
const BYTES_MAX: usize = 64 << 20;

/// How far an event has got.
pub(super) enum Way {
    Unsent,
    Sent(Confirming),
    Confirmed,
    Rejected(Rejected),
}

struct Entry {
    batch: Arc<EventBatch>,
    index: usize,
    way: Way,
    /// Of its body, while it is on the way.
    bytes: usize,
}

/// A message that no queue took.
#[derive(Clone, Debug)]
pub(super) struct Returned {
    pub(super) position: u64,
    pub(super) text: String,
}

/// An event that is settled: where it lies, and the rejection if it is one.
pub(super) type Settled = (Arc<EventBatch>, usize, Option<Rejected>);

pub(super) struct Window {
    entries: VecDeque<Entry>,
    /// The first of them that is not sent.
    unsent: usize,
    size: usize,
    /// Of all entries.
    bytes: usize,
    returned: Option<Returned>,
}

impl Window {
    pub(super) fn new(size: usize) -> Window {
        Window { entries: VecDeque::new(), unsent: 0, size: size.max(1), bytes: 0, returned: None }
    }

    /// Full by number or by bytes; an empty one takes a message of any size.
    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= self.size || self.bytes >= BYTES_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn push(&mut self, batch: Arc<EventBatch>, index: usize) {
        self.entries.push_back(Entry { batch, index, way: Way::Unsent, bytes: 0 });
    }

    /// The next event to be sent.
    pub(super) fn next_unsent(&mut self) -> Option<(Arc<EventBatch>, usize)> {
        while self.entries.get(self.unsent).is_some_and(|entry| !matches!(entry.way, Way::Unsent)) {
            self.unsent += 1;
        }
        self.entries.get(self.unsent).map(|entry| (entry.batch.clone(), entry.index))
    }

    /// What became of the next event to be sent, and how many bytes of it are on the way.
    pub(super) fn sent(&mut self, way: Way, bytes: usize) {
        let entry = &mut self.entries[self.unsent];
        self.bytes = self.bytes - entry.bytes + bytes;
        (entry.way, entry.bytes) = (way, bytes);
        self.unsent += 1;
    }

    /// Waits until the oldest is settled. An error says why it isn't; it then counts as not sent.
    pub(super) fn wait_for_oldest(&mut self, link: &Link) -> Result<(), LoadError> {
        let Some(Entry { way: Way::Sent(confirm), .. }) = self.entries.front_mut() else { return Ok(()) };
        // What the client says of the connection is judged with the confirmation.
        let answer = link.run("waiting for confirmations", async { Ok(confirm.await) })?;
        self.judge_oldest(answer, link)
    }

    fn judge_oldest(&mut self, answer: Result<Confirmation, lapin::Error>, link: &Link) -> Result<(), LoadError> {
        let Some(oldest) = self.entries.front_mut() else { return Ok(()) };
        oldest.way = Way::Unsent;
        let confirmation = answer.map_err(|error| link.broken("waiting for confirmations", &error))?;
        let is_ack = confirmation.is_ack();
        if let Some(message) = confirmation.take_message() {
            self.returned = Some(returned(&message));
            return Err(link.refused("a message came back"));
        }
        if is_ack {
            oldest.way = Way::Confirmed;
            return Ok(());
        }
        let event = oldest.batch.event(oldest.index);
        Err(link.refused(&format!("the broker refused event {} ({})", event.id(), event.event_type().name)))
    }

    /// Takes the oldest out if it is settled.
    pub(super) fn pop_settled(&mut self, link: &Link) -> Result<Option<Settled>, LoadError> {
        if let Some(Entry { way: Way::Sent(confirm), .. }) = self.entries.front_mut()
            && let Some(answer) = confirm.now_or_never()
        {
            self.judge_oldest(answer, link)?;
        }
        let is_settled = |entry: &mut Entry| matches!(entry.way, Way::Confirmed | Way::Rejected(_));
        let Some(Entry { batch, index, way, bytes }) = self.entries.pop_front_if(is_settled) else { return Ok(None) };
        self.bytes -= bytes;
        self.unsent = self.unsent.saturating_sub(1);
        let rejected = if let Way::Rejected(rejected) = way { Some(rejected) } else { None };
        Ok(Some((batch, index, rejected)))
    }

    /// After the connection broke: everything on the way has to be sent again, also what the broker may have confirmed
    /// behind the first that it hasn't, so that each message tells its predecessors again in order. How many they are.
    pub(super) fn rewind(&mut self) -> u64 {
        let mut again = 0;
        self.bytes = 0;
        for entry in &mut self.entries {
            entry.bytes = 0;
            if matches!(entry.way, Way::Sent(_) | Way::Confirmed) {
                entry.way = Way::Unsent;
                again += 1;
            }
        }
        self.unsent = 0;
        again
    }

    /// The message that came back, if any did.
    pub(super) fn returned(&self) -> Option<Returned> {
        self.returned.clone()
    }
}

fn returned(message: &BasicReturnMessage) -> Returned {
    let properties = &message.delivery.properties;
    let headers = properties.headers().as_ref();
    let position = match headers.and_then(|headers| headers.inner().get("etl-position")) {
        Some(AMQPValue::LongLongInt(position)) => position.unsigned_abs(),
        _ => 0,
    };
    let id = properties.message_id().as_ref().map_or("?", |id| id.as_str());
    let (key, reply) = (&message.delivery.routing_key, &message.reply_text);
    Returned { position, text: format!("no queue takes event {id}, sent with key `{key}` ({reply})") }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use etl_schemas::event::{EventCatalog, EventHeader, put_integer_key};
    use etl_schemas::ticks::Ticks;
    use uuid::Uuid;

    use super::*;

    fn batch() -> Arc<EventBatch> {
        let proto = "syntax = \"proto3\"; message A { }";
        let catalog = EventCatalog::parse(Path::new("events.proto"), proto, Uuid::NAMESPACE_URL).unwrap();
        let mut arena = Vec::new();
        put_integer_key(&mut arena, 1);
        let key_len = arena.len() as u16;
        let (occurred_at, rank) = (Ticks::default(), catalog.types[0].rank);
        let header = EventHeader { occurred_at, rank, arena: 0, key_len, stream_len: 0, body_len: 0, offset: 0 };
        Arc::new(EventBatch::new(Arc::new(catalog), 1, vec![header], vec![Arc::new(arena)]))
    }

    #[test]
    fn a_window_is_full_by_number_or_by_bytes_and_takes_one_message_of_any_size() {
        let batch = batch();
        let send = |window: &mut Window, bytes: usize| {
            window.push(batch.clone(), 0);
            assert!(window.next_unsent().is_some());
            window.sent(Way::Sent(Box::pin(std::future::pending())), bytes);
        };
        let mut window = Window::new(3);
        for _ in 0..3 {
            assert!(!window.is_full());
            send(&mut window, 10);
        }
        assert!(window.is_full(), "by number");

        let mut window = Window::new(1_000);
        send(&mut window, BYTES_MAX - 1);
        assert!(!window.is_full());
        send(&mut window, 1);
        assert!(window.is_full(), "by bytes");
        // What is sent again counts again, and not twice.
        assert_eq!(window.rewind(), 2);
        assert!(!window.is_full());
        for bytes in [1, BYTES_MAX - 1] {
            assert!(!window.is_full());
            window.sent(Way::Sent(Box::pin(std::future::pending())), bytes);
        }
        assert!(window.is_full());

        let mut window = Window::new(1_000);
        send(&mut window, 2 * BYTES_MAX);
        assert!(window.is_full());
    }
}
