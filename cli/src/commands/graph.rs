//! `etl graph`: legacy tables, events, modules and their tables as a graph; what no use case covers is red.

use std::io::Write;
use std::path::Path;

use etl_load::story::{GraphFormat, graph};

use super::outline;
use crate::arguments::{GraphArguments, GraphLanguage};
use crate::failure::Outcome;
use crate::output::stdout;

pub(super) fn run(project: &Path, arguments: &GraphArguments) -> anyhow::Result<Outcome> {
    let outline = outline::of_project(project, &arguments.module)?;
    let format = match arguments.format {
        GraphLanguage::Dot => GraphFormat::Dot,
        GraphLanguage::Mermaid => GraphFormat::Mermaid,
    };
    let mut out = stdout();
    write!(out, "{}", graph(&outline, format))?;
    out.flush()?;
    Ok(Outcome::Done)
}
