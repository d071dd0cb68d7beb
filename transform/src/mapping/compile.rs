//! From the parser's expressions to the typed tree.
//!
//! Errors are collected: an expression that can't be compiled has been reported when [`Reported`] comes back, and its
//! neighbours are compiled all the same.

use std::sync::Arc;

use etl_schemas::diagnostic::Diagnostic;
use sqlparser::ast::{self, CastKind, Spanned, Value as SqlValue};
use sqlparser::tokenizer::Span;
use uuid::Uuid;

use super::data_type::cast_target;
use super::scope::{Scope, column_type};
use super::source::SourceFile;
use super::typed::{Typed, coerce, common_type};
use crate::decimal::Decimal;
use crate::expression::{Case, CastTarget, Expr, Type, Value};
use crate::zone::Zone;

/// The error stands in the compiler's list already.
pub(super) struct Reported;

/// Deeper trees are refused, because they are walked recursively for every row.
const DEPTH_MAX: usize = 200;

/// Compiles the expressions of one mapping.
pub(super) struct Compiler<'a> {
    pub file: &'a SourceFile,
    pub scope: Scope<'a>,
    /// Namespace of `uuid5`.
    pub namespace: Uuid,
    /// The zone of wall-clock times that don't name one.
    pub zone: Option<Arc<Zone>>,
    pub errors: &'a mut Vec<Diagnostic>,
    pub depth: usize,
}

impl Compiler<'_> {
    /// Reports an error.
    pub(super) fn fail<T>(
        &mut self,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Result<T, Reported> {
        self.errors.push(self.file.error(span, message).help(help));
        Err(Reported)
    }

    /// Compiles any expression.
    pub(super) fn expression(&mut self, ast: &ast::Expr) -> Result<Typed, Reported> {
        self.depth += 1;
        let compiled = match self.depth > DEPTH_MAX {
            true => self.fail(ast.span(), "this expression is nested too deeply", "split it into smaller ones"),
            false => self.any(ast),
        };
        self.depth -= 1;
        compiled
    }

    fn any(&mut self, ast: &ast::Expr) -> Result<Typed, Reported> {
        use ast::Expr as A;
        let span = ast.span();
        match ast {
            A::Identifier(name) => self.column(std::slice::from_ref(name), span),
            A::CompoundIdentifier(parts) => self.column(parts, span),
            A::Nested(inner) => self.expression(inner),
            A::Value(value) => self.literal(&value.value, span),
            A::TypedString(typed) => {
                let text = self.literal(&typed.value.value, span)?;
                let target = self.target(&typed.data_type, span)?;
                self.convert(text, |text| text.cast(target))
            }
            A::UnaryOp { op, expr } => self.unary(*op, expr, span),
            A::BinaryOp { left, op, right } => self.binary(left, op, right, span),
            A::IsNull(inner) => Ok(boolean(Expr::IsNull(self.boxed(inner)?), span)),
            A::IsNotNull(inner) => Ok(negated(Expr::IsNull(self.boxed(inner)?), true, span)),
            A::IsTrue(inner) => Ok(boolean(Expr::IsBool(true, self.boxed_condition(inner)?), span)),
            A::IsNotTrue(inner) => Ok(negated(Expr::IsBool(true, self.boxed_condition(inner)?), true, span)),
            A::IsFalse(inner) => Ok(boolean(Expr::IsBool(false, self.boxed_condition(inner)?), span)),
            A::IsNotFalse(inner) => Ok(negated(Expr::IsBool(false, self.boxed_condition(inner)?), true, span)),
            A::IsUnknown(inner) => Ok(boolean(Expr::IsNull(self.boxed_condition(inner)?), span)),
            A::IsNotUnknown(inner) => Ok(negated(Expr::IsNull(self.boxed_condition(inner)?), true, span)),
            A::IsDistinctFrom(left, right) => self.distinct(left, right, false, span),
            A::IsNotDistinctFrom(left, right) => self.distinct(left, right, true, span),
            A::Between { expr, negated: not, low, high } => self.between(expr, low, high, *not, span),
            A::InList { expr, list, negated: not } => self.in_list(expr, list, *not, span),
            A::Like { negated: not, any: false, expr, pattern, escape_char } => {
                self.like(expr, pattern, escape_char.as_deref(), false, *not)
            }
            A::ILike { negated: not, any: false, expr, pattern, escape_char } => {
                self.like(expr, pattern, escape_char.as_deref(), true, *not)
            }
            A::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref(), span)
            }
            A::Cast { kind, expr, data_type, format: None } => self.cast(kind, expr, data_type, span),
            A::AtTimeZone { timestamp, time_zone } => self.at_time_zone(timestamp, time_zone, span),
            A::Extract { field, expr, .. } => self.extract(field, expr, span),
            A::Interval(interval) => self.interval(interval, span),
            A::Function(_) | A::Trim { .. } | A::Substring { .. } | A::Position { .. } => self.function(ast),
            _ => self.fail(
                span,
                "this expression is not possible in a mapping",
                "columns, constants, operators, CASE, CAST, AT TIME ZONE and functions are; see docs/mapping.md",
            ),
        }
    }

    pub(super) fn boxed(&mut self, ast: &ast::Expr) -> Result<Box<Expr>, Reported> {
        self.expression(ast).map(|typed| Box::new(typed.expr))
    }

    pub(super) fn boxed_condition(&mut self, ast: &ast::Expr) -> Result<Box<Expr>, Reported> {
        self.condition(ast).map(|typed| Box::new(typed.expr))
    }

    /// Compiles what must be true or false. A bit column is; a bare number isn't.
    pub(super) fn condition(&mut self, ast: &ast::Expr) -> Result<Typed, Reported> {
        let typed = self.expression(ast)?;
        match typed.ty {
            Type::Bool | Type::Null => Ok(typed),
            other => self.fail(typed.span, format!("a condition is expected here, this is a {other}"), "compare it"),
        }
    }

    /// Runs a conversion and reports its failure at the place of what is converted.
    pub(super) fn convert(
        &mut self,
        item: Typed,
        conversion: impl FnOnce(Typed) -> Result<Typed, String>,
    ) -> Result<Typed, Reported> {
        let (span, from) = (item.span, item.ty);
        conversion(item).or_else(|message| {
            let help = match from {
                Type::Timestamp => "write AT TIME ZONE '<zone>' behind it, or set `time_zone` under [source] in \
                                    etl.toml"
                    .to_string(),
                _ => "write a constant of the other side's type, or CAST one of them".to_string(),
            };
            self.fail(span, message, help)
        })
    }

    fn column(&mut self, name: &[ast::Ident], span: Span) -> Result<Typed, Reported> {
        match self.scope.resolve(name) {
            Ok((slot, column)) => Ok(Typed::new(Expr::Column(slot), column_type(column), span)),
            Err((message, help)) => self.fail(span, message, help),
        }
    }

    fn literal(&mut self, value: &SqlValue, span: Span) -> Result<Typed, Reported> {
        let constant = |value: Value<'static>| Typed::new(Expr::constant(value), value.type_of(), span);
        match value {
            SqlValue::Null => Ok(constant(Value::Null)),
            SqlValue::Boolean(value) => Ok(constant(Value::Bool(*value))),
            SqlValue::SingleQuotedString(text) | SqlValue::NationalStringLiteral(text) => {
                Ok(Typed::new(Expr::text(text), Type::Text, span))
            }
            SqlValue::Number(digits, _) => match (digits.parse(), Decimal::parse(digits)) {
                (Ok(integer), _) => Ok(constant(Value::Integer(integer))),
                (Err(_), Ok(decimal)) => Ok(constant(Value::Decimal(decimal))),
                (Err(_), Err(_)) => match digits.parse::<f64>() {
                    Ok(double) if double.is_finite() => Ok(constant(Value::Double(double))),
                    _ => self.fail(span, "this number is out of range", "a decimal has at most 38 digits"),
                },
            },
            _ => self.fail(span, "this form of constant is not possible", "write numbers, 'text', TRUE, FALSE, NULL"),
        }
    }

    /// Brings several expressions to one type.
    pub(super) fn unify(&mut self, items: Vec<Typed>) -> Result<(Vec<Expr>, Type), Reported> {
        let ty = match common_type(&items) {
            Ok(ty) => ty,
            Err((place, found, others)) => {
                let message = format!("this is a {found}, which doesn't go with a {others}");
                return self.fail(items[place].span, message, "CAST one of them");
            }
        };
        let zone = self.zone.clone();
        let mut unified = Vec::with_capacity(items.len());
        for item in items {
            unified.push(self.convert(item, |item| coerce(item, ty, zone.as_ref()))?.expr);
        }
        Ok((unified, ty))
    }

    pub(super) fn pair(
        &mut self,
        left: &ast::Expr,
        right: &ast::Expr,
    ) -> Result<(Box<Expr>, Box<Expr>, Type), Reported> {
        // Both are compiled before either failure counts, so that both are reported.
        let (left, right) = (self.expression(left), self.expression(right));
        self.pair_of(left?, right?)
    }

    /// Brings two expressions to one type.
    pub(super) fn pair_of(&mut self, left: Typed, right: Typed) -> Result<(Box<Expr>, Box<Expr>, Type), Reported> {
        let (mut both, ty) = self.unify(vec![left, right])?;
        let right = both.pop().expect("unify gives as many as it takes");
        let left = both.pop().expect("unify gives as many as it takes");
        Ok((Box::new(left), Box::new(right), ty))
    }

    /// Compiles what must be text.
    pub(super) fn text(&mut self, ast: &ast::Expr) -> Result<Typed, Reported> {
        let typed = self.expression(ast)?;
        match typed.ty {
            Type::Text | Type::Null => Ok(typed),
            other => self.fail(typed.span, format!("text is expected here, this is a {other}"), "CAST it AS text"),
        }
    }

    fn case(
        &mut self,
        operand: Option<&ast::Expr>,
        branches: &[ast::CaseWhen],
        otherwise: Option<&ast::Expr>,
        span: Span,
    ) -> Result<Typed, Reported> {
        let conditions = match operand {
            None => branches.iter().map(|branch| self.condition(&branch.condition)).collect::<Vec<_>>(),
            Some(operand) => {
                let values = branches.iter().map(|branch| &branch.condition);
                [operand].into_iter().chain(values).map(|value| self.expression(value)).collect()
            }
        };
        let mut results: Vec<_> = branches.iter().map(|branch| self.expression(&branch.result)).collect();
        results.push(match otherwise {
            Some(otherwise) => self.expression(otherwise),
            None => Ok(Typed::new(Expr::null(), Type::Null, span)),
        });
        let conditions = conditions.into_iter().collect::<Result<Vec<_>, _>>()?;
        let (mut conditions, _) = self.unify(conditions)?;
        let (mut results, ty) = self.unify(results.into_iter().collect::<Result<_, _>>()?)?;
        let operand = operand.map(|_| conditions.remove(0));
        let otherwise = results.pop().expect("the ELSE branch was pushed last");
        let branches = conditions.into_iter().zip(results).collect();
        Ok(Typed::new(Expr::Case(Box::new(Case { operand, branches, otherwise })), ty, span))
    }

    fn target(&mut self, data_type: &ast::DataType, span: Span) -> Result<CastTarget, Reported> {
        cast_target(&data_type.to_string()).or_else(|message| {
            let help = "possible are boolean, smallint, int, bigint, decimal(p,s), double precision, text, \
                        varchar(n), uuid, date, time, timestamp, timestamptz, interval";
            self.fail(span, message, help)
        })
    }

    fn cast(
        &mut self,
        kind: &CastKind,
        operand: &ast::Expr,
        data_type: &ast::DataType,
        span: Span,
    ) -> Result<Typed, Reported> {
        let operand = self.expression(operand)?;
        let target = self.target(data_type, span)?;
        if !target.takes(operand.ty) {
            let message = format!("a {} can't be cast to {}", operand.ty, target.result());
            let help = match (operand.ty, target.result()) {
                (Type::Timestamp | Type::Instant, _) => "AT TIME ZONE converts between wall clock and instant",
                _ => "CAST it AS text first if that is what is meant",
            };
            return self.fail(span, message, help);
        }
        let is_try = !matches!(kind, CastKind::Cast | CastKind::DoubleColon);
        let expr = Expr::Cast { operand: Box::new(operand.expr), target, is_try };
        Ok(Typed::new(expr, target.result(), span))
    }

    fn at_time_zone(&mut self, operand: &ast::Expr, zone: &ast::Expr, span: Span) -> Result<Typed, Reported> {
        let operand = self.expression(operand)?;
        let name = self.expression(zone)?;
        let Some(text) = name.literal_text() else {
            return self.fail(name.span, "the time zone must be a constant", "write 'Europe/Stockholm'");
        };
        let zone = match Zone::named(text) {
            Ok(zone) => zone,
            Err(help) => {
                let message = format!("time zone `{text}` is not known");
                return self.fail(name.span, message, help);
            }
        };
        let (expr, ty) = match operand.ty {
            Type::Timestamp | Type::Null => (Expr::ToInstant(zone, Box::new(operand.expr)), Type::Instant),
            Type::Instant => (Expr::ToWall(zone, Box::new(operand.expr)), Type::Timestamp),
            Type::Date => {
                let midnight = self.convert(operand, |date| date.cast(CastTarget::Timestamp))?;
                (Expr::ToInstant(zone, Box::new(midnight.expr)), Type::Instant)
            }
            other => {
                let message = format!("a {other} has no time zone");
                return self.fail(operand.span, message, "only dates and times have one");
            }
        };
        Ok(Typed::new(expr, ty, span))
    }
}

pub(super) fn boolean(expr: Expr, span: Span) -> Typed {
    Typed::new(expr, Type::Bool, span)
}

pub(super) fn negated(expr: Expr, not: bool, span: Span) -> Typed {
    boolean(if not { Expr::Not(Box::new(expr)) } else { expr }, span)
}
