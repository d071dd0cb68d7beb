//! Runs a module's SQL on no events: opens and completes it as a seed without events would, in a temporary database.
//!
//! In: a module and a server where databases can be made. Out: the first thing that is wrong with the module, or nothing.
//! What is wrong with the server is an error of its own and never counts as the module's. Nothing is waited out.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use etl_schemas::event::EventCatalog;

use super::temporary::TemporaryDatabase;
use crate::LoadError;
use crate::module::Module;
use crate::postgres::{IfExists, PostgresOptions, PostgresTarget, StreamFingerprint};
use crate::sink::Sink;

/// Tries the module out in a database of its own, called `prefix` and the module's name, which must not exist. `None` is
/// a module whose schema, handlers and indexes fit; else it is the first error that they have.
///
/// # Errors
/// When the server can't be used, so that nothing is known of the module.
pub fn check(
    target: &PostgresTarget,
    module: &Module,
    catalog: &Arc<EventCatalog>,
    prefix: &str,
    stop: &'static AtomicBool,
) -> Result<Option<LoadError>, LoadError> {
    let options = PostgresOptions {
        if_exists: IfExists::Fail,
        database_prefix: prefix.to_string(),
        // Somebody looks on, and a check is soon run again.
        retry_time_max: Duration::ZERO,
        stop,
        ..PostgresOptions::default()
    };
    let stream = StreamFingerprint { dump: "check".to_string(), mappings: "check".to_string() };
    let tried = TemporaryDatabase::open(target, module, catalog, &stream, &options)
        .and_then(|(_database, mut sink)| sink.finish());
    match tried {
        Ok(_) => Ok(None),
        Err(error) if is_of_the_module(&error) => Ok(Some(error)),
        Err(error) => Err(error),
    }
}

/// Whether the module's files are wrong, and not the server.
fn is_of_the_module(error: &LoadError) -> bool {
    match error {
        LoadError::Invalid(_) => true,
        LoadError::Postgres { error, .. } => error.code().is_some_and(|code| is_of_sql(code.code())),
        _ => false,
    }
}

/// Whether a SQLSTATE tells of the statement that was run: what it says (42, 0A, 3F, 2B, 25001: not within a transaction),
/// its data and rows (21, 22, 23), the server's limits (54), and its functions (2F, 38, 39, P0). A right that is missing
/// (42501) is given on the server, also that to make a database; all else is about connections, resources and state.
fn is_of_sql(code: &str) -> bool {
    const CLASSES: [&str; 12] = ["42", "0A", "3F", "2B", "21", "22", "23", "54", "2F", "38", "39", "P0"];
    code == "25001" || (code != "42501" && CLASSES.iter().any(|class| code.starts_with(class)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_statement_says_is_the_modules_fault() {
        for of_sql in ["42601", "42P01", "0A000", "3F000", "22012", "23505", "21000", "54011", "25001", "P0001"] {
            assert!(is_of_sql(of_sql), "{of_sql}");
        }
        // No right, no disk, no connection, a lock, a deadlock, a standby, the end of the session, a fault within.
        for of_server in ["42501", "53100", "53300", "08006", "55P03", "40P01", "25006", "57P01", "58030", "XX000"] {
            assert!(!is_of_sql(of_server), "{of_server}");
        }
    }
}
