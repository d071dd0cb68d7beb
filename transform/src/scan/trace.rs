//! One row through every mapping of its table, with all that was looked at on the way.
//!
//! What became of the row is said by the very code that a run uses; the values beside it are evaluated once more, for a
//! person to read. This is for single rows: it allocates.

use bumpalo::Bump;
use etl_schemas::event::EventFieldKind;

use super::block::{Joined, MappingScanner, TableScanner};
use super::lookup::Lookups;
use crate::expression::{Context, EvaluateError, Expr, Value, write_text};
use crate::mapping::{ConditionText, Mapping};
use crate::order::Entry;

/// A value as text; `None` is NULL. The error says why there is none.
pub(crate) type Traced = Result<Option<String>, String>;

/// What one mapping made of a row.
pub(crate) struct Trace {
    /// Place of the mapping in the program.
    pub mapping: usize,
    /// The joins as they are written, the key each looked for, and whether it was there.
    pub joins: Vec<(String, Traced, bool)>,
    /// The conditions of the WHERE, one by one.
    pub conditions: Vec<(String, Traced)>,
    /// Every column's name, expression and value; empty for a row that was filtered.
    pub values: Vec<(String, String, Traced)>,
    pub outcome: TraceOutcome,
}

pub(crate) enum TraceOutcome {
    /// An event, whose bytes lie in the arena.
    Event(Entry, Vec<u8>),
    /// The condition or the join that dropped the row.
    Filtered(String),
    Rejected(String),
}

impl TableScanner<'_> {
    /// Takes a row through all mappings; the error says why the row can't be read.
    pub(crate) fn trace(&self, row: &[u8], lookups: &Lookups) -> Result<Vec<Trace>, String> {
        let mut values: Vec<Value<'_>> = Vec::new();
        self.decoder.decode(row, &mut values).map_err(|reason| reason.to_string())?;
        Ok(self.mappings.iter().map(|mapping| mapping.trace(&values, lookups)).collect())
    }
}

impl MappingScanner<'_> {
    fn trace<'a>(&self, row: &[Value<'a>], lookups: &'a Lookups) -> Trace {
        let (bump, mut arena) = (Bump::new(), Vec::new());
        let mut joined = Joined { found: Vec::new(), values: Vec::new() };
        let made = self.run(row, &mut joined, lookups, &bump, &[], &mut arena);
        // A join that is missed leaves the columns of those behind it NULL, which is how far the run came as well.
        let context = &Context { row, joined: &joined.values, arena: &bump, memos: &[] };
        let joins = self.trace_joins(context, lookups);
        let missed = |join: &&(String, Traced, bool)| join.1.is_ok() && !join.2 && join.0.starts_with("JOIN");
        let dropped_by = joins.iter().find(missed).map(|join| join.0.clone());
        let mut conditions = Vec::new();
        if let (Some(condition), Some(text), None) =
            (&self.mapping.condition, &self.mapping.text.condition, &dropped_by)
        {
            trace_condition(condition, text, context, &mut conditions);
        }
        let outcome = match made {
            Ok(Some(entry)) => TraceOutcome::Event(entry, arena),
            Ok(None) => TraceOutcome::Filtered(dropped_by.unwrap_or_else(|| dropping(&conditions))),
            Err(reason) => TraceOutcome::Rejected(reason.to_string()),
        };
        let values = match outcome {
            TraceOutcome::Filtered(_) => Vec::new(),
            _ => columns(self.mapping, context),
        };
        Trace { mapping: self.place, joins, conditions, values, outcome }
    }

    fn trace_joins(&self, context: &Context<'_>, lookups: &Lookups) -> Vec<(String, Traced, bool)> {
        let joins = self.joins.iter().zip(&self.mapping.text.joins).map(|((join, _), text)| {
            let key = join.key.evaluate(context);
            let found = key.as_ref().is_ok_and(|key| lookups.get(join.lookup).find(key).is_some());
            (text.clone(), shown(key), found)
        });
        joins.collect()
    }
}

/// The conditions of a WHERE, as far as its text can be followed into its tree.
fn trace_condition(expr: &Expr, text: &ConditionText, context: &Context<'_>, out: &mut Vec<(String, Traced)>) {
    match (expr.itself(), text) {
        (Expr::And(left, right), ConditionText::And(left_text, right_text)) => {
            trace_condition(left, left_text, context, out);
            trace_condition(right, right_text, context, out);
        }
        _ => out.push((text.whole(), shown(expr.evaluate(context)))),
    }
}

/// The first condition that doesn't hold.
fn dropping(conditions: &[(String, Traced)]) -> String {
    let first = conditions.iter().find(|(_, value)| !matches!(value, Ok(Some(text)) if text == "true"));
    first.map_or_else(|| "WHERE".to_string(), |(text, _)| format!("WHERE {text}"))
}

fn columns(mapping: &Mapping, context: &Context<'_>) -> Vec<(String, String, Traced)> {
    let engine = [("occurred_at", &mapping.occurred_at), ("key", &mapping.key), ("stream", &mapping.stream)];
    let mut columns = Vec::with_capacity(3 + mapping.fields.len());
    for (name, expr) in engine {
        columns.push((name.to_string(), mapping.text.column(name).to_string(), shown(expr.evaluate(context))));
    }
    for field in &mapping.fields {
        let mut value = shown(field.value.evaluate(context));
        if let (EventFieldKind::Enum(descriptor), Ok(Some(number))) = (&field.kind, &value) {
            let known = number.parse().ok().and_then(|number| descriptor.get_value(number));
            value = Ok(Some(known.map_or_else(|| number.clone(), |known| known.name().to_string())));
        }
        columns.push((field.name.clone(), mapping.text.column(&field.name).to_string(), value));
    }
    columns
}

fn shown(value: Result<Value<'_>, Box<EvaluateError>>) -> Traced {
    match value {
        Err(error) => Err(error.to_string()),
        Ok(Value::Null) => Ok(None),
        Ok(value) => {
            let mut text = String::new();
            write_text(&mut text, &value).expect("a string takes everything");
            Ok(Some(text))
        }
    }
}
