//! To RabbitMQ and from there.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::value::{parse_seconds, parse_some_bytes};

/// How events become messages; for targets of RabbitMQ alone.
#[derive(Debug, Args)]
#[command(next_help_heading = "RabbitMQ")]
pub(crate) struct PublishArguments {
    /// What a message carries; `etl consume` reads protobuf
    #[arg(long, value_enum, default_value_t = BodyFormat::Protobuf)]
    pub(crate) format: BodyFormat,
    /// Messages that may be sent behind the checkpoint, and again after a crash; half of them are on the way, and at most
    /// 64 MB and one body
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=30_000))]
    pub(crate) window: u32,
    /// Channels; each stream keeps to one of them
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) channels: u16,
    /// Events a second, at most [default: no limit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rate: Option<u64>,
    /// Larger bodies are rejected; brokers take 128 MB unless they are told otherwise
    #[arg(long, value_name = "SIZE", default_value = "128MB", value_parser = parse_some_bytes)]
    pub(crate) max_message: usize,
}

impl Default for PublishArguments {
    fn default() -> PublishArguments {
        PublishArguments {
            format: BodyFormat::Protobuf,
            window: 2_000,
            channels: 4,
            rate: None,
            max_message: 128 << 20,
        }
    }
}

/// What a message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BodyFormat {
    /// The event's protobuf message
    Protobuf,
    /// The same by protobuf's JSON mapping
    Json,
}

/// Show what the modules need on a RabbitMQ broker: what is there, missing or different; declare it with --apply
///
/// One topic exchange; a queue for each module, bound to the events it takes; and a queue of dead letters. Nothing that is
/// there is ever changed or deleted.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  etl topology --to broker\n  \
                        etl topology --to amqp://etl@127.0.0.1:5672/live --apply\n  \
                        etl topology --to broker --dot | dot -Tsvg > topology.svg")]
pub(crate) struct TopologyArguments {
    /// A target of etl.toml by name, or amqp://user@host:port/virtual-host
    #[arg(long, value_name = "TARGET")]
    pub(crate) to: String,
    /// Declare what is missing, and bind
    #[arg(long, conflicts_with = "dot")]
    pub(crate) apply: bool,
    /// Print exchange, queues and bindings for Graphviz, without asking the broker
    #[arg(long, conflicts_with = "json")]
    pub(crate) dot: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Load a module's database from its queue, as `etl seed` would from the dump; goes on where it stopped when run again
///
/// Ends when the stream ends. Several consumers of a module may run: one is active, the others stand by (not where its queue
/// is a stream: run one).
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  etl consume --module chat --from broker --to staging\n  \
                        etl consume --module chat --from broker --to staging --until-idle 30 --json")]
pub(crate) struct ConsumeArguments {
    /// The module
    #[arg(long, value_name = "NAME")]
    pub(crate) module: String,
    /// Where its queue is: a target of etl.toml by name, or amqp://user@host:port/virtual-host
    #[arg(long, value_name = "TARGET")]
    pub(crate) from: String,
    /// Where its database is: a target of etl.toml by name, or postgres://user@host:port
    #[arg(long, value_name = "TARGET")]
    pub(crate) to: String,
    /// Messages handed out before they are acknowledged; more than the publisher's --window. The memory that takes is up
    /// to this number × body size
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) prefetch: u16,
    /// End when nothing has come for so many seconds [default: wait for the end of the stream]
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub(crate) until_idle: Option<Duration>,
    /// Stop when more events than this had to be rejected [default: no limit]
    #[arg(long, value_name = "N")]
    pub(crate) max_rejects: Option<u64>,
    /// How many seconds a fault of broker or server is waited out, from the last commit
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub(crate) retry_for: u64,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
