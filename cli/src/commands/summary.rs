//! `etl summary`: which module takes which events by which handler into which tables, and which use cases cover it.

use std::io::Write;
use std::path::Path;

use etl_load::story::{ModuleOutline, Outline};

use super::outline;
use crate::arguments::SummaryArguments;
use crate::failure::Outcome;
use crate::output::{count, stdout, table};

pub(super) fn run(project: &Path, arguments: &SummaryArguments) -> anyhow::Result<Outcome> {
    let outline = outline::of_project(project, &arguments.module)?;
    let mut out = stdout();
    match arguments.json {
        true => {
            serde_json::to_writer_pretty(&mut out, &outline)?;
            writeln!(out)?;
        }
        false => write!(out, "{}\n{}\n{}", handlers(&outline), modules(&outline), gaps(&outline))?,
    }
    out.flush()?;
    Ok(Outcome::Done)
}

/// One line for each handler, for grep.
fn handlers(outline: &Outline) -> String {
    let all = outline.modules.iter().flat_map(|module| module.handlers.iter().map(move |handler| (module, handler)));
    let lines = all.map(|(module, handler)| {
        let cases = count(handler.use_cases.len() as u64);
        vec![module.name.clone(), handler.event.clone(), handler.kind.to_string(), handler.writes.join(", "), cases]
    });
    table(&["module", "event", "handler", "tables", "use cases"], lines)
}

/// One line for each module: how much of it is covered.
fn modules(outline: &Outline) -> String {
    let of = |covered: usize, all: usize| format!("{covered} of {all}");
    let line = |module: &ModuleOutline| {
        let handlers = module.handlers.iter().filter(|handler| !handler.use_cases.is_empty()).count();
        let tables = module.tables.iter().filter(|table| !table.use_cases.is_empty()).count();
        let order = if module.strict { "strict" } else { "by stream" };
        vec![
            module.name.clone(),
            order.to_string(),
            count(module.use_cases.len() as u64),
            of(handlers, module.handlers.len()),
            of(tables, module.tables.len()),
        ]
    };
    table(&["module", "order", "use cases", "handlers covered", "tables covered"], outline.modules.iter().map(line))
}

/// What no use case covers, one a line, each with what to write.
fn gaps(outline: &Outline) -> String {
    let mut gaps = Vec::new();
    for module in &outline.modules {
        let handlers = module.handlers.iter().filter(|handler| handler.use_cases.is_empty());
        gaps.extend(handlers.map(|handler| {
            format!("{}: no use case gives {} and looks at what it writes\n", module.name, handler.event)
        }));
        let tables = module.tables.iter().filter(|table| table.use_cases.is_empty());
        gaps.extend(tables.map(|table| format!("{}: no use case looks at {}\n", module.name, table.name)));
    }
    let taken =
        |event: &str| outline.modules.iter().flat_map(|module| &module.handlers).any(|handler| handler.event == event);
    let idle = outline.events.iter().filter(|event| !taken(&event.name));
    gaps.extend(idle.map(|event| format!("no module takes {}\n", event.name)));
    match gaps.is_empty() {
        true => "every handler and every table is covered\n".to_string(),
        false => gaps.concat(),
    }
}
