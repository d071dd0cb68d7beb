//! Which databases a command is about: of the modules that are named, or of all, on a target.

use std::path::Path;

use super::opened::Opened;
use super::servers::ModuleServer;
use super::target;

/// The databases of the project's modules with these names, or of all, on the target that `--to` says; in the order of the
/// modules' names.
pub(super) fn databases(project: &Path, to: &str, names: &[String]) -> anyhow::Result<Vec<ModuleServer>> {
    let opened = Opened::open(project)?;
    target::postgres(&opened.project, "--to", to)?.of_all(&opened.selected(names)?)
}
