//! Expressions with their types, and bringing several of them to one type.

use std::sync::Arc;

use bumpalo::Bump;
use sqlparser::tokenizer::Span;

use crate::expression::{CastTarget, Context, Expr, Literal, Type, Value};
use crate::zone::Zone;

/// A compiled expression, its type, and where it stands.
#[derive(Debug)]
pub(super) struct Typed {
    pub expr: Expr,
    pub ty: Type,
    pub span: Span,
}

impl Typed {
    pub(super) fn new(expr: Expr, ty: Type, span: Span) -> Typed {
        Typed { expr, ty, span }
    }

    /// The text of a text literal.
    pub(super) fn literal_text(&self) -> Option<&str> {
        match &self.expr {
            Expr::Literal(Literal::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The value of an integer literal.
    pub(super) fn literal_integer(&self) -> Option<i64> {
        match self.expr {
            Expr::Literal(Literal::Value(Value::Integer(value))) => Some(value),
            _ => None,
        }
    }

    /// A conversion, carried out at once for a literal.
    pub(super) fn cast(self, target: CastTarget) -> Result<Typed, String> {
        if self.ty == target.result() || self.ty == Type::Null {
            return Ok(self);
        }
        let is_literal = matches!(self.expr, Expr::Literal(_));
        let expr = Expr::Cast { operand: Box::new(self.expr), target, is_try: false };
        let expr = if is_literal { constant(&expr)? } else { expr };
        Ok(Typed { expr, ty: target.result(), span: self.span })
    }

    /// As an instant: a wall-clock time by the project's zone.
    pub(super) fn into_instant(self, zone: Option<&Arc<Zone>>) -> Result<Typed, String> {
        match (self.ty, zone) {
            (Type::Timestamp, Some(zone)) => {
                let expr = Expr::ToInstant(Arc::clone(zone), Box::new(self.expr));
                Ok(Typed { expr, ty: Type::Instant, span: self.span })
            }
            (Type::Timestamp, None) => Err("this is a wall-clock time without a zone".to_string()),
            _ => Ok(self),
        }
    }
}

/// Evaluates what has no columns.
fn constant(expr: &Expr) -> Result<Expr, String> {
    let arena = Bump::new();
    let value = expr
        .evaluate(&Context { row: &[], joined: &[], arena: &arena, memos: &[] })
        .map_err(|error| error.to_string())?;
    Ok(match value {
        Value::Text(text) => Expr::text(text),
        Value::Null => Expr::null(),
        Value::Bool(value) => Expr::constant(Value::Bool(value)),
        Value::Integer(value) => Expr::constant(Value::Integer(value)),
        Value::Decimal(value) => Expr::constant(Value::Decimal(value)),
        Value::Double(value) => Expr::constant(Value::Double(value)),
        Value::Uuid(value) => Expr::constant(Value::Uuid(value)),
        Value::Date(value) => Expr::constant(Value::Date(value)),
        Value::Time(value) => Expr::constant(Value::Time(value)),
        Value::Timestamp(value) => Expr::constant(Value::Timestamp(value)),
        Value::Instant(value) => Expr::constant(Value::Instant(value)),
        Value::Interval(value) => Expr::constant(Value::Interval(value)),
        Value::Bytes(_) => unreachable!("no conversion of a literal gives bytes"),
    })
}

/// The type to which all of them can be brought, or the two that don't agree.
pub(super) fn common_type(items: &[Typed]) -> Result<Type, (usize, Type, Type)> {
    let mut common = Type::Null;
    // Text literals take the type of the others, as untyped literals do in Postgres, so they come last.
    for literals in [false, true] {
        for (place, item) in items.iter().enumerate() {
            if item.literal_text().is_some() == literals {
                common = agree(common, item).ok_or((place, item.ty, common))?;
            }
        }
    }
    Ok(common)
}

fn agree(common: Type, item: &Typed) -> Option<Type> {
    use Type as T;
    let zero_or_one = matches!(item.literal_integer(), Some(0 | 1));
    Some(match (common, item.ty) {
        (left, right) if left == right => left,
        (T::Null, other) | (other, T::Null) => other,
        (other, T::Text) if item.literal_text().is_some() => other,
        // SQL Server's bit is compared with 0 and 1.
        (T::Bool, T::Integer) if zero_or_one => T::Bool,
        (left, right) if left.is_numeric() && right.is_numeric() => match (left, right) {
            (T::Double, _) | (_, T::Double) => T::Double,
            _ => T::Decimal,
        },
        (T::Date, T::Timestamp) | (T::Timestamp, T::Date) => T::Timestamp,
        (T::Timestamp, T::Instant) | (T::Instant, T::Timestamp) => T::Instant,
        _ => return None,
    })
}

/// The conversion to a common type; `None` for bytes, into which nothing converts.
pub(super) fn target(ty: Type) -> Option<CastTarget> {
    Some(match ty {
        Type::Null | Type::Bytes => return None,
        Type::Bool => CastTarget::Bool,
        Type::Integer => CastTarget::Integer(64),
        Type::Decimal => CastTarget::Decimal(None),
        Type::Double => CastTarget::Double,
        Type::Text => CastTarget::Text(None),
        Type::Uuid => CastTarget::Uuid,
        Type::Date => CastTarget::Date,
        Type::Time => CastTarget::Time,
        Type::Timestamp => CastTarget::Timestamp,
        Type::Instant => CastTarget::Instant,
        Type::Interval => CastTarget::Interval,
    })
}

/// Brings an expression to a type that [`common_type`] found.
pub(super) fn coerce(item: Typed, ty: Type, zone: Option<&Arc<Zone>>) -> Result<Typed, String> {
    if item.ty == ty || item.ty == Type::Null {
        return Ok(item);
    }
    if ty == Type::Instant && item.literal_text().is_none() {
        let wall = item.cast(CastTarget::Timestamp)?;
        return wall.into_instant(zone);
    }
    match target(ty) {
        Some(target) => item.cast(target),
        None => Err(format!("this is no {ty}")),
    }
}
