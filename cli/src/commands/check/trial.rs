//! The modules' SQL tried out on a server.
//!
//! In: modules, and a server where databases can be made. Out: every error of schemas, handlers and indexes, with file and
//! line where the server tells them. Each module is opened and completed as by a seed that has no events, in a database
//! that is dropped right after.

use std::sync::Arc;

use etl_load::LoadError;
use etl_load::module::Module;
use etl_load::postgres::{IfExists, PostgresOptions, PostgresSink, PostgresTarget, StreamFingerprint, reset};
use etl_load::sink::Sink;
use etl_schemas::event::EventCatalog;

use crate::interrupt;

/// What the server says against the modules' SQL; nothing when all of it runs.
///
/// # Errors
/// When the server can't be used, so that nothing is known.
pub(super) fn errors(
    server: &PostgresTarget,
    modules: &[Module],
    catalog: &Arc<EventCatalog>,
) -> anyhow::Result<Vec<String>> {
    let options = PostgresOptions {
        if_exists: IfExists::Fail,
        database_prefix: format!("etl_check_{}_", std::process::id()),
        stop: interrupt::flag(),
        ..PostgresOptions::default()
    };
    let mut errors = Vec::new();
    for module in modules {
        interrupt::check()?;
        match try_out(server, module, catalog, &options) {
            Ok(()) => {}
            Err(LoadError::Invalid(diagnostics)) => errors.extend(diagnostics.iter().map(ToString::to_string)),
            // The server refused a statement, and doesn't tell at which character.
            Err(refused @ LoadError::Postgres { .. }) if is_refused(&refused) => {
                errors.push(format!("{}: {refused}", module.name));
            }
            Err(other) => return Err(other.into()),
        }
    }
    Ok(errors)
}

fn try_out(
    server: &PostgresTarget,
    module: &Module,
    catalog: &Arc<EventCatalog>,
    options: &PostgresOptions,
) -> Result<(), LoadError> {
    let stream = StreamFingerprint { dump: "check".to_string(), mappings: "check".to_string() };
    // What fails here takes its database back.
    let mut sink = PostgresSink::open(server, module, catalog, &stream, options)?;
    let _database = TemporaryDatabase { server, name: sink.database().to_string() };
    let completed = sink.finish();
    // Nobody may be connected to a database that is dropped.
    drop(sink);
    completed.map(drop)
}

/// Whether it was the server that spoke, and not a connection that broke.
fn is_refused(error: &LoadError) -> bool {
    matches!(error, LoadError::Postgres { error, .. } if error.as_db_error().is_some())
}

/// Dropped with all it holds, whatever becomes of the trial.
struct TemporaryDatabase<'a> {
    server: &'a PostgresTarget,
    name: String,
}

impl Drop for TemporaryDatabase<'_> {
    fn drop(&mut self) {
        if let Err(error) = reset(self.server, &self.name, false) {
            tracing::warn!("the temporary database `{}` stays behind: {error}", self.name);
        }
    }
}
