//! Which databases a command is about: of the modules that are named, or of all, on a target.

use std::path::Path;

use etl_load::postgres::PostgresTarget;

use super::opened::Opened;
use super::target;

/// Databases on a server.
pub(super) struct Databases {
    pub(super) server: PostgresTarget,
    /// Module and database, in the order of the modules' names.
    pub(super) modules: Vec<(String, String)>,
}

impl Databases {
    /// Of the project's modules with these names, or of all, on the target that `--to` says.
    pub(super) fn open(project: &Path, to: &str, names: &[String]) -> anyhow::Result<Databases> {
        let opened = Opened::open(project)?;
        let (server, prefix) = target::postgres(&opened.project, "--to", to)?;
        let modules =
            opened.selected(names)?.into_iter().map(|module| (module.name.clone(), format!("{prefix}{}", module.name)));
        Ok(Databases { server, modules: modules.collect() })
    }
}
