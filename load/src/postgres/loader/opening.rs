//! Opens a module's database and gets everything ready, so that what can be wrong is known before the long run.

use std::sync::Arc;
use std::time::Instant;

use etl_schemas::diagnostic::{Diagnostic, did_you_mean};
use etl_schemas::event::EventCatalog;
use tokio_postgres::error::ErrorPosition;

use super::{Handler, OpenTransaction, Pending, PostgresSink, RejectedRows};
use crate::LoadError;
use crate::module::{CopyHandler, Module, Script};
use crate::postgres::catalog;
use crate::postgres::checkpoint::{Checkpoint, Mover, fingerprints};
use crate::postgres::connection::Connection;
use crate::postgres::copy::CopyBuffer;
use crate::postgres::database::{self, Content};
use crate::postgres::plan::RowPlan;
use crate::postgres::{PostgresOptions, PostgresTarget, StreamFingerprint};
use crate::sink::EVERYTHING;

pub(super) fn open(
    target: &PostgresTarget,
    module: &Module,
    catalog: &Arc<EventCatalog>,
    stream: &StreamFingerprint,
    options: &PostgresOptions,
) -> Result<PostgresSink, LoadError> {
    let opened = Instant::now();
    let name = format!("{}{}", options.database_prefix, module.name);
    if name.len() > 63 {
        let help = "shorten the prefix or the module's name";
        return Err(database::refused(&name, "a database's name has at most 63 bytes", help));
    }
    let (connection, content) = database::open(target, &name, options.if_exists)?;
    let fingerprints = fingerprints(stream, module.fingerprint());
    let ready = match content {
        Content::Ours => Checkpoint::resume(&connection, &module.name, &fingerprints)
            .and_then(|checkpoint| Ok((checkpoint, plan(&connection, module, catalog)?))),
        Content::Empty { .. } => in_transaction(&connection, || {
            let checkpoint = Checkpoint::create(&connection, &module.name, &fingerprints)?;
            run_script(&connection, &module.schema)?;
            Ok((checkpoint, plan(&connection, module, catalog)?))
        }),
    };
    let (mut checkpoint, (handlers, buffers)) = match ready {
        Ok(ready) => ready,
        Err(error) => {
            drop(connection);
            if content == (Content::Empty { created: true }) {
                database::take_back(target, &name);
            }
            return Err(error);
        }
    };
    for buffer in &buffers {
        checkpoint.counts.rows.entry(buffer.table_name()).or_default();
    }
    Ok(PostgresSink {
        module: module.name.clone(),
        indexes: module.indexes.clone(),
        handlers,
        rejected: RejectedRows::prepare(&connection)?,
        mover: Mover::prepare(&connection, &module.name)?,
        options: options.clone(),
        open: OpenTransaction::default(),
        pending: Pending::default(),
        rows_max: options.rows_per_transaction.max(1),
        seen: 0,
        resumed_after: if checkpoint.complete { EVERYTHING } else { checkpoint.position },
        opened,
        checkpoint,
        buffers,
        connection,
    })
}

fn in_transaction<T>(connection: &Connection, work: impl FnOnce() -> Result<T, LoadError>) -> Result<T, LoadError> {
    connection.run("beginning a transaction", connection.client.batch_execute("BEGIN"))?;
    let done =
        work().and_then(|done| connection.run("committing", connection.client.batch_execute("COMMIT")).map(|()| done));
    if done.is_err() {
        connection.roll_back();
    }
    done
}

/// Runs a module's script within the open transaction. An error of its SQL is shown at its place, where the server says
/// it. A script that ends the transaction is refused, because then nobody could repeat it after a failure.
pub(super) fn run_script(connection: &Connection, script: &Script) -> Result<(), LoadError> {
    let doing = format!("running {}", script.path.display());
    let transaction = || -> Result<i64, LoadError> {
        connection.run(&doing, connection.client.query_one_scalar("SELECT txid_current()", &[]))
    };
    let before = transaction()?;
    connection.run(&doing, connection.client.batch_execute(&script.text)).map_err(|error| place(error, script))?;
    match transaction()? == before {
        true => Ok(()),
        false => {
            let words = ["commit", "rollback", "end;"];
            let lower = script.text.to_ascii_lowercase();
            let at = words.into_iter().filter_map(|word| lower.find(word)).min().unwrap_or(0);
            let diagnostic = script.diagnostic(at..at + 1, "the script ends the transaction that it runs in");
            let help = "leave BEGIN and COMMIT out: the whole script is one transaction";
            Err(LoadError::Invalid(vec![diagnostic.help(help)]))
        }
    }
}

fn place(error: LoadError, script: &Script) -> LoadError {
    let LoadError::Postgres { error: ref cause, ref problem, .. } = error else { return error };
    let Some(db) = cause.as_db_error() else { return error };
    let Some(ErrorPosition::Original(position)) = db.position() else { return error };
    // The server counts characters, from 1.
    let characters = (*position as usize).saturating_sub(1);
    let at = script.text.char_indices().nth(characters).map_or(script.text.len(), |(at, _)| at);
    let word = script.text[at..].find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(0).max(1);
    let mut diagnostic = script.diagnostic(at..at + word, problem.clone());
    diagnostic.help = db.hint().map(String::from);
    LoadError::Invalid(vec![diagnostic])
}

type Plans = (Vec<Option<Handler>>, Vec<CopyBuffer>);

/// Plans every handler against the tables as they are.
fn plan(connection: &Connection, module: &Module, catalog: &EventCatalog) -> Result<Plans, LoadError> {
    let mut handlers: Vec<Option<Handler>> = catalog.types.iter().map(|_| None).collect();
    let (mut buffers, mut diagnostics) = (Vec::<CopyBuffer>::new(), Vec::new());
    for handler in &module.handlers {
        let Some(columns) = catalog::columns(connection, &handler.schema, &handler.table)? else {
            diagnostics.push(no_table(connection, module, handler)?);
            continue;
        };
        let event_type = &catalog.types[usize::from(handler.rank)];
        let plan = match RowPlan::compile(module, handler, event_type, &columns) {
            Ok(plan) => plan,
            Err(more) => {
                diagnostics.extend(more);
                continue;
            }
        };
        let columns = plan.columns();
        let shared = buffers.iter().position(|buffer| buffer.is_for(&handler.schema, &handler.table, &columns));
        let buffer = match shared {
            Some(buffer) => buffer,
            None => {
                buffers.push(CopyBuffer::prepare(connection, &handler.schema, &handler.table, columns)?);
                buffers.len() - 1
            }
        };
        handlers[usize::from(handler.rank)] = Some(Handler { plan, buffer });
    }
    match diagnostics.is_empty() {
        true => Ok((handlers, buffers)),
        false => Err(LoadError::Invalid(diagnostics)),
    }
}

fn no_table(connection: &Connection, module: &Module, handler: &CopyHandler) -> Result<Diagnostic, LoadError> {
    let tables = catalog::tables(connection)?;
    let message = format!("{} makes no table `{}`", module.schema.path.display(), handler.table);
    let help = did_you_mean(&handler.table, tables.iter().map(String::as_str));
    Ok(module.at_table(handler, message).help(help))
}
