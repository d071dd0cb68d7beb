//! `etl check`: compiles mappings and modules, and runs nothing.

use std::io::Write;
use std::path::Path;

use etl_transform::plan;

use super::opened::{all_modules, all_use_cases};
use super::pipeline::Pipeline;
use crate::arguments::CheckArguments;
use crate::failure::Outcome;
use crate::output::{count, stdout, table};

pub(super) fn run(project: &Path, arguments: &CheckArguments) -> anyhow::Result<Outcome> {
    let mut pipeline = Pipeline::compiled(project, &arguments.from)?;
    let modules = all_modules(&pipeline.project, &pipeline.catalog)?;
    let use_cases = all_use_cases(&modules, &pipeline.catalog)?;
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
        pipeline = pipeline.with_derived_tables(&arguments.from)?;
        let rows = plan(&pipeline.program, &pipeline.dump)?.into_iter().map(|mapping| {
            let lookups = mapping.lookups.join(", ");
            vec![mapping.mapping, mapping.table, lookups, count(mapping.rows), mapping.strategy.to_string()]
        });
        write!(out, "\n{}", table(&["mapping", "table", "lookups", "rows", "order"], rows))?;
    }
    out.flush()?;
    Ok(Outcome::Done)
}
