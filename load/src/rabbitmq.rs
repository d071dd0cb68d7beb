//! Events into RabbitMQ, and from its queues into the modules' databases.
//!
//! One topic exchange takes all events; each module has a queue that is bound to the types it takes ([`topology`]).
//! [`RabbitSink`] publishes: in order within each stream, confirmed, and from a checkpoint on after a crash. [`consume`]
//! takes a module's queue and feeds the same sink as a direct seed, in the order of all events.
//!
//! Why nothing is lost, doubled or put out of order: every message says for each module that takes it which position the
//! module's event before it has. So a consumer knows by itself what comes next. It takes an event only when its
//! predecessor has taken effect, drops what has taken effect already, and acknowledges when Postgres has committed. What
//! the publisher or the broker repeat or swap can't show; what they lose stops the consumer, and it says where.

mod checkpoint;
mod connection;
mod consumer;
mod declare;
mod encryption;
mod envelope;
mod failure;
mod routes;
mod sink;
mod target;
pub mod topology;
mod transport;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

pub use consumer::{ConsumeOptions, OpenSink, consume};
pub use declare::{Declared, State, apply, inspect};
pub use routes::Routes;
pub use sink::RabbitSink;
pub use target::RabbitTarget;

/// Whether messages carry an event as protobuf or as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The event's protobuf message.
    Protobuf,
    /// The same by protobuf's JSON mapping, as `etl events` prints it.
    Json,
}

/// What to do when something was published from this project to this exchange before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfPublished {
    /// Refuse.
    Fail,
    /// Go on behind the checkpoint; refuse when it was published from something else.
    Resume,
    /// Publish everything anew. Consumers that have it drop it.
    Replace,
}

/// How events are published.
#[derive(Clone, Debug)]
pub struct PublishOptions {
    /// What a message carries.
    pub format: Format,
    /// Messages behind the checkpoint on disk, at most: so many are sent again after a crash. Half of them are on the way.
    pub window: usize,
    /// Channels; each stream keeps to one of them.
    pub channels: usize,
    /// Events a second, at most.
    pub rate: Option<u64>,
    /// Bytes of a message's body past which it is rejected; the broker refuses more than its `max_message_size`.
    pub body_bytes_max: usize,
    /// What to do when something was published before.
    pub if_published: IfPublished,
    /// How long a fault that may pass is waited out, from the last confirmed message.
    pub retry_time_max: Duration,
    /// Where the checkpoint is kept.
    pub folder: PathBuf,
    /// Ends waiting when it is raised.
    pub stop: &'static AtomicBool,
    /// Rejected events past which publishing stops; `None` for no limit.
    pub rejects_max: Option<u64>,
}
