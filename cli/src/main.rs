//! `etl`: carries a legacy SQL Server database over into modules joined by events.
//!
//! The command line only reads arguments, wires the libraries together and reports. Results go to stdout, everything
//! else to stderr. Exit codes: 0 done, 1 done but with rejected rows or found damage, 2 failed, 130 interrupted.

mod arguments;
mod commands;
mod failure;
mod interrupt;
mod output;
mod progress;
mod sizes;

use std::process::ExitCode;

use clap::Parser;

use arguments::Arguments;
use failure::Outcome;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    output::log_to_stderr(arguments.verbose);
    let goes_on = arguments.command.goes_on();
    let outcome = interrupt::listen().and_then(|()| commands::run(arguments));
    let outcome = outcome.unwrap_or_else(|error| failure::report(&error, goes_on));
    match outcome {
        Outcome::Done => ExitCode::SUCCESS,
        Outcome::Rejects => ExitCode::from(1),
        Outcome::Failed => ExitCode::from(2),
        Outcome::Interrupted => ExitCode::from(130),
    }
}
