//! `etl reset`: modules' databases are dropped, or the previous tables in them.

use std::io::Write;
use std::path::Path;

use anyhow::anyhow;
use etl_load::postgres::reset;

use super::databases::databases;
use crate::arguments::ResetArguments;
use crate::failure::Outcome;
use crate::output::stdout;

pub(super) fn run(project: &Path, arguments: &ResetArguments) -> anyhow::Result<Outcome> {
    let mut out = stdout();
    let mut failures = Vec::new();
    for place in databases(project, &arguments.to, &arguments.module)? {
        let (module, database) = (&place.module, &place.database);
        match reset(&place.target, database, arguments.previous) {
            Ok(()) if arguments.previous => writeln!(out, "{module}: the previous tables of `{database}` are dropped")?,
            Ok(()) => writeln!(out, "{module}: database `{database}` is dropped")?,
            Err(error) => failures.push(format!("{place}: {error}")),
        }
    }
    out.flush()?;
    match failures.is_empty() {
        true => Ok(Outcome::Done),
        false => Err(anyhow!(failures.join("\n"))),
    }
}
