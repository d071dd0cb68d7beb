//! Functions, by their Postgres names and some of T-SQL's.

use etl_schemas::diagnostic::did_you_mean;
use sqlparser::ast::{self, FunctionArg, FunctionArgExpr, FunctionArguments, Spanned, TrimWhereField};
use sqlparser::tokenizer::Span;

use super::compile::{Compiler, Reported};
use super::typed::Typed;
use crate::expression::{BinaryFunction, Case, DatePart, Encoding, Expr, TextFunction, Type};

/// All that can be called, for the suggestion when a name isn't known.
const NAMES: [&str; 41] = [
    "base64",
    "btrim",
    "char_length",
    "character_length",
    "charindex",
    "coalesce",
    "concat",
    "date_part",
    "date_trunc",
    "dateadd",
    "datediff",
    "datepart",
    "day",
    "encode",
    "extract",
    "hex",
    "iif",
    "isnull",
    "left",
    "len",
    "length",
    "lower",
    "ltrim",
    "month",
    "nullif",
    "octet_length",
    "position",
    "regexp_like",
    "regexp_replace",
    "replace",
    "right",
    "rtrim",
    "sha256",
    "split_part",
    "strpos",
    "substr",
    "substring",
    "trim",
    "upper",
    "uuid5",
    "year",
];

/// What an argument of a text function must be.
#[derive(Clone, Copy)]
enum Wants {
    Text,
    Integer,
}

impl Compiler<'_> {
    /// Compiles a call, in whatever of the parser's forms it comes.
    pub(super) fn function(&mut self, ast: &ast::Expr) -> Result<Typed, Reported> {
        use ast::Expr as A;
        let span = ast.span();
        match ast {
            A::Function(function) => self.named(function, span),
            A::Trim { expr, trim_where, trim_what, trim_characters } => {
                let function = match trim_where {
                    Some(TrimWhereField::Leading) => TextFunction::TrimStart,
                    Some(TrimWhereField::Trailing) => TextFunction::TrimEnd,
                    Some(TrimWhereField::Both) | None => TextFunction::Trim,
                };
                let characters = trim_characters.iter().flatten().chain(trim_what.as_deref());
                let arguments: Vec<&A> = [&**expr].into_iter().chain(characters).collect();
                self.text_function("trim", function, &arguments, &[Wants::Text, Wants::Text], 1, span)
            }
            A::Substring { expr, substring_from, substring_for, .. } => {
                let Some(from) = substring_from else {
                    return self.fail(span, "substring needs a start", "write substring(text, start, length)");
                };
                let arguments: Vec<&A> = [&**expr, from].into_iter().chain(substring_for.as_deref()).collect();
                let wants = [Wants::Text, Wants::Integer, Wants::Integer];
                self.text_function("substring", TextFunction::Substring, &arguments, &wants, 2, span)
            }
            A::Position { expr, r#in } => {
                let arguments: [&A; 2] = [r#in, expr];
                let wants = [Wants::Text, Wants::Text];
                self.text_function("position", TextFunction::Position, &arguments, &wants, 2, span)
            }
            other => unreachable!("only calls come here, not {other}"),
        }
    }

    fn named(&mut self, function: &ast::Function, span: Span) -> Result<Typed, Reported> {
        use BinaryFunction as B;
        use TextFunction as F;
        use Wants::{Integer as I, Text as T};
        let plain = function.over.is_none() && function.filter.is_none() && function.within_group.is_empty();
        if !plain {
            return self.fail(span, "a mapping goes row by row: windows and aggregates are not possible", "remove it");
        }
        let name = function.name.to_string().to_ascii_lowercase();
        let a = self.arguments(function, span)?;
        match name.as_str() {
            "concat" => {
                let parts: Vec<_> = a.iter().map(|part| self.expression(part)).collect();
                let parts = parts.into_iter().map(|part| part.map(|part| part.expr));
                Ok(Typed::new(Expr::Concat(parts.collect::<Result<_, _>>()?), Type::Text, span))
            }
            "uuid5" => self.uuid5(&a, span),
            "coalesce" | "isnull" => self.coalesce(&name, &a, span),
            "nullif" => self.nullif(&a, span),
            "iif" => self.iif(&a, span),
            "btrim" | "trim" => self.text_function(&name, F::Trim, &a, &[T, T], 1, span),
            "ltrim" => self.text_function(&name, F::TrimStart, &a, &[T, T], 1, span),
            "rtrim" => self.text_function(&name, F::TrimEnd, &a, &[T, T], 1, span),
            "lower" => self.text_function(&name, F::Lower, &a, &[T], 1, span),
            "upper" => self.text_function(&name, F::Upper, &a, &[T], 1, span),
            "length" | "char_length" | "character_length" => self.text_function(&name, F::Length, &a, &[T], 1, span),
            "len" => self.text_function(&name, F::LengthTrimmed, &a, &[T], 1, span),
            "substring" | "substr" => self.text_function(&name, F::Substring, &a, &[T, I, I], 2, span),
            "replace" => self.text_function(&name, F::Replace, &a, &[T, T, T], 3, span),
            "left" => self.text_function(&name, F::Left, &a, &[T, I], 2, span),
            "right" => self.text_function(&name, F::Right, &a, &[T, I], 2, span),
            "strpos" => self.text_function(&name, F::Position, &a, &[T, T], 2, span),
            "charindex" => {
                // T-SQL names what is sought first.
                let swapped: Vec<&ast::Expr> = a.iter().rev().copied().collect();
                self.text_function(&name, F::Position, &swapped, &[T, T], 2, span)
            }
            "split_part" => self.text_function(&name, F::SplitPart, &a, &[T, T, I], 3, span),
            "regexp_like" => self.regexp_like(&a, span),
            "regexp_replace" => self.regexp_replace(&a, span),
            "sha256" => self.binary_function(&name, B::Sha256, &a, Type::Bytes, span),
            "hex" => self.binary_function(&name, B::Encode(Encoding::Hex), &a, Type::Text, span),
            "base64" => self.binary_function(&name, B::Encode(Encoding::Base64), &a, Type::Text, span),
            "octet_length" => self.binary_function(&name, B::Length, &a, Type::Integer, span),
            "encode" => self.encode(&a, span),
            "date_part" => self.date_part_function(&a, span),
            "date_trunc" => self.date_trunc(&a, span),
            "dateadd" => self.date_add(&a, span),
            "datediff" => self.date_diff(&a, span),
            "datepart" => self.tsql_date_part(&a, span),
            "year" => self.tsql_part_of("year", DatePart::Year, &a, span),
            "month" => self.tsql_part_of("month", DatePart::Month, &a, span),
            "day" => self.tsql_part_of("day", DatePart::Day, &a, span),
            _ => self.fail(span, format!("there is no function `{name}`"), did_you_mean(&name, NAMES)),
        }
    }

    fn arguments<'f>(&mut self, function: &'f ast::Function, span: Span) -> Result<Vec<&'f ast::Expr>, Reported> {
        let list = match &function.args {
            FunctionArguments::List(list) if list.duplicate_treatment.is_none() && list.clauses.is_empty() => list,
            FunctionArguments::None => return Ok(Vec::new()),
            _ => return self.fail(span, "these arguments are not possible", "write plain expressions"),
        };
        let mut arguments = Vec::with_capacity(list.args.len());
        for argument in &list.args {
            match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => arguments.push(expr),
                _ => return self.fail(span, "this argument is not possible", "write plain expressions"),
            }
        }
        Ok(arguments)
    }

    pub(super) fn count(
        &mut self,
        name: &str,
        arguments: &[&ast::Expr],
        range: std::ops::RangeInclusive<usize>,
        span: Span,
    ) -> Result<(), Reported> {
        if range.contains(&arguments.len()) {
            return Ok(());
        }
        let wanted = match range.start() == range.end() {
            true => range.start().to_string(),
            false => format!("{} to {}", range.start(), range.end()),
        };
        let message = format!("{name} takes {wanted} arguments, not {}", arguments.len());
        self.fail(span, message, "see docs/mapping.md")
    }

    fn text_function(
        &mut self,
        name: &str,
        function: TextFunction,
        arguments: &[&ast::Expr],
        wants: &[Wants],
        least: usize,
        span: Span,
    ) -> Result<Typed, Reported> {
        self.count(name, arguments, least..=wants.len(), span)?;
        let mut compiled = Vec::with_capacity(arguments.len());
        for (argument, wanted) in arguments.iter().zip(wants) {
            compiled.push(match wanted {
                Wants::Text => self.text(argument),
                Wants::Integer => self.integer(argument),
            });
        }
        let compiled = compiled.into_iter().map(|argument| argument.map(|argument| argument.expr));
        let ty = match function {
            TextFunction::Length | TextFunction::LengthTrimmed | TextFunction::Position => Type::Integer,
            _ => Type::Text,
        };
        Ok(Typed::new(Expr::Text(function, compiled.collect::<Result<_, _>>()?), ty, span))
    }

    pub(super) fn integer(&mut self, ast: &ast::Expr) -> Result<Typed, Reported> {
        let typed = self.expression(ast)?;
        match typed.ty {
            Type::Integer | Type::Null => Ok(typed),
            other => self.fail(typed.span, format!("an integer is expected here, this is a {other}"), "CAST it"),
        }
    }

    fn binary_function(
        &mut self,
        name: &str,
        function: BinaryFunction,
        arguments: &[&ast::Expr],
        result: Type,
        span: Span,
    ) -> Result<Typed, Reported> {
        self.count(name, arguments, 1..=1, span)?;
        let operand = self.expression(arguments[0])?;
        match operand.ty {
            Type::Bytes | Type::Text | Type::Null => {
                Ok(Typed::new(Expr::Binary(function, Box::new(operand.expr)), result, span))
            }
            other => {
                let message = format!("{name} takes bytes or text, this is a {other}");
                self.fail(operand.span, message, "CAST it AS text")
            }
        }
    }

    fn encode(&mut self, arguments: &[&ast::Expr], span: Span) -> Result<Typed, Reported> {
        self.count("encode", arguments, 2..=2, span)?;
        let form = self.text(arguments[1])?;
        let encoding = match form.literal_text().map(str::to_ascii_lowercase).as_deref() {
            Some("hex") => Encoding::Hex,
            Some("base64") => Encoding::Base64Lines,
            _ => return self.fail(form.span, "encode has no such form", "write 'hex' or 'base64'"),
        };
        self.binary_function("encode", BinaryFunction::Encode(encoding), &arguments[..1], Type::Text, span)
    }

    fn uuid5(&mut self, arguments: &[&ast::Expr], span: Span) -> Result<Typed, Reported> {
        self.count("uuid5", arguments, 2..=2, span)?;
        let (kind, value) = (self.text(arguments[0]), self.expression(arguments[1]));
        let (kind, value) = (kind?, value?);
        if matches!(value.ty, Type::Double | Type::Bytes | Type::Interval) {
            let message = format!("a {} makes no steady name", value.ty);
            return self.fail(value.span, message, "uuid5 takes integers, decimals, text, uuids, dates and times");
        }
        let (kind, value) = (Box::new(kind.expr), Box::new(value.expr));
        Ok(Typed::new(Expr::Uuid5 { namespace: self.namespace, kind, value }, Type::Uuid, span))
    }

    fn coalesce(&mut self, name: &str, arguments: &[&ast::Expr], span: Span) -> Result<Typed, Reported> {
        let most = if name == "isnull" { 2 } else { usize::MAX };
        if arguments.is_empty() || arguments.len() > most {
            return self.fail(span, format!("{name} takes other arguments"), "write coalesce(first, second, ...)");
        }
        let options: Vec<_> = arguments.iter().map(|option| self.expression(option)).collect();
        let (options, ty) = self.unify(options.into_iter().collect::<Result<_, _>>()?)?;
        Ok(Typed::new(Expr::Coalesce(options), ty, span))
    }

    fn nullif(&mut self, arguments: &[&ast::Expr], span: Span) -> Result<Typed, Reported> {
        self.count("nullif", arguments, 2..=2, span)?;
        let (left, right) = (self.expression(arguments[0]), self.expression(arguments[1]));
        let (mut both, ty) = self.unify(vec![left?, right?])?;
        let right = both.pop().expect("unify gives as many as it takes");
        let left = both.pop().expect("unify gives as many as it takes");
        Ok(Typed::new(Expr::NullIf(Box::new(left), Box::new(right)), ty, span))
    }

    fn iif(&mut self, arguments: &[&ast::Expr], span: Span) -> Result<Typed, Reported> {
        self.count("iif", arguments, 3..=3, span)?;
        let condition = self.condition(arguments[0]);
        let (yes, no) = (self.expression(arguments[1]), self.expression(arguments[2]));
        let (mut both, ty) = self.unify(vec![yes?, no?])?;
        let otherwise = both.pop().expect("unify gives as many as it takes");
        let yes = both.pop().expect("unify gives as many as it takes");
        let case = Case { operand: None, branches: vec![(condition?.expr, yes)], otherwise };
        Ok(Typed::new(Expr::Case(Box::new(case)), ty, span))
    }
}
