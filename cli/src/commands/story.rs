//! `etl story`: the use cases of the modules as text that people read.

use std::io::Write;
use std::path::Path;

use super::outline;
use crate::arguments::StoryArguments;
use crate::failure::Outcome;
use crate::output::stdout;

pub(super) fn run(project: &Path, arguments: &StoryArguments) -> anyhow::Result<Outcome> {
    let outline = outline::of_project(project, &arguments.module)?;
    let mut out = stdout();
    match arguments.json {
        true => {
            serde_json::to_writer_pretty(&mut out, &outline.modules)?;
            writeln!(out)?;
        }
        false => write!(out, "{}", etl_load::story::story(&outline))?,
    }
    out.flush()?;
    Ok(Outcome::Done)
}
