//! `etl reset`: modules' databases are dropped, or the previous tables in them.

use std::io::Write;
use std::path::Path;

use anyhow::anyhow;
use etl_load::postgres::reset;

use super::databases::Databases;
use crate::arguments::ResetArguments;
use crate::failure::Outcome;
use crate::output::stdout;

pub(super) fn run(project: &Path, arguments: &ResetArguments) -> anyhow::Result<Outcome> {
    let databases = Databases::open(project, &arguments.to, &arguments.module)?;
    let mut out = stdout();
    let mut failures = Vec::new();
    for (module, database) in &databases.modules {
        match reset(&databases.server, database, arguments.previous) {
            Ok(()) if arguments.previous => writeln!(out, "{module}: the previous tables of `{database}` are dropped")?,
            Ok(()) => writeln!(out, "{module}: database `{database}` is dropped")?,
            Err(error) => failures.push(format!("{module}: {error}")),
        }
    }
    out.flush()?;
    match failures.is_empty() {
        true => Ok(Outcome::Done),
        false => Err(anyhow!(failures.join("\n"))),
    }
}
