//! Handlers that call a function of the module's schema, once for each event.
//!
//! A parameter takes the event's field of its own name, or of its name without the `p_` or `_` that keeps parameters
//! apart from columns. Events of all types that are handled by calls take effect one after another, in their order.

use etl_schemas::diagnostic::did_you_mean;
use etl_schemas::event::{ENGINE_FIELDS, EventType};

use super::plans::RENEW;
use super::{POSITION, STAGE, STAGE_NOW};
use crate::LoadError;
use crate::module::{Handler, Module, ObjectName};
use crate::postgres::connection::Connection;
use crate::postgres::quoted;

/// After so many calls in a transaction plans are made anew, and again whenever there have been twice as many. A function
/// keeps the plans of its first calls, and where those found its tables empty, they read all of a table for each of the
/// fifty thousand that follow.
pub(super) const PLANS_LAST: u32 = 16;

/// A parameter that an event's field fills.
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) type_name: String,
    pub(super) field: String,
}

/// A function with the staged events that it is called with.
pub(super) struct Call {
    /// `"public"."f"("a" => e."a")`
    expression: String,
    staged: String,
}

impl Call {
    pub(super) fn new(schema: &str, function: &ObjectName, parameters: &[Parameter], staged: &str) -> Call {
        let list: Vec<String> =
            parameters.iter().map(|Parameter { name, .. }| format!("{0} => e.{0}", quoted(name))).collect();
        let expression = format!("{}.{}({})", quoted(schema), quoted(&function.name), list.join(", "));
        Call { expression, staged: quoted(staged) }
    }

    /// Lets the server look at the call, without calling.
    pub(super) fn check(&self, connection: &Connection, module: &Module, handler: &Handler) -> Result<(), LoadError> {
        let select = format!("SELECT {} FROM pg_temp.{} e", self.expression, self.staged);
        match connection.run("checking a call", connection.client.prepare(&select)) {
            Ok(_) => Ok(()),
            Err(LoadError::Postgres { problem, error, .. }) if error.as_db_error().is_some() => {
                Err(LoadError::Invalid(vec![module.at_handler(handler, problem)]))
            }
            Err(other) => Err(other),
        }
    }
}

/// The loop over all staged calls of a step, in PL/pgSQL.
pub(super) fn in_order(calls: &[Call]) -> String {
    let events = calls.iter().enumerate().map(|(index, call)| {
        format!(
            "SELECT e.{POSITION} AS at, {index} AS kind, e.ctid AS place FROM pg_temp.{} e WHERE e.{STAGE} = {STAGE_NOW}",
            call.staged
        )
    });
    let whens = calls.iter().enumerate().map(|(index, Call { expression, staged })| {
        format!(
            "WHEN {index} THEN PERFORM {expression} FROM pg_temp.{staged} e WHERE e.ctid = etl_walk.etl_event.place;"
        )
    });
    format!(
        "FOR etl_event IN {} ORDER BY 1 LOOP
             CASE etl_event.kind {} END CASE;
             calls := calls + 1;
             IF calls = plans_last THEN
                 {RENEW};
                 plans_last := plans_last * 2;
             END IF;
         END LOOP;",
        events.collect::<Vec<_>>().join(" UNION ALL "),
        whens.collect::<Vec<_>>().join(" ")
    )
}

/// The parameters of the function, each with the field that fills it. Those with a default may stay without one.
pub(super) fn parameters(
    connection: &Connection,
    module: &Module,
    handler: &Handler,
    function: &ObjectName,
    event_type: &EventType,
) -> Result<Vec<Parameter>, LoadError> {
    let refused =
        |message: String, help: String| Err(LoadError::Invalid(vec![module.at_handler(handler, message).help(help)]));
    let select = "SELECT p.pronargdefaults::integer, p.proargmodes IS NULL AND p.prokind = 'f',
                         ARRAY(SELECT COALESCE(p.proargnames[i], '') FROM unnest(p.proargtypes) WITH ORDINALITY t(type, i)),
                         ARRAY(SELECT format_type(type, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY t(type, i))
                  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = $1 AND p.proname = $2";
    let schema = connection.schema(&function.schema);
    let doing = format!("looking for the function `{function}`");
    let found = connection.run(&doing, connection.client.query(select, &[&schema, &function.name]))?;
    let row = match found.as_slice() {
        [row] => row,
        [] => {
            let known = "SELECT p.proname::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                         WHERE n.nspname = $1 ORDER BY 1";
            let known = connection.run(&doing, connection.client.query(known, &[&schema]))?;
            let known: Vec<String> = known.iter().map(|row| row.get(0)).collect();
            let help = did_you_mean(&function.name, known.iter().map(String::as_str));
            return refused(format!("{} makes no function `{function}`", module.schema.path.display()), help);
        }
        _ => return refused(format!("there are {} functions `{function}`", found.len()), "keep one".to_string()),
    };
    if !row.get::<_, bool>(1) {
        let help = "only functions with plain parameters can be called: no procedure, no OUT, no VARIADIC";
        return refused(format!("`{function}` can't be called for an event"), help.to_string());
    }
    let (names, types): (Vec<String>, Vec<String>) = (row.get(2), row.get(3));
    let required = names.len() - usize::try_from(row.get::<_, i32>(0)).unwrap_or(0);
    let mut parameters = Vec::new();
    for (index, (name, type_name)) in names.into_iter().zip(types).enumerate() {
        match field_of(&name, event_type) {
            Some(field) => parameters.push(Parameter { name, type_name, field }),
            None if index >= required => {}
            None => {
                let fields = event_type.fields.iter().map(|field| field.name.as_str()).chain(ENGINE_FIELDS);
                let help = format!(
                    "call it like a field, also with `p_` or `_` before it; {}",
                    did_you_mean(&name, fields.collect::<Vec<_>>())
                );
                return refused(
                    format!("`{}` has no field for parameter `{name}` of `{function}`", event_type.name),
                    help,
                );
            }
        }
    }
    Ok(parameters)
}

fn field_of(parameter: &str, event_type: &EventType) -> Option<String> {
    let plain = parameter.strip_prefix("p_").or_else(|| parameter.strip_prefix('_'));
    let is_known = |name: &&str| event_type.field(name).is_some() || ENGINE_FIELDS.contains(name);
    [Some(parameter), plain].into_iter().flatten().find(is_known).map(String::from)
}
