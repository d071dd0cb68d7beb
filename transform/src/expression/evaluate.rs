//! Evaluation of an expression for one row.

use bumpalo::Bump;
use etl_schemas::ticks::Ticks;
use thiserror::Error;

use super::build::{append, concat, name_uuid};
use super::condition::{is_distinct, is_in, truth};
use super::shared::shared;
use super::{
    Arithmetic, Case, CastTarget, Expr, Like, Literal, Memo, Slot, Type, Value, arithmetic, text, time, write_text,
};
use crate::zone::Zone;

/// Why a row has no value here; it goes to quarantine with this sentence.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EvaluateError {
    /// A CAST of what doesn't convert.
    #[error("`{value}` can't be cast to {target}")]
    Cast {
        /// The value's text, cut to 60 characters.
        value: String,
        /// The type it should become.
        target: Type,
    },
    /// A result past its type's range.
    #[error("the result is out of range of {what}")]
    OutOfRange {
        /// The type.
        what: &'static str,
    },
    /// A division by zero.
    #[error("division by zero")]
    DivisionByZero,
    /// A substring of negative length.
    #[error("the length of a substring is negative")]
    NegativeLength,
    /// A time that leaves the calendar when its zone is reckoned in.
    #[error("{0} leaves the years 0001 to 9999 when its time zone is reckoned in")]
    OffCalendar(Ticks),
    /// Field 0 of `split_part`.
    #[error("split_part counts from 1, or from -1 at the end; there is no part 0")]
    PartZero,
    /// Text that names no value of an enum.
    #[error("`{value}` is no value of enum {name}")]
    UnknownEnumValue {
        /// The text, cut to 60 characters.
        value: String,
        /// The enum.
        name: String,
    },
}

/// A value, or why there is none. The error is boxed, since every node of a tree hands one of these up for every row.
pub type Evaluated<T> = Result<T, Box<EvaluateError>>;

impl EvaluateError {
    #[cold]
    pub(super) fn cast(value: &Value<'_>, target: Type) -> EvaluateError {
        let mut text = String::new();
        write_text(&mut text, value).expect("a string takes everything");
        EvaluateError::Cast { value: excerpt(&text), target }
    }
}

#[cold]
fn unknown_enum_value(text: &str, name: &str) -> Box<EvaluateError> {
    Box::new(EvaluateError::UnknownEnumValue { value: excerpt(text), name: name.to_string() })
}

/// The first 60 characters, so that a message stays readable.
fn excerpt(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.to_string(),
    }
}

/// What an expression sees: the row's columns, those of its lookups, and room for what it makes.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Columns of the driving table.
    pub row: &'a [Value<'a>],
    /// Columns of the joined lookups; all NULL where a LEFT JOIN found nothing.
    pub joined: &'a [Value<'a>],
    /// Emptied by the caller after the row.
    pub arena: &'a Bump,
    /// What the row's mappings share; empty where nothing is remembered.
    pub memos: &'a [Memo],
}

impl Expr {
    /// The value for one row. Leaves, which most operands are, are read on the spot.
    #[inline]
    pub fn evaluate<'a>(&'a self, context: &Context<'a>) -> Evaluated<Value<'a>> {
        match self {
            Expr::Literal(Literal::Text(text)) => Ok(Value::Text(text)),
            Expr::Literal(Literal::Value(value)) => Ok(*value),
            Expr::Column(Slot::Row(place)) => Ok(context.row[*place]),
            Expr::Column(Slot::Joined(place)) => Ok(context.joined[*place]),
            node => node.compute(context),
        }
    }

    /// Hands the value for one row to `take`: columns and constants where they stand, which most operands are. To copy a
    /// value costs as much as most of what is done with it.
    #[inline]
    pub(crate) fn look<'a, T>(
        &'a self,
        context: &Context<'a>,
        take: impl FnOnce(&Value<'a>) -> Evaluated<T>,
    ) -> Evaluated<T> {
        match self.standing(context) {
            Some(value) => take(value),
            // What is made is looked at where it is made as well; so an error, which is rare, has to be copied.
            None => match &self.evaluate(context) {
                Ok(value) => take(value),
                Err(error) => Err(error.clone()),
            },
        }
    }

    /// The value of a column or of a constant that isn't text, where it stands.
    #[inline]
    pub(super) fn standing<'a>(&'a self, context: &Context<'a>) -> Option<&'a Value<'a>> {
        match self {
            Expr::Literal(Literal::Value(value)) => Some(value),
            Expr::Column(Slot::Row(place)) => Some(&context.row[*place]),
            Expr::Column(Slot::Joined(place)) => Some(&context.joined[*place]),
            _ => None,
        }
    }

    /// Every arm hands its result up as it is: gathering them in one place first cost a tenth of a run. What the arms
    /// call isn't inlined, since the largest of them would set the size of this frame, which every node pays.
    fn compute<'a>(&'a self, context: &Context<'a>) -> Evaluated<Value<'a>> {
        match self {
            Expr::Literal(_) | Expr::Column(_) => self.evaluate(context),
            Expr::Not(_) | Expr::And(..) | Expr::Or(..) | Expr::Compare(..) => self.condition(context).map(truth),
            Expr::IsNull(operand) => operand.evaluate(context).map(|value| Value::Bool(value.is_null())),
            Expr::IsBool(wanted, operand) => {
                operand.condition(context).map(|truth| Value::Bool(truth == Some(*wanted)))
            }
            Expr::IsDistinct(left, right) => is_distinct(left, right, context).map(Value::Bool),
            Expr::In(operand, list) => is_in(operand, list, context).map(truth),
            Expr::Like(like) => is_like(like, context),
            Expr::Case(case) => evaluate_case(case, context),
            Expr::Coalesce(options) => coalesce(options, context),
            Expr::NullIf(left, right) => null_if(left, right, context),
            Expr::Arithmetic(operator, left, right) => calculate(*operator, left, right, context),
            Expr::Negate(operand) => operand.evaluate(context).and_then(arithmetic::negate),
            Expr::Cast { operand, target, is_try } => cast(operand, *target, *is_try, context),
            Expr::Concat(parts) => concat(parts, context),
            Expr::Append(left, right) => append(left, right, context),
            Expr::Text(function, arguments) => call(*function, arguments, context),
            Expr::Time(function, arguments) => call_time(*function, arguments, context),
            Expr::Binary(function, operand) => Ok(function.apply(operand.evaluate(context)?, context.arena)),
            Expr::Matches(pattern, operand) => Ok(match operand.evaluate(context)? {
                Value::Text(text) => Value::Bool(pattern.is_match(text)),
                other => other,
            }),
            Expr::ReplaceMatches(replacement, operand) => Ok(match operand.evaluate(context)? {
                Value::Text(text) => Value::Text(replacement.apply(text, context.arena)),
                other => other,
            }),
            Expr::Uuid5 { namespace, kind, value } => name_uuid(namespace, kind, value, context),
            Expr::ToInstant(zone, operand) => to_instant(zone, operand, context),
            Expr::ToWall(zone, operand) => to_wall(zone, operand, context),
            Expr::EnumNumber(names, operand) => match operand.evaluate(context)? {
                Value::Text(text) => match names.number(text) {
                    Some(number) => Ok(Value::Integer(i64::from(number))),
                    None => Err(unknown_enum_value(text, &names.name)),
                },
                other => Ok(other),
            },
            Expr::Shared(place, expr) => shared(*place, expr, context),
        }
    }
}

#[inline(never)]
fn null_if<'a>(left: &'a Expr, right: &'a Expr, context: &Context<'a>) -> Evaluated<Value<'a>> {
    let value = left.evaluate(context)?;
    Ok(if value.equals(&right.evaluate(context)?) == Some(true) { Value::Null } else { value })
}

#[inline(never)]
fn cast<'a>(operand: &'a Expr, target: CastTarget, is_try: bool, context: &Context<'a>) -> Evaluated<Value<'a>> {
    let value = operand.evaluate(context)?;
    match target.convert(value, context.arena) {
        Some(converted) => Ok(converted),
        None if is_try => Ok(Value::Null),
        None => Err(Box::new(EvaluateError::cast(&value, target.result()))),
    }
}

#[inline(never)]
fn calculate<'a>(operator: Arithmetic, left: &'a Expr, right: &'a Expr, context: &Context<'a>) -> Evaluated<Value<'a>> {
    match (left.evaluate(context)?, right.evaluate(context)?) {
        (Value::Null, _) | (_, Value::Null) => Ok(Value::Null),
        (left, right) => arithmetic::apply(operator, left, right),
    }
}

#[inline(never)]
fn to_instant<'a>(zone: &Zone, operand: &'a Expr, context: &Context<'a>) -> Evaluated<Value<'a>> {
    operand.look(context, |value| match value {
        Value::Timestamp(wall) => match zone.to_instant(*wall) {
            Some(instant) => Ok(Value::Instant(instant)),
            None => Err(Box::new(EvaluateError::OffCalendar(*wall))),
        },
        other => Ok(*other),
    })
}

#[inline(never)]
fn to_wall<'a>(zone: &Zone, operand: &'a Expr, context: &Context<'a>) -> Evaluated<Value<'a>> {
    match operand.evaluate(context)? {
        Value::Instant(instant) => match zone.to_wall(instant) {
            Some(wall) => Ok(Value::Timestamp(wall)),
            None => Err(Box::new(EvaluateError::OffCalendar(instant))),
        },
        other => Ok(other),
    }
}

#[inline(never)]
fn is_like<'a>(like: &'a Like, context: &Context<'a>) -> Evaluated<Value<'a>> {
    Ok(match (like.text.evaluate(context)?, like.pattern.evaluate(context)?) {
        (Value::Text(text), Value::Text(pattern)) => Value::Bool(like.matches(text, pattern)),
        _ => Value::Null,
    })
}

#[inline(never)]
fn evaluate_case<'a>(case: &'a Case, context: &Context<'a>) -> Evaluated<Value<'a>> {
    chosen(case, context)?.evaluate(context)
}

/// The result whose branch holds, or the one otherwise.
pub(super) fn chosen<'a>(case: &'a Case, context: &Context<'a>) -> Evaluated<&'a Expr> {
    match &case.operand {
        Some(operand) => operand.look(context, |value| {
            first_branch(case, |when| when.look(context, |when| Ok(value.equals(when) == Some(true))))
        }),
        None => first_branch(case, |when| Ok(when.condition(context)? == Some(true))),
    }
}

#[inline]
fn first_branch<'a>(case: &'a Case, holds: impl Fn(&'a Expr) -> Evaluated<bool>) -> Evaluated<&'a Expr> {
    for (when, result) in &case.branches {
        if holds(when)? {
            return Ok(result);
        }
    }
    Ok(&case.otherwise)
}

#[inline(never)]
fn coalesce<'a>(options: &'a [Expr], context: &Context<'a>) -> Evaluated<Value<'a>> {
    for option in options {
        let value = option.evaluate(context)?;
        if !value.is_null() {
            return Ok(value);
        }
    }
    Ok(Value::Null)
}

#[inline(never)]
fn call<'a>(function: text::TextFunction, arguments: &'a [Expr], context: &Context<'a>) -> Evaluated<Value<'a>> {
    // Most functions take one value.
    if let [argument] = arguments {
        return argument.look(context, |value| match value {
            Value::Null => Ok(Value::Null),
            value => text::apply(function, std::slice::from_ref(value), context.arena),
        });
    }
    let mut values = [Value::Null; text::ARGUMENTS_MAX];
    for (value, argument) in values.iter_mut().zip(arguments) {
        *value = argument.evaluate(context)?;
        if value.is_null() {
            return Ok(Value::Null);
        }
    }
    text::apply(function, &values[..arguments.len()], context.arena)
}

#[inline(never)]
fn call_time<'a>(function: time::TimeFunction, arguments: &'a [Expr], context: &Context<'a>) -> Evaluated<Value<'a>> {
    let mut values = [Value::Null; time::ARGUMENTS_MAX];
    for (value, argument) in values.iter_mut().zip(arguments) {
        *value = argument.evaluate(context)?;
        if value.is_null() {
            return Ok(Value::Null);
        }
    }
    time::apply(function, &values[..arguments.len()])
}
