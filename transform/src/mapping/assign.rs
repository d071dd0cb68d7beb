//! Fields of events: whether an expression's type fits, and how it is brought into the field's form.

use std::sync::Arc;

use etl_schemas::event::{EventField, EventFieldKind};
use prost_reflect::EnumDescriptor;
use sqlparser::ast;
use sqlparser::ast::Spanned;

use super::compile::{Compiler, Reported};
use super::program::FieldAssignment;
use super::typed::Typed;
use crate::expression::{Case, EnumNames, Expr, Literal, Type, Value};

impl Compiler<'_> {
    /// Compiles the expression of one field.
    pub(super) fn field(&mut self, field: &EventField, ast: &ast::Expr) -> Result<FieldAssignment, Reported> {
        if let EventFieldKind::Enum(descriptor) = &field.kind {
            let names = Arc::new(enum_names(descriptor));
            let known = self.check_enum_literals(&names, ast);
            let typed = self.expression(ast)?;
            known?;
            if !matches!(typed.ty, Type::Text | Type::Null) {
                let message = format!("field `{}` is enum {}, this is a {}", field.name, names.name, typed.ty);
                return self.fail(typed.span, message, "give the value's name as text, with CASE for instance");
            }
            self.check_null(field, &typed)?;
            return Ok(assignment(field, enum_number(typed.expr, &names)));
        }
        let typed = self.expression(ast)?;
        self.check_null(field, &typed)?;
        let typed = match field.kind {
            EventFieldKind::Timestamp => {
                let zone = self.zone.clone();
                self.convert(typed, |typed| typed.into_instant(zone.as_ref()))?
            }
            _ => typed,
        };
        match help(&field.kind, typed.ty) {
            None => Ok(assignment(field, typed.expr)),
            Some(help) => {
                let message =
                    format!("field `{}` is {}, this is {}", field.name, shown(&field.kind), typed.ty.with_article());
                self.fail(typed.span, message, help)
            }
        }
    }

    fn check_null(&mut self, field: &EventField, typed: &Typed) -> Result<(), Reported> {
        match typed.ty == Type::Null && !field.optional {
            true => {
                let help = "declare it `optional` in events.proto, or give it a value";
                self.fail(typed.span, format!("field `{}` is never NULL", field.name), help)
            }
            false => Ok(()),
        }
    }

    /// Every text that the expression can be as it stands must name a value of the enum.
    fn check_enum_literals(&mut self, names: &EnumNames, ast: &ast::Expr) -> Result<(), Reported> {
        use ast::Expr as A;
        match ast {
            A::Nested(inner) => self.check_enum_literals(names, inner),
            A::Case { conditions, else_result, .. } => {
                let results = conditions.iter().map(|branch| &branch.result).chain(else_result.as_deref());
                results.map(|result| self.check_enum_literals(names, result)).fold(Ok(()), Result::and)
            }
            A::Value(value) => match value.value.clone().into_string() {
                Some(text) if names.number(&text).is_none() => {
                    let help = etl_schemas::diagnostic::did_you_mean(
                        &text,
                        names.numbers.iter().map(|(name, _)| name.as_str()),
                    );
                    self.fail(value.span(), format!("`{text}` is no value of enum {}", names.name), help)
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

fn assignment(field: &EventField, value: Expr) -> FieldAssignment {
    FieldAssignment {
        number: field.number,
        name: field.name.clone(),
        kind: field.kind.clone(),
        optional: field.optional,
        value,
    }
}

/// Names with and without the enum's prefix: `GENDER_MAN` of enum `Gender` is `MAN` too, as protobuf's style guide
/// has it.
fn enum_names(descriptor: &EnumDescriptor) -> EnumNames {
    let mut prefix = String::new();
    for c in descriptor.name().chars() {
        if c.is_uppercase() && !prefix.is_empty() {
            prefix.push('_');
        }
        prefix.extend(c.to_uppercase());
    }
    prefix.push('_');
    let mut numbers = Vec::new();
    for value in descriptor.values() {
        if let Some(short) = value.name().strip_prefix(&prefix) {
            numbers.push((short.to_string(), value.number()));
        }
        numbers.push((value.name().to_string(), value.number()));
    }
    numbers.sort();
    EnumNames { name: descriptor.name().to_string(), numbers }
}

/// Literals become numbers when the mapping is compiled; what is computed is looked up row by row.
fn enum_number(expr: Expr, names: &Arc<EnumNames>) -> Expr {
    match expr {
        Expr::Literal(Literal::Text(text)) => match names.number(&text) {
            Some(number) => Expr::constant(Value::Integer(i64::from(number))),
            None => Expr::EnumNumber(Arc::clone(names), Box::new(Expr::Literal(Literal::Text(text)))),
        },
        Expr::Case(case) => {
            let Case { operand, branches, otherwise } = *case;
            let branches = branches.into_iter().map(|(when, result)| (when, enum_number(result, names))).collect();
            Expr::Case(Box::new(Case { operand, branches, otherwise: enum_number(otherwise, names) }))
        }
        Expr::Literal(Literal::Value(value)) => Expr::constant(value),
        other => Expr::EnumNumber(Arc::clone(names), Box::new(other)),
    }
}

/// What to do when a type doesn't fit a field; `None` when it does.
fn help(kind: &EventFieldKind, ty: Type) -> Option<&'static str> {
    use EventFieldKind as F;
    let fits = match kind {
        F::Bool => ty == Type::Bool,
        F::Int32 | F::Int64 | F::UInt32 | F::UInt64 | F::SInt32 | F::SInt64 => ty == Type::Integer,
        F::Float | F::Double => matches!(ty, Type::Double | Type::Integer),
        F::String => matches!(ty, Type::Text | Type::Uuid | Type::Decimal),
        F::Bytes => matches!(ty, Type::Bytes | Type::Uuid),
        F::Timestamp => ty == Type::Instant,
        F::Enum(_) => ty == Type::Text,
    };
    if fits || ty == Type::Null {
        return None;
    }
    if ty == Type::Interval {
        return Some("EXTRACT(epoch FROM it) gives its seconds; CAST it AS text, or those seconds AS bigint");
    }
    Some(match kind {
        F::String if ty == Type::Bytes => "hex(it) or base64(it) makes text of bytes",
        F::Bool => "compare it: <expression> <> 0",
        F::String => "CAST it AS text",
        F::Timestamp => "only a time AT TIME ZONE '<zone>' is a point in time",
        F::Bytes => "only binary columns and uuids are bytes",
        F::Float | F::Double => "CAST it AS double precision",
        _ => "CAST it AS bigint",
    })
}

fn shown(kind: &EventFieldKind) -> &'static str {
    use EventFieldKind as F;
    match kind {
        F::Bool => "bool",
        F::Int32 => "int32",
        F::Int64 => "int64",
        F::UInt32 => "uint32",
        F::UInt64 => "uint64",
        F::SInt32 => "sint32",
        F::SInt64 => "sint64",
        F::Float => "float",
        F::Double => "double",
        F::String => "string",
        F::Bytes => "bytes",
        F::Timestamp => "google.protobuf.Timestamp",
        F::Enum(_) => "an enum",
    }
}
