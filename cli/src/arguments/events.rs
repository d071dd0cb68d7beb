//! From a dump to events, and to the rows that gave none.

use std::path::PathBuf;

use clap::Args;
use etl_schemas::ticks::Ticks;

use super::value::parse_time;
use crate::sizes::parse_bytes;

/// How rows are turned into events.
#[derive(Debug, Args)]
pub(crate) struct TransformArguments {
    /// The dump to read
    #[arg(long, value_name = "DUMP")]
    pub(crate) from: PathBuf,
    /// Threads that decode and map rows; the events and their order are the same for any number [default: all cores]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) threads: Option<u16>,
    /// Memory for ordering and lookups; what doesn't fit is sorted on disk
    #[arg(long, value_name = "SIZE", default_value = "512MB", value_parser = parse_bytes)]
    pub(crate) memory: usize,
    /// Stop when more rows than this had to be put into quarantine, or a module or broker rejects more events
    /// [default: no limit]
    #[arg(long, value_name = "N")]
    pub(crate) max_rejects: Option<u64>,
    /// Where rejected rows, the checkpoint of a RabbitMQ target and temporary files are kept
    /// [default: .etl in the project's folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) work: Option<PathBuf>,
}

/// Compile mappings and modules against a dump's schema and events.proto; with --on, run the modules' SQL as well
///
/// No row is read and no event made, only the tables under derived/ for --plan, if they aren't there yet.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  etl check --from dumps/fi\n  \
                        etl check --from dumps/fi --plan\n  \
                        etl check --from dumps/fi --on postgres://etl@127.0.0.1:5432")]
pub(crate) struct CheckArguments {
    /// The dump whose tables the mappings read
    #[arg(long, value_name = "DUMP")]
    pub(crate) from: PathBuf,
    /// Show how each mapping's rows will be brought into order; makes the derived tables that aren't there yet
    #[arg(long)]
    pub(crate) plan: bool,
    /// Run each module's schema, SQL handlers and indexes on no events, in a temporary database on this server, and tell the
    /// first error of each; functions of `call` are only prepared. A target of etl.toml by name, or postgres://user@host:port
    #[arg(long, value_name = "TARGET")]
    pub(crate) on: Option<String>,
}

/// Print the ordered events as JSON lines, all of them or a selection; or explain what became of one row
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  etl events --from dumps/fi --limit 10 | jq .\n  \
                        etl events --from dumps/fi | sha256sum      # the same for any number of threads\n  \
                        etl events --from dumps/fi --type MessageSent --stream conversation/3-17\n  \
                        etl events --from dumps/fi --seek 2014-03-01 --until 2014-03-02T06:00:00+01:00\n  \
                        etl events --from dumps/fi --explain dbo.Messages 17")]
pub(crate) struct EventsArguments {
    #[command(flatten)]
    pub(crate) transform: TransformArguments,
    /// Print this type only; may be given several times
    #[arg(long = "type", value_name = "EVENT")]
    pub(crate) types: Vec<String>,
    /// Print this stream only, like member/17; may be given several times
    #[arg(long, value_name = "STREAM")]
    pub(crate) stream: Vec<String>,
    /// Print events from this time on: RFC 3339, or without an offset in UTC
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) since: Option<Ticks>,
    /// Print events before this time, and read no further
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) until: Option<Ticks>,
    /// Begin at this time without reading what lies before: quick, but positions aren't known then and are left out
    #[arg(long, value_name = "TIME", value_parser = parse_time, conflicts_with = "since")]
    pub(crate) seek: Option<Ticks>,
    /// Stop after so many events
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// Explain what became of the row with this key: which condition dropped it, or its values and events. KEY is the
    /// key's value, several with commas between, or @part:block:row
    #[arg(long, num_args = 2, value_names = ["TABLE", "KEY"], allow_hyphen_values = true,
          conflicts_with_all = ["types", "stream", "since", "until", "seek", "limit"])]
    pub(crate) explain: Option<Vec<String>>,
    /// Print the explanation as JSON
    #[arg(long, requires = "explain")]
    pub(crate) json: bool,
}

/// Print the rows that the last seed couldn't take, and why, as JSON lines
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  etl quarantine | jq -r .reason | sort | uniq -c\n  \
                        etl quarantine --from dumps/fi | jq .content")]
pub(crate) struct QuarantineArguments {
    /// The dump that was seeded; with it each row's columns are printed as well
    #[arg(long, value_name = "DUMP")]
    pub(crate) from: Option<PathBuf>,
    /// The --work folder of that seed [default: .etl in the project's folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) work: Option<PathBuf>,
}
