//! What most commands begin with: the project, its event types and its modules, read and checked. No server is asked.

use std::path::Path;
use std::sync::Arc;

use anyhow::bail;
use etl_load::LoadError;
use etl_load::module::Module;
use etl_load::usecase::UseCase;
use etl_schemas::diagnostic::did_you_mean;
use etl_schemas::event::EventCatalog;
use etl_schemas::project::Project;

use crate::failure::Findings;

/// A project whose files fit together.
pub(super) struct Opened {
    pub(super) project: Project,
    pub(super) catalog: Arc<EventCatalog>,
    /// All of them, in the order of their folders' names.
    pub(super) modules: Vec<Module>,
}

impl Opened {
    /// Of the project in a folder.
    pub(super) fn open(folder: &Path) -> anyhow::Result<Opened> {
        let project = Project::open(folder)?;
        let catalog = Arc::new(EventCatalog::load(&project.events_file(), project.namespace)?);
        let modules = all_modules(&project, &catalog)?;
        Ok(Opened { project, catalog, modules })
    }

    /// The modules named with `--module`, or all.
    pub(super) fn selected(&self, names: &[String]) -> anyhow::Result<Vec<Module>> {
        selected(self.modules.clone(), names)
    }
}

/// Every module of the project, checked against its events.
pub(super) fn all_modules(project: &Project, catalog: &EventCatalog) -> anyhow::Result<Vec<Module>> {
    match Module::load_all(&project.modules_folder(), catalog) {
        Ok(modules) => known_to_targets(project, modules),
        Err(LoadError::Invalid(diagnostics)) => Err(Findings::error(diagnostics)),
        Err(other) => Err(other.into()),
    }
}

/// The modules, if the project's targets have servers for no others.
fn known_to_targets(project: &Project, modules: Vec<Module>) -> anyhow::Result<Vec<Module>> {
    let names: Vec<&str> = modules.iter().map(|module| module.name.as_str()).collect();
    let unknown: Vec<_> = project.targets.values().flat_map(|target| target.unknown_modules(&names)).collect();
    match unknown.is_empty() {
        true => Ok(modules),
        false => Err(Findings::error(unknown)),
    }
}

/// The use cases of these modules. What is wrong in any of them is told at once.
pub(super) fn all_use_cases(modules: &[Module], catalog: &EventCatalog) -> anyhow::Result<Vec<(Module, Vec<UseCase>)>> {
    let (mut cases, mut findings) = (Vec::new(), Vec::new());
    for module in modules {
        match UseCase::load_all(module, catalog) {
            Ok(of_module) => cases.push((module.clone(), of_module)),
            Err(LoadError::Invalid(diagnostics)) => findings.extend(diagnostics),
            Err(other) => return Err(other.into()),
        }
    }
    match findings.is_empty() {
        true => Ok(cases),
        false => Err(Findings::error(findings)),
    }
}

/// The modules named with `--module`, or all.
pub(super) fn selected(modules: Vec<Module>, names: &[String]) -> anyhow::Result<Vec<Module>> {
    if modules.is_empty() {
        bail!("the project has no modules, and this needs one; make a folder under modules/ with a module.toml");
    }
    for name in names {
        if !modules.iter().any(|module| module.name == *name) {
            let help = did_you_mean(name, modules.iter().map(|module| module.name.as_str()));
            bail!("--module {name}: no such module; {help}");
        }
    }
    Ok(modules.into_iter().filter(|module| names.is_empty() || names.contains(&module.name)).collect())
}
