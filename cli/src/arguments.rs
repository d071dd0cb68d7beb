//! The command line, as clap reads it. Raw arguments end here; commands get checked values.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

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
    Test(TestArguments),
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
    #[command(flatten)]
    pub(crate) gentleness: GentlenessArguments,
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
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = parse_seconds)]
    pub(crate) longest_query: Duration,
    /// Rows a second over all connections [default: no limit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_rows_per_second: Option<u64>,
    /// Bytes of rows a second over all connections [default: no limit]
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

/// Print the ordered events as JSON lines
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  etl events --from dumps/fi --limit 10 | jq .\n  \
                        etl events --from dumps/fi | sha256sum      # the same for any number of threads")]
pub(crate) struct EventsArguments {
    #[command(flatten)]
    pub(crate) transform: TransformArguments,
    /// Stop after so many events
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
}

/// What to do with module databases that exist already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum IfExists {
    /// Go on where an earlier run of the same dump and project stopped
    Resume,
    /// Stop before anything is changed
    Fail,
    /// Drop them and load anew
    Replace,
}

/// Load the events into the modules' databases, or write them elsewhere; goes on where it stopped when run again
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  etl seed --from dumps/fi --to staging\n  \
                        etl seed --from dumps/fi --to postgres://etl@127.0.0.1:5432 --module chat\n  \
                        etl seed --from dumps/fi --to jsonl:- | head\n  \
                        etl seed --from dumps/fi --to null:         # how fast is everything before the target?")]
pub(crate) struct SeedArguments {
    #[command(flatten)]
    pub(crate) transform: TransformArguments,
    /// A target of etl.toml by name, postgres://user@host:port, jsonl:FILE, jsonl:- or null:
    #[arg(long, value_name = "TARGET")]
    pub(crate) to: String,
    /// Load only this module; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) module: Vec<String>,
    /// What to do with module databases that exist already
    #[arg(long, value_enum, default_value_t = IfExists::Resume)]
    pub(crate) if_exists: IfExists,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
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

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
        assert!(parse_scale("0.001").is_err());
        assert!(parse_scale("NaN").is_err());
        assert_eq!(parse_seconds("0.5"), Ok(Duration::from_millis(500)));
        assert!(parse_seconds("0").is_err() && parse_seconds("inf").is_err());
    }
}
