//! The modules' SQL tried out on a server, one module after another.
//!
//! In: modules, and servers where databases can be made. Out: the first error of each module, with file and line where
//! the server tells them. When a server fails, or the user asks to stop, what was found by then isn't lost.

use std::sync::Arc;

use etl_load::LoadError;
use etl_load::module::Module;
use etl_load::postgres::check;
use etl_schemas::event::EventCatalog;

use super::super::servers::Servers;
use crate::interrupt;

/// What is known after the trial.
#[derive(Default)]
pub(super) struct Tried {
    /// How many modules were run to their end or to their error.
    pub(super) modules: usize,
    /// What the server says against their SQL.
    pub(super) errors: Vec<String>,
    /// Why the others were not run.
    pub(super) fault: Option<anyhow::Error>,
}

/// Runs the modules' SQL until a server fails.
pub(super) fn try_out(servers: &Servers, modules: &[Module], catalog: &Arc<EventCatalog>) -> Tried {
    let mut tried = Tried::default();
    for module in modules {
        match one(servers, module, catalog) {
            Ok(error) => tried.errors.extend(error),
            Err(fault) => return Tried { fault: Some(fault), ..tried },
        }
        tried.modules += 1;
    }
    tried
}

fn one(servers: &Servers, module: &Module, catalog: &Arc<EventCatalog>) -> anyhow::Result<Option<String>> {
    interrupt::check()?;
    let prefix = format!("etl_check_{}_", std::process::id());
    let told = |error: LoadError| match error {
        LoadError::Invalid(diagnostics) => diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n"),
        // The server refused a statement, and doesn't tell at which character.
        other => format!("{}: {other}", module.name),
    };
    let place = servers.of(&module.name)?;
    let checked = check(&place.target, module, catalog, &prefix, interrupt::flag());
    Ok(checked.map_err(|error| place.failed(error))?.map(told))
}
