//! Staged events: what `sql` and `call` handlers work on, and how they are run in order without a round trip for each.
//!
//! In: a module's handlers that can't be a plain COPY. Out: a temporary table for each, which takes its events by COPY,
//! and one function on the server that walks through the steps of a transaction ([`Stages`]). All of it lives in the
//! session's temporary schema and is gone with it. Handlers are checked by the server when they are made, on no events.

mod call;
mod event_table;
mod plans;
mod sql;
mod statement;

use etl_schemas::event::EventType;
use tokio_postgres::Statement;

use self::event_table::EventTable;
use self::sql::HandlerScript;
use super::catalog::TableColumn;
use super::connection::Connection;
use super::plan::RowPlan;
use super::quoted;
use super::stages::{Stages, Step};
use crate::LoadError;
use crate::module::{ColumnSource, Handler, Module, ObjectName, Script};

/// Columns of a staged table that no column of a module's table is called.
const POSITION: &str = "etl_position";
/// The event's stage; see [`Stages`]. Always the last column of the COPY.
pub(super) const STAGE: &str = "etl_stage";
/// The stage of the present step, where columns of staged tables are in sight as well. They are called as the module
/// likes, perhaps `stage`, and a column comes before a variable; so the variable says whose it is, and columns are `e.`'s.
const STAGE_NOW: &str = "etl_walk.stage";

/// Plans are made anew at each of the first so many steps of a transaction; later only when steps have doubled, since
/// `order = "strict"` has one for every event.
const STEPS_ALL: u32 = 64;

/// A handler whose events are staged.
pub(super) struct StagedHandler {
    pub(super) plan: RowPlan,
    /// The temporary table's schema and name, for the COPY.
    pub(super) schema: String,
    pub(super) table: String,
    /// Its place among those that share a stage.
    pub(super) place: usize,
    /// Whether it takes its events one by one in their order, together with all others of its place.
    pub(super) one_by_one: bool,
}

/// Makes staged handlers, one after another, in the order of their event types.
pub(super) struct Builder<'a> {
    connection: &'a Connection,
    module: &'a Module,
    /// By place, what the server does for a step.
    actions: Vec<String>,
    /// Where all calls stand, and each of them.
    calls: Option<(usize, Vec<call::Call>)>,
    scripts: Vec<HandlerScript>,
}

/// The function that takes the steps of a transaction.
pub(super) struct Staging {
    walk: Statement,
    scripts: Vec<HandlerScript>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(connection: &'a Connection, module: &'a Module) -> Builder<'a> {
        Builder { connection, module, actions: Vec::new(), calls: None, scripts: Vec::new() }
    }

    /// A handler in SQL: its script becomes a function over a view of the staged events of a step.
    pub(super) fn sql(
        &mut self,
        handler: &Handler,
        script: &Script,
        event_type: &EventType,
    ) -> Result<StagedHandler, LoadError> {
        let columns = event_table::columns_of(event_type);
        let table = EventTable::create(self.connection, event_type, &columns)?;
        let view = event_table::snake_case(&event_type.name);
        self.refuse_hidden_table(handler, &view)?;
        let names: Vec<String> = columns.iter().map(|(name, _)| quoted(name)).collect();
        let create = format!(
            "CREATE TEMPORARY VIEW {} AS SELECT {} FROM pg_temp.{} WHERE {STAGE} = current_setting('etl.stage')::integer",
            quoted(&view),
            names.join(", "),
            quoted(&table.name)
        );
        let doing = format!("making the view `{view}` of staged events");
        self.connection.run(&doing, self.connection.client.batch_execute(&create))?;
        let sql = HandlerScript::create(self.connection, &view, script)?;
        sql.try_on_no_events(self.connection, self.module, handler)?;
        self.actions.push(sql.action());
        self.scripts.push(sql);
        self.staged(handler, event_type, &table, false)
    }

    /// A table of the same name as staged events would be hidden by them, and writing to it would go astray.
    fn refuse_hidden_table(&self, handler: &Handler, staged: &str) -> Result<(), LoadError> {
        let select = "SELECT to_regclass(format('%I.%I', $1::text, $2::text)) IS NOT NULL";
        let doing = "looking for a table of the same name";
        let home = self.connection.generation.tables;
        match self.connection.run(doing, self.connection.client.query_one_scalar(select, &[&home, &staged]))? {
            false => Ok(()),
            true => {
                let message = format!("the staged events are called `{staged}`, and so is a table of the module");
                Err(LoadError::Invalid(vec![self.module.at_handler(handler, message).help("call the table otherwise")]))
            }
        }
    }

    /// A copy into a table that other handlers may look into: the rows go there in their order, with the others' effects.
    pub(super) fn copy(
        &mut self,
        handler: &Handler,
        table: &ObjectName,
        filled: &[TableColumn],
        event_type: &EventType,
    ) -> Result<StagedHandler, LoadError> {
        let mut columns: Vec<(String, String)> =
            filled.iter().map(|column| (column.name.clone(), column.type_name.clone())).collect();
        columns.push((POSITION.to_string(), "bigint".to_string()));
        let staged = EventTable::create(self.connection, event_type, &columns)?;
        let names: Vec<String> = filled.iter().map(|column| quoted(&column.name)).collect();
        let values: Vec<String> = names.iter().map(|name| format!("e.{name}")).collect();
        self.actions.push(format!(
            "INSERT INTO {}.{} ({}) SELECT {} FROM pg_temp.{} e WHERE e.{STAGE} = {STAGE_NOW} ORDER BY e.{POSITION};",
            quoted(self.connection.schema(&table.schema)),
            quoted(&table.name),
            names.join(", "),
            values.join(", "),
            quoted(&staged.name)
        ));
        self.staged(&with_position(handler), event_type, &staged, true)
    }

    /// A handler that calls a function.
    pub(super) fn call(
        &mut self,
        handler: &Handler,
        function: &ObjectName,
        event_type: &EventType,
    ) -> Result<StagedHandler, LoadError> {
        let parameters = call::parameters(self.connection, self.module, handler, function, event_type)?;
        let mut columns: Vec<(String, String)> =
            parameters.iter().map(|parameter| (parameter.name.clone(), parameter.type_name.clone())).collect();
        columns.push((POSITION.to_string(), "bigint".to_string()));
        let staged = EventTable::create(self.connection, event_type, &columns)?;
        let call = call::Call::new(self.connection.schema(&function.schema), function, &parameters, &staged.name);
        call.check(self.connection, self.module, handler)?;
        let place = match &mut self.calls {
            Some((place, calls)) => {
                calls.push(call);
                *place
            }
            None => {
                let place = self.actions.len();
                // What stands here is known when all calls are.
                self.actions.push(String::new());
                self.calls = Some((place, vec![call]));
                place
            }
        };
        let mut filled = with_position(handler);
        filled.columns.extend(parameters.into_iter().map(|parameter| ColumnSource {
            column: parameter.name,
            field: parameter.field,
            span: handler.span.clone(),
        }));
        let staged = self.staged(&filled, event_type, &staged, true)?;
        Ok(StagedHandler { place, ..staged })
    }

    fn staged(
        &self,
        filled: &Handler,
        event_type: &EventType,
        table: &EventTable,
        one_by_one: bool,
    ) -> Result<StagedHandler, LoadError> {
        self.refuse_hidden_table(filled, &table.name)?;
        let plan = RowPlan::compile(self.module, filled, &table.name, event_type, &table.columns)
            .map_err(LoadError::Invalid)?;
        let (schema, table) = (table.schema.clone(), table.name.clone());
        Ok(StagedHandler { plan, schema, table, place: self.actions.len() - 1, one_by_one })
    }

    /// The steps of a transaction, none yet, and the function over all places; nothing when no handler is staged.
    pub(super) fn finish(mut self, strict: bool) -> Result<Option<(Stages, Staging)>, LoadError> {
        if self.actions.is_empty() {
            return Ok(None);
        }
        if let Some((place, calls)) = &self.calls {
            self.actions[*place] = call::in_order(calls);
        }
        let whens: Vec<String> =
            self.actions.iter().enumerate().map(|(place, action)| format!("WHEN {place} THEN {action}")).collect();
        plans::make(self.connection)?;
        let create = format!(
            "CREATE FUNCTION pg_temp.etl_walk(stages integer[], places integer[]) RETURNS void
             LANGUAGE plpgsql AS $walk$
             #variable_conflict use_column
             <<etl_walk>>
             DECLARE stage integer; etl_event record; calls bigint := 0; plans_last bigint := {};
             BEGIN
                 FOR step IN 1 .. cardinality(places) LOOP
                     PERFORM set_config('{}', (step <= {STEPS_ALL} OR step & (step - 1) = 0)::text, true);
                     {}
                     stage := stages[step];
                     PERFORM set_config('etl.stage', {STAGE_NOW}::text, true);
                     CASE places[step] {} END CASE;
                 END LOOP;
             END $walk$",
            call::PLANS_LAST,
            plans::DUE,
            plans::RENEW_IF_DUE,
            whens.join("\n")
        );
        let doing = "making the function that runs the handlers";
        self.connection.run(doing, self.connection.client.batch_execute(&create))?;
        let walk = self.connection.client.prepare("SELECT pg_temp.etl_walk($1, $2)");
        let walk = self.connection.run(doing, walk)?;
        Ok(Some((Stages::new(self.actions.len(), strict), Staging { walk, scripts: self.scripts })))
    }
}

/// The handler, which also fills the column that orders its staged events.
fn with_position(handler: &Handler) -> Handler {
    let mut filled = handler.clone();
    let (column, field) = (POSITION.to_string(), "position".to_string());
    filled.columns.push(ColumnSource { column, field, span: handler.span.clone() });
    filled
}

impl Staging {
    /// Brings the staged events into effect, within the caller's transaction and in one round trip.
    pub(super) fn walk(&self, connection: &Connection, stages: &Stages) -> Result<(), LoadError> {
        let (stages, places): (Vec<i32>, Vec<i32>) =
            stages.steps().map(|step: Step| (step.stage as i32, step.handler as i32)).unzip();
        if places.is_empty() {
            return Ok(());
        }
        let walk = async { connection.client.execute(&self.walk, &[&stages, &places]).await };
        match connection.run("running the handlers", walk) {
            Ok(_) => Ok(()),
            Err(LoadError::Postgres { database, problem, help, error, .. }) => {
                let doing = self.place(&error).unwrap_or_else(|| "running the handlers".to_string());
                Err(LoadError::Postgres { database, doing, problem, help, error })
            }
            Err(other) => Err(other),
        }
    }

    /// The handler's file and line that the server was at, by the context of its error.
    fn place(&self, error: &tokio_postgres::Error) -> Option<String> {
        if let Some(place) = self.scripts.iter().find_map(|script| script.place(error)) {
            return Some(format!("running {place}"));
        }
        // A call: what the server says of the function that it was in.
        let function = error.as_db_error()?.where_()?.lines().next()?;
        Some(format!("running the handlers, in {function}"))
    }
}
