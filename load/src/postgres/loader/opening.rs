//! Opens a module's database and gets everything ready, so that what can be wrong is known before the long run.

use std::sync::Arc;
use std::time::Instant;

use etl_schemas::diagnostic::{Diagnostic, did_you_mean};
use etl_schemas::event::{EventCatalog, EventType};
use tokio_postgres::error::ErrorPosition;

use super::{Handler as LoadHandler, OpenTransaction, Pending, PostgresSink, RejectedRows};
use crate::LoadError;
use crate::module::{Action, Handler, Module, ObjectName, Script};
use crate::postgres::catalog;
use crate::postgres::checkpoint::{Checkpoint, Mover, fingerprints};
use crate::postgres::connection::Connection;
use crate::postgres::copy::{CopyBuffer, StagedFor};
use crate::postgres::database::{self, Content};
use crate::postgres::plan::RowPlan;
use crate::postgres::staging::{Builder, StagedHandler, Staging};
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
        Content::Ours => in_transaction(&connection, || {
            let checkpoint = Checkpoint::resume(&connection, &module.name, &fingerprints)?;
            Ok((checkpoint, plan(&connection, module, catalog)?))
        }),
        Content::Empty { .. } => in_transaction(&connection, || {
            let checkpoint = Checkpoint::create(&connection, &module.name, &fingerprints)?;
            run_script(&connection, &module.schema)?;
            Ok((checkpoint, plan(&connection, module, catalog)?))
        }),
    };
    let (mut checkpoint, Plans { handlers, buffers, staging }) = match ready {
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
        if let Some(table) = buffer.counted_table() {
            checkpoint.counts.rows.entry(table).or_default();
        }
    }
    Ok(PostgresSink {
        module: module.name.clone(),
        indexes: module.indexes.clone(),
        handlers,
        staging,
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
    connection.run(&doing, connection.client.batch_execute(&script.text)).map_err(|error| place(error, script, 0))?;
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

/// Shows an error of a script at its place. The script was sent behind so many characters of other SQL.
pub(in crate::postgres) fn place(error: LoadError, script: &Script, before: usize) -> LoadError {
    let LoadError::Postgres { error: ref cause, ref problem, .. } = error else { return error };
    let Some(db) = cause.as_db_error() else { return error };
    let Some(ErrorPosition::Original(position)) = db.position() else { return error };
    // The server counts characters, from 1.
    let characters = (*position as usize).saturating_sub(1 + before);
    let at = script.text.char_indices().nth(characters).map_or(script.text.len(), |(at, _)| at);
    let word = script.text[at..].find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(0).max(1);
    let mut diagnostic = script.diagnostic(at..at + word, problem.clone());
    diagnostic.help = db.hint().map(String::from);
    LoadError::Invalid(vec![diagnostic])
}

/// Everything that is ready to take events.
struct Plans {
    /// By rank of the event type.
    handlers: Vec<Option<LoadHandler>>,
    buffers: Vec<CopyBuffer>,
    staging: Option<Staging>,
}

/// Plans every handler against the database as it is.
fn plan(connection: &Connection, module: &Module, catalog: &EventCatalog) -> Result<Plans, LoadError> {
    let mut planning = Planning {
        connection,
        module,
        staged: Builder::new(connection, module),
        handlers: catalog.types.iter().map(|_| None).collect(),
        buffers: Vec::new(),
    };
    let mut diagnostics = Vec::new();
    for handler in &module.handlers {
        match planning.handler(handler, &catalog.types[usize::from(handler.rank)]) {
            Ok(()) => {}
            Err(LoadError::Invalid(more)) => {
                diagnostics.extend(more);
                // An error of the server has ended the transaction, so nothing more can be found out.
                if connection.run("going on", connection.client.batch_execute("SELECT 1")).is_err() {
                    break;
                }
            }
            Err(other) => return Err(other),
        }
    }
    if !diagnostics.is_empty() {
        return Err(LoadError::Invalid(diagnostics));
    }
    let Planning { staged, handlers, buffers, .. } = planning;
    Ok(Plans { handlers, buffers, staging: staged.finish(module.strict)? })
}

struct Planning<'a> {
    connection: &'a Connection,
    module: &'a Module,
    staged: Builder<'a>,
    handlers: Vec<Option<LoadHandler>>,
    buffers: Vec<CopyBuffer>,
}

impl Planning<'_> {
    fn handler(&mut self, handler: &Handler, event_type: &EventType) -> Result<(), LoadError> {
        let (staged, staged_for) = match &handler.action {
            Action::Copy(table) => match self.copy(handler, table, event_type)? {
                None => return Ok(()),
                Some(staged) => (staged, StagedFor::Table(table.to_string())),
            },
            Action::Sql(script) => {
                let file = script.path.strip_prefix(self.module.folder()).unwrap_or(&script.path);
                (self.staged.sql(handler, script, event_type)?, StagedFor::Handler(file.display().to_string()))
            }
            Action::Call(function) => {
                (self.staged.call(handler, function, event_type)?, StagedFor::Handler(format!("{function}()")))
            }
        };
        let StagedHandler { plan, schema, table, place, one_by_one } = staged;
        let buffer = CopyBuffer::prepare(self.connection, &schema, &table, plan.columns())?.staged_for(staged_for);
        self.buffers.push(buffer);
        let staged = Some((place, one_by_one));
        self.handlers[usize::from(handler.rank)] = Some(LoadHandler { plan, buffer: self.buffers.len() - 1, staged });
        Ok(())
    }

    /// Plans a copy straight into its table, or stages it where another handler may look into the table.
    fn copy(
        &mut self,
        handler: &Handler,
        table: &ObjectName,
        event_type: &EventType,
    ) -> Result<Option<StagedHandler>, LoadError> {
        let ObjectName { schema, name } = table;
        let Some(columns) = catalog::columns(self.connection, schema, name)? else {
            return Err(LoadError::Invalid(vec![no_table(self.connection, self.module, handler, name)?]));
        };
        let plan = RowPlan::compile(self.module, handler, name, event_type, &columns).map_err(LoadError::Invalid)?;
        let filled = plan.columns();
        if self.must_be_staged(table)? {
            let filled: Vec<_> = columns.into_iter().filter(|column| filled.contains(&column.name)).collect();
            return self.staged.copy(handler, table, &filled, event_type).map(Some);
        }
        let shared = self.buffers.iter().position(|buffer| buffer.is_for(schema, name, &filled));
        let buffer = match shared {
            Some(buffer) => buffer,
            None => {
                self.buffers.push(CopyBuffer::prepare(self.connection, schema, name, filled)?);
                self.buffers.len() - 1
            }
        };
        self.handlers[usize::from(handler.rank)] = Some(LoadHandler { plan, buffer, staged: None });
        Ok(None)
    }

    /// Whether it could matter when a row comes into the table: in a strict module always, else when a handler's SQL, a
    /// function or anything else of the database speaks of the table.
    fn must_be_staged(&self, table: &ObjectName) -> Result<bool, LoadError> {
        let handlers = &self.module.handlers;
        if self.module.strict {
            return Ok(true);
        }
        if handlers.iter().all(|handler| matches!(handler.action, Action::Copy(_))) {
            return Ok(false);
        }
        let name = table.name.to_lowercase();
        let speaks = |handler: &Handler| match &handler.action {
            Action::Sql(script) => script.text.to_lowercase().contains(&name),
            Action::Copy(_) | Action::Call(_) => false,
        };
        Ok(handlers.iter().any(speaks) || !catalog::is_apart(self.connection, &table.schema, &table.name)?)
    }
}

fn no_table(connection: &Connection, module: &Module, handler: &Handler, table: &str) -> Result<Diagnostic, LoadError> {
    let tables = catalog::tables(connection)?;
    let message = format!("{} makes no table `{table}`", module.schema.path.display());
    let help = did_you_mean(table, tables.iter().map(String::as_str));
    Ok(module.at_handler(handler, message).help(help))
}
