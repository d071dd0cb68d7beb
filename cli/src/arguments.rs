//! The command line, as clap reads it. Raw arguments end here; commands get checked values.

mod broker;
mod events;
mod load;
mod modules;
mod source;
mod value;

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};

pub(crate) use broker::*;
pub(crate) use events::*;
pub(crate) use load::*;
pub(crate) use modules::*;
pub(crate) use source::*;
use value::parse_scale;

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
                          (extract, seed and consume go on when run again)";

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

impl Command {
    /// Whether the command goes on where it was interrupted, when it is run again; others begin anew.
    pub(crate) fn goes_on(&self) -> bool {
        matches!(self, Command::Extract(_) | Command::Seed(_) | Command::Consume(_))
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    /// Every example of every help: up to the pipe or the redirection, and without its comment.
    fn examples(command: &clap::Command) -> Vec<String> {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let lines = help.lines().filter(|line| line.starts_with("  etl ")).map(|line| {
            let end = [" | ", " > ", " #"].into_iter().filter_map(|end| line.find(end)).min().unwrap_or(line.len());
            line[..end].trim().to_string()
        });
        lines.chain(command.get_subcommands().flat_map(examples)).collect()
    }

    #[test]
    fn every_example_of_the_help_is_a_command_line() {
        let examples = examples(&Arguments::command());
        assert!(examples.len() > 30, "{examples:?}");
        for example in examples {
            let parsed = Arguments::try_parse_from(example.split_whitespace());
            assert!(parsed.is_ok(), "{example}\n{}", parsed.unwrap_err());
        }
    }
}
