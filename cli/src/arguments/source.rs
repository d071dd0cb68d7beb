//! Reading the legacy database, and what lies in a dump.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use etl_schemas::project::{Consistency, SourceClient};

use super::value::{parse_seconds, parse_some_bytes};

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
