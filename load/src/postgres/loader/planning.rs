//! Plans a module's handlers against the tables as they are.
//!
//! In: a module and a connection to its database. Out: [`Plans`]: for each type of event what is done with it, and the
//! buffers and stages that this takes. What doesn't fit is reported at its place in the module's files, all of it at once.

use etl_schemas::diagnostic::{Diagnostic, did_you_mean};
use etl_schemas::event::{EventCatalog, EventType};

use super::Handler as LoadHandler;
use crate::LoadError;
use crate::module::{Action, Handler, Module, ObjectName};
use crate::postgres::catalog;
use crate::postgres::connection::Connection;
use crate::postgres::copy::{CopyBuffer, StagedFor};
use crate::postgres::plan::RowPlan;
use crate::postgres::stages::Stages;
use crate::postgres::staging::{Builder, STAGE, StagedHandler, Staging};

/// Everything that is ready to take events.
pub(super) struct Plans {
    /// By rank of the event type.
    pub(super) handlers: Vec<Option<LoadHandler>>,
    pub(super) buffers: Vec<CopyBuffer>,
    /// For staged events, if there are any: the steps of a transaction, none yet, and what takes them.
    pub(super) stages: Option<Stages>,
    pub(super) staging: Option<Staging>,
}

/// Plans every handler against the database as it is.
pub(super) fn plan(connection: &Connection, module: &Module, catalog: &EventCatalog) -> Result<Plans, LoadError> {
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
    let (stages, staging) = staged.finish(module.strict)?.unzip();
    Ok(Plans { handlers, buffers, stages, staging })
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
        let mut columns = plan.columns();
        columns.push(STAGE.to_string());
        let buffer = CopyBuffer::prepare_staged(self.connection, &schema, &table, columns, staged_for)?;
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
                // A default may count rows, or tell their times, in the order in which they come.
                let counts = columns.iter().any(|column| column.has_default && !filled.contains(&column.name));
                let key = if counts { None } else { catalog::sortable_key(self.connection, schema, name)? };
                let buffer = CopyBuffer::prepare(self.connection, schema, name, filled)?;
                self.buffers.push(buffer.sorted_by(key.as_deref()));
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
