//! `etl check`: compiles mappings and modules, and runs nothing.

use std::io::Write;
use std::path::Path;

use etl_load::LoadError;
use etl_load::module::Module;
use etl_transform::plan;

use super::pipeline::Pipeline;
use crate::arguments::CheckArguments;
use crate::failure::{Findings, Outcome};
use crate::output::{count, stdout, table};

pub(super) fn run(project: &Path, arguments: &CheckArguments) -> anyhow::Result<Outcome> {
    let pipeline = Pipeline::open(project, &arguments.from)?;
    let modules = load_modules(&pipeline)?;
    let mut out = stdout();
    writeln!(
        out,
        "{}: {} event types, {} mappings over {} tables, {} modules: all fit",
        pipeline.project.name,
        count(pipeline.catalog.types.len() as u64),
        count(pipeline.program.mappings() as u64),
        count(pipeline.dump.tables().len() as u64),
        count(modules.len() as u64)
    )?;
    for unread in pipeline.program.unread_tables() {
        writeln!(out, "note: no mapping reads {unread}")?;
    }
    if arguments.plan {
        let rows = plan(&pipeline.program, &pipeline.dump)?.into_iter().map(|mapping| {
            let lookups = mapping.lookups.join(", ");
            vec![mapping.mapping, mapping.table, lookups, count(mapping.rows), mapping.strategy.to_string()]
        });
        write!(out, "\n{}", table(&["mapping", "table", "lookups", "rows", "order"], rows))?;
    }
    out.flush()?;
    Ok(Outcome::Done)
}

/// Every module of the project, checked against its events.
pub(super) fn load_modules(pipeline: &Pipeline) -> anyhow::Result<Vec<Module>> {
    match Module::load_all(&pipeline.project.modules_folder(), &pipeline.catalog) {
        Ok(modules) => Ok(modules),
        Err(LoadError::Invalid(diagnostics)) => Err(Findings::error(diagnostics)),
        Err(other) => Err(other.into()),
    }
}
