//! The sinks against the real thing: a private Postgres (or the server that `ETL_TEST_POSTGRES` names), RabbitMQ, and
//! prost-reflect's own JSON.

#![allow(clippy::unwrap_used, reason = "clippy allows it in test functions only, and these have shared steps")]

mod connecting;
mod diagnostics;
mod driving;
mod encrypted;
mod exactly_once;
mod faults;
mod handlers;
mod json_lines;
mod key_order;
mod locks;
mod plans;
mod queued;
mod rabbitmq;
mod rejecting;
mod replacing;
mod sample;
mod server;
mod state;
mod stream;
mod trying;
mod types;
