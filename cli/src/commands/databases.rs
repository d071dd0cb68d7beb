//! Which databases a command is about: of the modules that are named, or of all, on a target.

use std::path::Path;

use etl_load::postgres::PostgresTarget;
use etl_schemas::event::EventCatalog;
use etl_schemas::project::Project;

use super::check::all_modules;
use super::seed::{Target, selected};

/// Databases on a server.
pub(super) struct Databases {
    pub(super) server: PostgresTarget,
    /// Module and database, in the order of the modules' names.
    pub(super) modules: Vec<(String, String)>,
}

impl Databases {
    /// Of the project's modules with these names, or of all, on the target that `--to` says.
    pub(super) fn open(project: &Path, to: &str, names: &[String]) -> anyhow::Result<Databases> {
        let project = Project::open(project)?;
        let catalog = EventCatalog::load(&project.events_file(), project.namespace)?;
        let (server, prefix) = Target::parse(&project, to)?.postgres(&format!("--to {to}"))?;
        let modules = selected(all_modules(&project, &catalog)?, names)?;
        let modules = modules.into_iter().map(|module| (module.name.clone(), format!("{prefix}{}", module.name)));
        Ok(Databases { server, modules: modules.collect() })
    }
}
