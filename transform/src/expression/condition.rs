//! Conditions: three-valued logic, comparisons, membership. What a WHERE, a CASE and a join decide by.
//!
//! In: an expression that is boolean, and a row. Out: true, false, or `None` for NULL.

use std::cmp::Ordering;

use super::evaluate::{Context, Evaluated};
use super::{Comparison, Expr, Value};

impl Expr {
    /// The value of a condition; `None` is NULL. AND and OR don't look at their right side when the left one decides.
    /// Columns and constants are looked at where they stand; what else there may be is kept out of this frame, which every
    /// part of a condition pays.
    pub fn condition<'a>(&'a self, context: &Context<'a>) -> Evaluated<Option<bool>> {
        match self {
            Expr::And(left, right) => match left.condition(context)? {
                Some(false) => Ok(Some(false)),
                Some(true) => right.condition(context),
                None => Ok(right.condition(context)?.filter(|right| !right)),
            },
            Expr::Or(left, right) => match left.condition(context)? {
                Some(true) => Ok(Some(true)),
                Some(false) => right.condition(context),
                None => Ok(right.condition(context)?.filter(|right| *right)),
            },
            Expr::Not(operand) => Ok(operand.condition(context)?.map(|truth| !truth)),
            Expr::IsNull(operand) => match operand.standing(context) {
                Some(value) => Ok(Some(value.is_null())),
                None => is_null(operand, context),
            },
            Expr::Compare(comparison, left, right) => match (left.standing(context), right.standing(context)) {
                (Some(left), Some(right)) => Ok(holds(*comparison, left, right)),
                _ => is_so(*comparison, left, right, context),
            },
            other => truth_of(other, context),
        }
    }
}

/// What is no condition by its form.
#[inline(never)]
fn truth_of<'a>(expr: &'a Expr, context: &Context<'a>) -> Evaluated<Option<bool>> {
    match expr.evaluate(context)? {
        Value::Null => Ok(None),
        Value::Bool(truth) => Ok(Some(truth)),
        value => unreachable!("the compiler checked that a condition is boolean, not {value:?}"),
    }
}

#[inline(never)]
fn is_null<'a>(operand: &'a Expr, context: &Context<'a>) -> Evaluated<Option<bool>> {
    operand.evaluate(context).map(|value| Some(value.is_null()))
}

pub(super) fn truth(value: Option<bool>) -> Value<'static> {
    value.map_or(Value::Null, Value::Bool)
}

#[inline(never)]
fn is_so<'a>(
    comparison: Comparison,
    left: &'a Expr,
    right: &'a Expr,
    context: &Context<'a>,
) -> Evaluated<Option<bool>> {
    Ok(holds(comparison, &left.evaluate(context)?, &right.evaluate(context)?))
}

#[inline]
fn holds(comparison: Comparison, left: &Value<'_>, right: &Value<'_>) -> Option<bool> {
    let order = match (left, right) {
        (Value::Null, _) | (_, Value::Null) => return None,
        (Value::Integer(left), Value::Integer(right)) => left.cmp(right),
        (Value::Timestamp(left), Value::Timestamp(right)) => left.cmp(right),
        _ => return other_holds(comparison, left, right),
    };
    Some(is_as(comparison, order))
}

/// Of types that are seldom compared.
#[inline(never)]
fn other_holds(comparison: Comparison, left: &Value<'_>, right: &Value<'_>) -> Option<bool> {
    match comparison {
        Comparison::Equal => left.equals(right),
        Comparison::NotEqual => left.equals(right).map(|equal| !equal),
        _ => left.compare(right).map(|order| is_as(comparison, order)),
    }
}

#[inline]
fn is_as(comparison: Comparison, order: Ordering) -> bool {
    match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    }
}

pub(super) fn is_distinct<'a>(left: &'a Expr, right: &'a Expr, context: &Context<'a>) -> Evaluated<bool> {
    let (left, right) = (left.evaluate(context)?, right.evaluate(context)?);
    Ok(match left.equals(&right) {
        Some(equal) => !equal,
        None => left.is_null() != right.is_null(),
    })
}

#[inline(never)]
pub(super) fn is_in<'a>(operand: &'a Expr, list: &'a [Expr], context: &Context<'a>) -> Evaluated<Option<bool>> {
    let operand = operand.evaluate(context)?;
    let mut answer = Some(false);
    for item in list {
        match operand.equals(&item.evaluate(context)?) {
            Some(true) => return Ok(Some(true)),
            Some(false) => {}
            None => answer = None,
        }
    }
    Ok(answer)
}
