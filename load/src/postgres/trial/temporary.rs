//! A module in a database that lives no longer than a trial.
//!
//! In: a module and options whose prefix makes the database's name. Out: the open sink, and the database's keeper, which
//! drops it with all it holds whatever becomes of the trial. A database that exists is refused by the options, so nothing
//! of anybody else's is dropped.

use std::sync::Arc;

use etl_schemas::event::EventCatalog;

use crate::LoadError;
use crate::module::Module;
use crate::postgres::connection::Connection;
use crate::postgres::{PostgresOptions, PostgresSink, PostgresTarget, StreamFingerprint, quoted};

/// What Postgres allows.
const NAME_BYTES_MAX: usize = 63;

/// Dropped with all it holds, also while somebody is connected.
pub(super) struct TemporaryDatabase<'a> {
    target: &'a PostgresTarget,
    pub(super) name: String,
}

impl<'a> TemporaryDatabase<'a> {
    /// Opens the module in a database of its own. A failed opening takes the database back by itself.
    pub(super) fn open(
        target: &'a PostgresTarget,
        module: &Module,
        catalog: &Arc<EventCatalog>,
        stream: &StreamFingerprint,
        options: &PostgresOptions,
    ) -> Result<(TemporaryDatabase<'a>, PostgresSink), LoadError> {
        let module = fitting(module, &options.database_prefix);
        let sink = PostgresSink::open(target, &module, catalog, stream, options)?;
        Ok((TemporaryDatabase { target, name: sink.database().to_string() }, sink))
    }
}

/// The module under as much of its name as fits behind the prefix: a legal name may leave no room for one.
fn fitting(module: &Module, prefix: &str) -> Module {
    let room = NAME_BYTES_MAX.saturating_sub(prefix.len());
    let end = (0..=room.min(module.name.len())).rev().find(|end| module.name.is_char_boundary(*end));
    let mut fitting = module.clone();
    fitting.name.truncate(end.unwrap_or(0));
    fitting
}

impl Drop for TemporaryDatabase<'_> {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(&self.name));
        let dropped = Connection::open(self.target, "postgres")
            .and_then(|server| server.run("dropping it", server.client.batch_execute(&statement)));
        if let Err(error) = dropped {
            tracing::warn!("the temporary database `{}` stays behind: {error}", self.name);
        }
    }
}
