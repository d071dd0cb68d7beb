//! Arithmetic: 64-bit integers, exact decimals, doubles. Overflow is an error everywhere.

use super::evaluate::{EvaluateError, Evaluated};
use super::{Arithmetic, Value};
use crate::decimal::{Decimal, DecimalError};

/// Applies an operator to two values of one numeric type.
pub(super) fn apply(operator: Arithmetic, left: Value<'_>, right: Value<'_>) -> Evaluated<Value<'static>> {
    match (left, right) {
        (Value::Integer(left), Value::Integer(right)) => integers(operator, left, right).map(Value::Integer),
        (Value::Decimal(left), Value::Decimal(right)) => decimals(operator, left, right).map(Value::Decimal),
        (Value::Double(left), Value::Double(right)) => doubles(operator, left, right).map(Value::Double),
        (left, right) => unreachable!("the compiler brings both sides to one type, not {left:?} and {right:?}"),
    }
}

fn integers(operator: Arithmetic, left: i64, right: i64) -> Evaluated<i64> {
    let result = match operator {
        Arithmetic::Add => left.checked_add(right),
        Arithmetic::Subtract => left.checked_sub(right),
        Arithmetic::Multiply => left.checked_mul(right),
        Arithmetic::Divide | Arithmetic::Remainder if right == 0 => {
            return Err(Box::new(EvaluateError::DivisionByZero));
        }
        Arithmetic::Divide => left.checked_div(right),
        // The smallest integer modulo -1 overflows in the processor, but its remainder is 0.
        Arithmetic::Remainder => Some(left.wrapping_rem(right)),
    };
    result.ok_or_else(|| out_of_range("bigint"))
}

fn decimals(operator: Arithmetic, left: Decimal, right: Decimal) -> Evaluated<Decimal> {
    let result = match operator {
        Arithmetic::Add => left.checked_add(right),
        Arithmetic::Subtract => left.checked_add(right.negate()),
        Arithmetic::Multiply => left.checked_multiply(right),
        Arithmetic::Divide => left.checked_divide(right),
        Arithmetic::Remainder => left.checked_remainder(right),
    };
    result.map_err(|error| match error {
        DecimalError::DivisionByZero => Box::new(EvaluateError::DivisionByZero),
        DecimalError::Overflow | DecimalError::Syntax => out_of_range("decimal"),
    })
}

fn doubles(operator: Arithmetic, left: f64, right: f64) -> Evaluated<f64> {
    let result = match operator {
        Arithmetic::Add => left + right,
        Arithmetic::Subtract => left - right,
        Arithmetic::Multiply => left * right,
        Arithmetic::Divide | Arithmetic::Remainder if right == 0.0 => {
            return Err(Box::new(EvaluateError::DivisionByZero));
        }
        Arithmetic::Divide => left / right,
        Arithmetic::Remainder => left % right,
    };
    match result.is_infinite() && left.is_finite() && right.is_finite() {
        true => Err(out_of_range("double precision")),
        false => Ok(result),
    }
}

/// Changes a number's sign.
pub(super) fn negate(value: Value<'_>) -> Evaluated<Value<'_>> {
    Ok(match value {
        Value::Null => Value::Null,
        Value::Integer(value) => Value::Integer(value.checked_neg().ok_or_else(|| out_of_range("bigint"))?),
        Value::Decimal(value) => Value::Decimal(value.negate()),
        Value::Double(value) => Value::Double(-value),
        other => unreachable!("the compiler negates numbers only, not {other:?}"),
    })
}

#[cold]
fn out_of_range(what: &'static str) -> Box<EvaluateError> {
    Box::new(EvaluateError::OutOfRange { what })
}
