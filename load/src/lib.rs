//! Where ordered events go: a Postgres database per module, queues of RabbitMQ, JSON lines, or nowhere at all (for
//! measuring); and from the queues into the databases.
//!
//! In: batches of events in their total order, made by the transform, and what a project says of its modules. Out: rows
//! and a checkpoint that commit together, and a report of what was taken, passed over and rejected. [`sink`] states what
//! every sink guarantees; [`drive`] feeds several sinks from one stream, each at its own pace.

pub mod drive;
mod enum_names;
mod error;
mod fields;
pub mod jsonl;
pub mod module;
pub mod null;
mod patience;
pub mod postgres;
pub mod rabbitmq;
pub mod sink;
pub mod story;
mod tls;
mod url;
pub mod usecase;

pub use error::LoadError;
