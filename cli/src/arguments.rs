//! The command line, as clap reads it. Raw arguments end here; commands get checked values.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use etl_schemas::project::{Consistency, SourceClient};
use etl_schemas::ticks::Ticks;
use etl_transform::expression::{parse_instant, parse_timestamp};

use crate::sizes::parse_bytes;

/// Carries a legacy SQL Server database over into modules joined by events.
///
/// `etl extract` reads the live database once, gently, into a dump of plain files. `etl seed` turns the dump's rows into
/// ordered domain events and loads them into a Postgres database for each module. Both go on where they stopped when
/// they are run again.
#[derive(Debug, Parser)]
#[command(name = "etl", version, max_term_width = 110, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    /// The project's folder, the one with etl.toml
    #[arg(long, short = 'C', global = true, value_name = "DIR", default_value = ".")]
    pub(crate) project: PathBuf,
    /// Log more: -v for steps, -vv for details
    #[arg(long, short, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 done but with rejected rows or found damage, 2 failed, 130 interrupted \
                          (run it again to go on)";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Inspect(InspectArguments),
    Extract(ExtractArguments),
    #[command(subcommand)]
    Dump(DumpCommand),
    Check(CheckArguments),
    Events(EventsArguments),
    Seed(SeedArguments),
    Topology(TopologyArguments),
    Consume(ConsumeArguments),
    Rollback(RollbackArguments),
    Reset(ResetArguments),
    Test(TestArguments),
    Story(StoryArguments),
    Summary(SummaryArguments),
    Graph(GraphArguments),
    Quarantine(QuarantineArguments),
    Demo(DemoArguments),
}

/// List the source's tables: rows, bytes, key, how each would be read, what can't be carried
///
/// Only the catalog is read.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  etl inspect\n  etl inspect --json | jq '.tables[] | select(.unsupported != [])'")]
pub(crate) struct InspectArguments {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// The TDS client: auto, tiberius or mssql-tds [default: `client` of the project's source, else auto]
    #[arg(long, value_name = "NAME")]
    pub(crate) client: Option<SourceClient>,
}

/// Read the source's tables into a dump; goes on where it stopped when run again
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  etl extract --plan                                    # how it would be read\n  \
                        etl extract --out dumps/fi\n  \
                        etl extract --out dumps/fi --jobs 2 --max-rows-per-second 20000 --longest-query 0.5\n  \
                        etl extract --out dumps/fi --json | jq .tables")]
pub(crate) struct ExtractArguments {
    /// Where the dump is written; a new folder, or an unfinished dump to go on with
    #[arg(long, value_name = "DIR", required_unless_present = "plan")]
    pub(crate) out: Option<PathBuf>,
    /// Show how the selected tables would be read, and in which key ranges; read no rows
    #[arg(long)]
    pub(crate) plan: bool,
    /// Connections that read at the same time [default: `jobs` of the project's source, else 4]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) jobs: Option<u16>,
    /// The TDS client: auto, tiberius or mssql-tds [default: `client` of the project's source, else auto]
    #[arg(long, value_name = "NAME")]
    pub(crate) client: Option<SourceClient>,
    #[command(flatten)]
    pub(crate) gentleness: GentlenessArguments,
    /// How much of a single moment the dump shows: read-committed, snapshot, table-snapshot, database-snapshot or nolock
    /// [default: `consistency` of the project's source, else read-committed]
    #[arg(long, value_name = "HOW", value_parser = <Consistency as std::str::FromStr>::from_str)]
    pub(crate) consistency: Option<Consistency>,
    /// Rows of a part, about; larger tables are cut into ranges of their key
    #[arg(long, value_name = "N", default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) part_rows: u64,
    /// Bytes of a part in the source, about
    #[arg(long, value_name = "SIZE", default_value = "256MB", value_parser = parse_some_bytes)]
    pub(crate) part_bytes: usize,
    /// Compression level, 1 (fast) to 9 (small)
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=9))]
    pub(crate) level: u8,
    /// Throw away what an unfinished dump holds and begin anew
    #[arg(long)]
    pub(crate) restart: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How the source is treated.
#[derive(Debug, Args)]
pub(crate) struct GentlenessArguments {
    /// Seconds that a query should last at most; also how long one waits for a lock
    /// [default: `longest_query` of the project's source, else 2]
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub(crate) longest_query: Option<Duration>,
    /// Rows a second over all connections [default: `max_rows_per_second` of the project's source, else no limit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_rows_per_second: Option<u64>,
    /// Bytes of rows a second over all connections [default: `max_bytes_per_second` of the project's source, else no limit]
    #[arg(long, value_name = "SIZE", value_parser = parse_some_bytes)]
    pub(crate) max_bytes_per_second: Option<usize>,
}

/// Look into a dump
#[derive(Debug, Subcommand)]
pub(crate) enum DumpCommand {
    /// List the tables: rows, sizes, parts
    Ls {
        #[command(flatten)]
        dump: DumpFolder,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Check every checksum, block, row and count
    Verify {
        #[command(flatten)]
        dump: DumpFolder,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print a table's rows as JSON lines
    #[command(after_help = "Example:\n  etl dump cat dumps/fi dbo.Messages --limit 10")]
    Cat {
        #[command(flatten)]
        dump: DumpFolder,
        /// The table, as `etl dump ls` names it
        table: String,
        /// Stop after so many rows
        #[arg(long, value_name = "N")]
        limit: Option<u64>,
    },
    /// Print the protobuf schema, of one table or of all
    Schema {
        #[command(flatten)]
        dump: DumpFolder,
        /// The table, as `etl dump ls` names it
        table: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DumpFolder {
    /// The dump's folder
    #[arg(value_name = "DUMP")]
    pub(crate) folder: PathBuf,
}

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
    /// Stop when more rows than this had to be put into quarantine [default: no limit]
    #[arg(long, value_name = "N")]
    pub(crate) max_rejects: Option<u64>,
    /// Where rejected rows and temporary files are kept [default: .etl in the project's folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) work: Option<PathBuf>,
}

/// Compile mappings and modules against a dump's schema and events.proto, without running anything
#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// The dump whose tables the mappings read
    #[arg(long, value_name = "DUMP")]
    pub(crate) from: PathBuf,
    /// Show how each mapping's rows will be brought into order
    #[arg(long)]
    pub(crate) plan: bool,
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

/// What to do with module databases that exist already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum IfExists {
    /// Go on where an earlier run of the same dump and project stopped
    Resume,
    /// Stop before anything is changed
    Fail,
    /// Load anew beside the live tables and exchange them at the end, unseen by readers; what was live is kept for
    /// `etl rollback`
    Replace,
}

/// What a commit waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Durability {
    /// As the server is set up; usually until it is on disk
    Server,
    /// Nothing (synchronous_commit = off): faster on slow disks; what a crash of the server takes is loaded again
    Relaxed,
}

/// Load the events into the modules' databases, or write them elsewhere; goes on where it stopped when run again
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  etl seed --from dumps/fi --to staging\n  \
                        etl seed --from dumps/fi --to postgres://etl@127.0.0.1:5432 --module chat\n  \
                        etl seed --from dumps/fi --to amqp://etl@127.0.0.1/live --rate 5000\n  \
                        etl seed --from dumps/fi --to jsonl:- | head\n  \
                        etl seed --from dumps/fi --to null:         # how fast is everything before the target?")]
pub(crate) struct SeedArguments {
    #[command(flatten)]
    pub(crate) transform: TransformArguments,
    /// A target of etl.toml by name, postgres://user@host:port, amqp://user@host:port/virtual-host, jsonl:FILE, jsonl:-
    /// or null:
    #[arg(long, value_name = "TARGET")]
    pub(crate) to: String,
    /// Load only this module; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) module: Vec<String>,
    /// What to do with module databases that exist already
    #[arg(long, value_enum, default_value_t = IfExists::Resume)]
    pub(crate) if_exists: IfExists,
    /// What a commit waits for; the last one of a module waits for the disk in any case
    #[arg(long, value_enum, default_value_t = Durability::Server)]
    pub(crate) durability: Durability,
    /// How many seconds a fault that may pass is waited out, from the last commit: a server that restarts, a broken
    /// connection, a full disk, a lock
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub(crate) retry_for: u64,
    #[command(flatten)]
    pub(crate) publish: PublishArguments,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How events become messages; for targets of RabbitMQ alone.
#[derive(Debug, Args)]
#[command(next_help_heading = "RabbitMQ")]
pub(crate) struct PublishArguments {
    /// What a message carries; `etl consume` reads protobuf
    #[arg(long, value_enum, default_value_t = BodyFormat::Protobuf)]
    pub(crate) format: BodyFormat,
    /// Messages that may be sent behind the checkpoint, and again after a crash; half of them are on the way
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
/// Ends when the stream ends. Several consumers of a module may run: one is active, the others stand by.
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
    /// Messages handed out before they are acknowledged; more than the publisher's --window
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

/// Make the tables live again that were live before the last `etl seed --if-exists replace`
///
/// Readers see the change at one moment, and no query fails. What was live is kept, so a second rollback undoes the first.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  etl rollback --to staging\n  etl rollback --to staging --module chat")]
pub(crate) struct RollbackArguments {
    /// A target of etl.toml by name, or postgres://user@host:port
    #[arg(long, value_name = "TARGET")]
    pub(crate) to: String,
    /// Only this module; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) module: Vec<String>,
    /// How many seconds readers that are in the middle of the tables are waited for
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) retry_for: u64,
    /// Print what is live now as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Drop modules' databases, or only the tables that were live before
///
/// Only databases that etl has loaded are dropped, and only while nobody is connected to them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  etl reset --to staging --module chat\n  \
                        etl reset --to staging --module chat --previous    # frees the disk space of the previous tables")]
pub(crate) struct ResetArguments {
    /// A target of etl.toml by name, or postgres://user@host:port
    #[arg(long, value_name = "TARGET")]
    pub(crate) to: String,
    /// The module; may be given several times
    #[arg(long, value_name = "NAME", required = true)]
    pub(crate) module: Vec<String>,
    /// Drop only the tables that were live before the last replace; `etl rollback` can't go back to them then
    #[arg(long)]
    pub(crate) previous: bool,
}

/// Run the modules' use cases, each in a temporary database
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  etl test\n  etl test --module chat blocks\n  \
                        etl test --on postgres://etl@127.0.0.1:5432")]
pub(crate) struct TestArguments {
    /// Run only the use cases whose name holds this; a name is MODULE/FILE
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Run only this module's; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) module: Vec<String>,
    /// A server to make the databases on: a target of etl.toml by name, or postgres://user@host:port [default: a
    /// private one, if Postgres is installed on this machine]
    #[arg(long, value_name = "TARGET")]
    pub(crate) on: Option<String>,
}

/// Tell what the modules do: their use cases as text (Markdown), given, when, then
///
/// Read from the project's files; no server is needed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  etl story > story.md\n  etl story --module chat\n  \
                        etl story --json | jq -r '.[].use_cases[].title'")]
pub(crate) struct StoryArguments {
    /// Tell only this module; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) module: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// List which module takes which events, by which handler, into which tables, and how much of it use cases cover
///
/// A use case covers a handler if it gives an event of its type and looks at a table that the handler writes, or at a
/// view of one. Read from the project's files; no server is needed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  etl summary\n  etl summary | grep MessageSent     # who takes it?\n  \
                        etl summary --json | jq '.events[] | select(.covered | not) | .name'")]
pub(crate) struct SummaryArguments {
    /// List only this module; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) module: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// The language of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphLanguage {
    /// For Graphviz
    Dot,
    /// For Markdown of forges
    Mermaid,
}

/// Draw legacy tables, events, modules and their tables as a graph; what no use case covers is red
///
/// Read from the project's files; no server is needed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  etl graph | dot -Tsvg > graph.svg\n  etl graph --module chat --format mermaid")]
pub(crate) struct GraphArguments {
    /// Draw only this module; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) module: Vec<String>,
    /// The graph's language
    #[arg(long, value_enum, default_value_t = GraphLanguage::Dot)]
    pub(crate) format: GraphLanguage,
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

/// Show all of it on the sample project: a generated legacy database, a SQL Server stand-in, a private Postgres
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  etl demo\n  etl demo --scale 1 --dir /tmp/etl-demo --keep-running")]
pub(crate) struct DemoArguments {
    /// Size of the legacy database: 1 is 1.2 million messages of 50,000 members
    #[arg(long, default_value_t = 0.1, value_parser = parse_scale)]
    pub(crate) scale: f64,
    /// Seed of the generator: the same seed gives the same database, byte for byte
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Where project, legacy database, dump and Postgres cluster are put; what an earlier demo left there is replaced
    #[arg(long, value_name = "DIR", default_value = "target/demo")]
    pub(crate) dir: PathBuf,
    /// Leave the servers up until Ctrl-C, and print their URLs
    #[arg(long)]
    pub(crate) keep_running: bool,
}

fn parse_some_bytes(text: &str) -> Result<usize, String> {
    match parse_bytes(text)? {
        0 => Err("it must be more than nothing".to_string()),
        bytes => Ok(bytes),
    }
}

fn parse_time(text: &str) -> Result<Ticks, String> {
    let found = parse_instant(text).or_else(|| parse_timestamp(text));
    found.ok_or_else(|| "write 2014-03-01, 2014-03-01T12:30:00 (UTC) or 2014-03-01T12:30:00+01:00".to_string())
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.05..=3600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("seconds are a number from 0.05 to 3600".to_string()),
    }
}

fn parse_scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if (0.01..=100.0).contains(&scale) => Ok(scale),
        _ => Err("a scale is a number from 0.01 to 100".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use etl_schemas::ticks::PER_SECOND;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
        assert!(parse_scale("0.001").is_err());
        assert!(parse_scale("NaN").is_err());
        let noon = parse_time("2014-03-01T12:00:00").unwrap();
        assert_eq!(parse_time("2014-03-01T13:00:00+01:00"), Ok(noon));
        assert_eq!(parse_time("2014-03-01").map(|midnight| (noon.0 - midnight.0) / PER_SECOND), Ok(12 * 3600));
        assert!(parse_time("yesterday").is_err());
        assert_eq!(parse_seconds("0.5"), Ok(Duration::from_millis(500)));
        assert!(parse_seconds("0").is_err() && parse_seconds("inf").is_err());
    }
}
