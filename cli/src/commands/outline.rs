//! What `story`, `summary` and `graph` have in common: the project's files, read into an outline. No server is asked.

use std::path::Path;

use anyhow::Context;
use etl_load::story::Outline;

use super::opened::{Opened, all_use_cases};

/// The outline of the project, with only these modules if any are named.
pub(super) fn of_project(project: &Path, modules: &[String]) -> anyhow::Result<Outline> {
    let opened = Opened::open(project)?;
    let cases = all_use_cases(&opened.modules, &opened.catalog)?;
    let mappings = mappings(&opened.project.mappings_folder())?;
    let mut outline = Outline::new(&opened.catalog, &cases, mappings.iter().map(String::as_str));
    let named: Vec<String> = opened.selected(modules)?.into_iter().map(|module| module.name).collect();
    if !modules.is_empty() {
        outline.keep_modules(&named);
    }
    Ok(outline)
}

/// The texts of the mappings; none in a project that has no folder for them yet.
fn mappings(folder: &Path) -> anyhow::Result<Vec<String>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let shown = || folder.display().to_string();
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(shown)? {
        let path = entry.with_context(shown)?.path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            texts.push(std::fs::read_to_string(&path).with_context(|| path.display().to_string())?);
        }
    }
    Ok(texts)
}
