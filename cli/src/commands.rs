//! One file per command: checked arguments in, results on stdout, an [`Outcome`] or an error out.

mod check;
mod consume;
mod databases;
mod demo;
mod dump;
mod events;
mod extract;
mod graph;
mod inspect;
mod opened;
mod outline;
mod pipeline;
mod quarantine;
mod reset;
mod rollback;
mod seed;
mod server;
mod servers;
mod story;
mod summary;
mod target;
mod test;
mod topology;
mod work_folder;

use crate::arguments::{Arguments, Command};
use crate::failure::Outcome;

/// Runs the command that the user asked for.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    let project = arguments.project;
    match arguments.command {
        Command::Inspect(arguments) => inspect::run(&project, &arguments),
        Command::Extract(arguments) => extract::run(&project, &arguments),
        Command::Dump(command) => dump::run(&command),
        Command::Check(arguments) => check::run(&project, &arguments),
        Command::Events(arguments) => events::run(&project, &arguments),
        Command::Seed(arguments) => seed::run(&project, &arguments),
        Command::Topology(arguments) => topology::run(&project, &arguments),
        Command::Consume(arguments) => consume::run(&project, &arguments),
        Command::Rollback(arguments) => rollback::run(&project, &arguments),
        Command::Reset(arguments) => reset::run(&project, &arguments),
        Command::Test(arguments) => test::run(&project, &arguments),
        Command::Story(arguments) => story::run(&project, &arguments),
        Command::Summary(arguments) => summary::run(&project, &arguments),
        Command::Graph(arguments) => graph::run(&project, &arguments),
        Command::Quarantine(arguments) => quarantine::run(&project, &arguments),
        Command::Demo(arguments) => demo::run(&arguments),
    }
}
