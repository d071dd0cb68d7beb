//! `etl check`: compiles mappings and modules; runs the modules' SQL where a server is named, and nothing else.

mod trial;

use std::io::Write;
use std::path::Path;

use etl_load::module::Module;
use etl_transform::plan;

use self::trial::Tried;
use super::opened::{all_modules, all_use_cases};
use super::pipeline::Pipeline;
use super::server::Server;
use crate::arguments::CheckArguments;
use crate::failure::Outcome;
use crate::output::{count, stdout, table};

pub(super) fn run(project: &Path, arguments: &CheckArguments) -> anyhow::Result<Outcome> {
    let mut pipeline = Pipeline::compiled(project, &arguments.from)?;
    let modules = all_modules(&pipeline.project, &pipeline.catalog)?;
    let use_cases = all_use_cases(&modules, &pipeline.catalog)?;
    let server = arguments.on.as_deref().map(|on| Server::named(&pipeline.project, on)).transpose()?;
    let mut out = stdout();
    writeln!(
        out,
        "{}: {} event types, {} mappings over {} tables, {} modules with {} use cases: all fit",
        pipeline.project.name,
        count(pipeline.catalog.types.len() as u64),
        count(pipeline.program.mappings() as u64),
        count(pipeline.dump.tables().len() as u64),
        count(modules.len() as u64),
        count(use_cases.iter().map(|(_, cases)| cases.len() as u64).sum())
    )?;
    for unread in pipeline.program.unread_tables() {
        writeln!(out, "note: no mapping reads {unread}")?;
    }
    for constraint in pipeline.program.constraints() {
        writeln!(out, "after: {constraint}")?;
    }
    if arguments.plan {
        // The plan is made from the zone maps of all tables, derived ones too.
        pipeline = pipeline.with_derived_tables(&arguments.from, None)?;
        let rows = plan(&pipeline.program, &pipeline.dump)?.into_iter().map(|mapping| {
            let lookups = mapping.lookups.join(", ");
            vec![mapping.mapping, mapping.table, lookups, count(mapping.rows), mapping.strategy.to_string()]
        });
        write!(out, "\n{}", table(&["mapping", "table", "lookups", "rows", "order"], rows))?;
    }
    if let Some(server) = server {
        // It takes seconds, and what is known by now needn't wait.
        out.flush()?;
        return try_out(&pipeline, &modules, &server, &mut out);
    }
    if !modules.is_empty() {
        writeln!(out, "note: the SQL of the modules was not run; --on TARGET runs it on a server, on no events")?;
    }
    out.flush()?;
    Ok(Outcome::Done)
}

/// Runs the SQL of the modules on the server that `--on` names, and prints what is wrong, also when the server fails
/// before the last of them.
fn try_out(pipeline: &Pipeline, modules: &[Module], server: &Server, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let Tried { modules, errors, fault } = trial::try_out(&server.servers, modules, &pipeline.catalog);
    for error in &errors {
        writeln!(out, "\n{error}")?;
    }
    let modules = count(modules as u64);
    match errors.len() {
        0 if fault.is_some() => {}
        0 => writeln!(out, "the SQL of {modules} modules was run on no events: all fits")?,
        some => writeln!(out, "\nthe SQL of {modules} modules was run on no events: {} errors", count(some as u64))?,
    }
    out.flush()?;
    match fault {
        Some(fault) => Err(fault),
        None if errors.is_empty() => Ok(Outcome::Done),
        None => Ok(Outcome::Rejects),
    }
}
