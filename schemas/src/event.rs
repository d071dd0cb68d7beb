//! Events: what `events.proto` declares, and batches of them on their way from the transform to the sinks.
//!
//! A batch holds its events in the total order `(occurred_at, rank of the type, key)`. Payloads lie in shared arenas and
//! are never copied on the way: a batch is a vector of 32-byte headers that point into them.

mod batch;
mod builder;
mod catalog;
mod key;

pub use batch::{Event, EventBatch, EventHeader};
pub use builder::BatchBuilder;
pub use catalog::{CatalogError, ENGINE_FIELDS, EventCatalog, EventField, EventFieldKind, EventType};
pub use key::{EventKey, put_integer_key, put_text_key, put_uuid_key};
