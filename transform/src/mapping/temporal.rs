//! Dates and times in expressions: arithmetic, INTERVAL, EXTRACT, and T-SQL's DATEADD, DATEDIFF and DATEPART.

use etl_schemas::diagnostic::did_you_mean;
use sqlparser::ast::{self, DateTimeField, Spanned};
use sqlparser::tokenizer::Span;

use super::compile::{Compiler, Reported};
use super::typed::Typed;
use crate::expression::{
    Arithmetic, CastTarget, DatePart, Expr, Interval, PartNames, TimeFunction, Type, Value, parse_interval,
};

impl Compiler<'_> {
    /// `+`, `-` and `*` where at least one side is a date, a time or an interval.
    pub(super) fn temporal_arithmetic(
        &mut self,
        operator: Arithmetic,
        left: Typed,
        right: Typed,
        span: Span,
    ) -> Result<Typed, Reported> {
        use Arithmetic::{Add, Multiply, Subtract};
        use TimeFunction as F;
        use Type as T;
        let (left, right) = self.typed_literals(operator, left, right)?;
        match (operator, left.ty, right.ty) {
            (Add | Subtract, T::Null, other) | (Add | Subtract, other, T::Null) => {
                Ok(Typed::new(Expr::null(), other, span))
            }
            (Add, T::Date, T::Integer) => Ok(call(F::AddDays, [left, right], T::Date, span)),
            (Add, T::Integer, T::Date) => Ok(call(F::AddDays, [right, left], T::Date, span)),
            (Subtract, T::Date, T::Integer) => Ok(call(F::SubtractDays, [left, right], T::Date, span)),
            (Add, T::Date, T::Time) => Ok(call(F::AtTime, [left, right], T::Timestamp, span)),
            (Add, T::Time, T::Date) => Ok(call(F::AtTime, [right, left], T::Timestamp, span)),
            (Add, ty, T::Interval) if ty.is_temporal() => self.moved(F::Add, left, right, span),
            (Add, T::Interval, ty) if ty.is_temporal() => self.moved(F::Add, right, left, span),
            (Subtract, ty, T::Interval) if ty.is_temporal() => self.moved(F::Subtract, left, right, span),
            (Subtract, T::Date, T::Date) => Ok(call(F::Difference, [left, right], T::Integer, span)),
            (Subtract, T::Time, T::Time) => Ok(call(F::Difference, [left, right], T::Interval, span)),
            (Subtract, T::Date | T::Timestamp | T::Instant, T::Date | T::Timestamp | T::Instant) => {
                let (left, right, _) = self.pair_of(left, right)?;
                Ok(Typed::new(Expr::Time(F::Difference, vec![*left, *right]), T::Interval, span))
            }
            (Multiply, T::Interval, T::Integer) => Ok(call(F::Multiply, [left, right], T::Interval, span)),
            (Multiply, T::Integer, T::Interval) => Ok(call(F::Multiply, [right, left], T::Interval, span)),
            (_, first, second) => {
                let message = format!("{first} {} {second} has no meaning", symbol(operator));
                self.fail(span, message, arithmetic_help(first, second))
            }
        }
    }

    /// Text constants become what the other side needs: an interval to add, or a time to subtract from.
    fn typed_literals(&mut self, operator: Arithmetic, left: Typed, right: Typed) -> Result<(Typed, Typed), Reported> {
        let target = |other: Type| match (operator, other) {
            (Arithmetic::Subtract, Type::Date) => CastTarget::Date,
            (Arithmetic::Subtract, Type::Time) => CastTarget::Time,
            (Arithmetic::Subtract, Type::Timestamp) => CastTarget::Timestamp,
            (Arithmetic::Subtract, Type::Instant) => CastTarget::Instant,
            _ => CastTarget::Interval,
        };
        let mut typed = |literal: Typed, other: Type| {
            if literal.literal_text().is_none() {
                return Ok(literal);
            }
            let span = literal.span;
            literal.cast(target(other)).or_else(|message| {
                self.fail(span, message, "write INTERVAL '1 day' for a span of time, or CAST it to what it is")
            })
        };
        let (left_type, right_type) = (left.ty, right.ty);
        Ok((typed(left, right_type)?, typed(right, left_type)?))
    }

    /// A date, time, timestamp, instant or interval, and an interval; a date becomes a timestamp.
    fn moved(&mut self, function: TimeFunction, time: Typed, by: Typed, span: Span) -> Result<Typed, Reported> {
        let time = self.midnight(time)?;
        let ty = time.ty;
        Ok(call(function, [time, by], ty, span))
    }

    /// A date as the timestamp at which it begins; all else as it is.
    fn midnight(&mut self, typed: Typed) -> Result<Typed, Reported> {
        match typed.ty {
            Type::Date => self.convert(typed, |date| date.cast(CastTarget::Timestamp)),
            _ => Ok(typed),
        }
    }

    /// `INTERVAL '1 day 02:00'`, `INTERVAL '5' DAY`
    pub(super) fn interval(&mut self, interval: &ast::Interval, span: Span) -> Result<Typed, Reported> {
        const HELP: &str = "write INTERVAL '1 year 2 months 3 days 04:05:06', or INTERVAL '5' DAY";
        let value = self.expression(&interval.value)?;
        let text = match (value.literal_text(), value.literal_integer()) {
            (Some(text), _) => text.to_string(),
            (None, Some(number)) => number.to_string(),
            (None, None) => {
                let help = "multiply: x * INTERVAL '1 day'";
                return self.fail(value.span, "INTERVAL takes a constant", help);
            }
        };
        let is_plain = interval.last_field.is_none() && interval.leading_precision.is_none();
        let parsed = match &interval.leading_field {
            None => parse_interval(&text),
            // Of a number with a unit only seconds have a fraction: Postgres would cut it off silently.
            Some(unit) if is_plain => {
                let counts = |c: char| c.is_ascii_digit() || c == '-' || (c == '.' && *unit == DateTimeField::Second);
                text.chars().all(counts).then(|| parse_interval(&format!("{text} {unit}"))).flatten()
            }
            Some(_) => None,
        };
        match parsed {
            Some(interval) => Ok(Typed::new(Expr::constant(Value::Interval(interval)), Type::Interval, span)),
            None => self.fail(value.span, format!("`{text}` is no interval"), HELP),
        }
    }

    /// `EXTRACT(part FROM x)`, a decimal.
    pub(super) fn extract(&mut self, field: &DateTimeField, of: &ast::Expr, span: Span) -> Result<Typed, Reported> {
        let (name, at) = match field {
            DateTimeField::Custom(name) => (name.value.clone(), name.span),
            known => (known.to_string().to_lowercase(), span),
        };
        let part = self.part(&name, at, PartNames::Postgres)?;
        self.part_of(TimeFunction::Extract(part), part, &name, of, Type::Decimal, span)
    }

    /// `date_part('part', x)`, a double.
    pub(super) fn date_part_function(&mut self, arguments: &[&ast::Expr], span: Span) -> Result<Typed, Reported> {
        self.count("date_part", arguments, 2..=2, span)?;
        let (part, name) = self.constant_part(arguments[0])?;
        let decimal = self.part_of(TimeFunction::Extract(part), part, &name, arguments[1], Type::Decimal, span)?;
        self.convert(decimal, |decimal| decimal.cast(CastTarget::Double))
    }

    /// T-SQL's `DATEPART(part, x)`, an integer.
    pub(super) fn tsql_date_part(&mut self, arguments: &[&ast::Expr], span: Span) -> Result<Typed, Reported> {
        use DatePart as P;
        self.count("datepart", arguments, 2..=2, span)?;
        let (name, at) = self.bare_name(arguments[0])?;
        let part = match name.to_ascii_lowercase().as_str() {
            "iso_week" | "isowk" | "isoww" => P::Week,
            _ => match self.part(&name, at, PartNames::Tsql)? {
                P::Week | P::Millisecond | P::Microsecond => {
                    let help = "write iso_week, or EXTRACT(second FROM x) for fractions of a second";
                    return self.fail(at, format!("DATEPART gives no {name} here"), help);
                }
                other => other,
            },
        };
        self.part_of(TimeFunction::Part(part), part, &name, arguments[1], Type::Integer, span)
    }

    /// T-SQL's `YEAR(x)`, `MONTH(x)`, `DAY(x)`.
    pub(super) fn tsql_part_of(
        &mut self,
        name: &str,
        part: DatePart,
        arguments: &[&ast::Expr],
        span: Span,
    ) -> Result<Typed, Reported> {
        self.count(name, arguments, 1..=1, span)?;
        self.part_of(TimeFunction::Part(part), part, name, arguments[0], Type::Integer, span)
    }

    fn part_of(
        &mut self,
        function: TimeFunction,
        part: DatePart,
        name: &str,
        of: &ast::Expr,
        result: Type,
        span: Span,
    ) -> Result<Typed, Reported> {
        let operand = self.expression(of)?;
        match has_part(operand.ty, part) {
            true => Ok(Typed::new(Expr::Time(function, vec![operand.expr]), result, span)),
            false => {
                let message = format!("{} has no {name}", operand.ty.with_article());
                let help = "dates have years to days, times have hours to microseconds, timestamps have both; CAST \
                            text AS timestamp";
                self.fail(operand.span, message, help)
            }
        }
    }

    /// `date_trunc('part', x)`: a timestamp or an instant.
    pub(super) fn date_trunc(&mut self, arguments: &[&ast::Expr], span: Span) -> Result<Typed, Reported> {
        self.count("date_trunc", arguments, 2..=2, span)?;
        let (part, name) = self.constant_part(arguments[0])?;
        if !part.is_unit() {
            let help = "millennium, century, decade, year, quarter, month, week, day and shorter ones are possible";
            return self.fail(arguments[0].span(), format!("nothing is cut to a {name}"), help);
        }
        let operand = self.expression(arguments[1])?;
        let operand = self.midnight(operand)?;
        let ty = match operand.ty {
            Type::Timestamp | Type::Null => Type::Timestamp,
            Type::Instant => Type::Instant,
            other => {
                let help = "it takes dates, timestamps and instants";
                return self.fail(operand.span, format!("date_trunc doesn't take {}", other.with_article()), help);
            }
        };
        Ok(Typed::new(Expr::Time(TimeFunction::Truncate(part), vec![operand.expr]), ty, span))
    }

    /// T-SQL's `DATEADD(part, number, x)`: a value of x's type.
    pub(super) fn date_add(&mut self, arguments: &[&ast::Expr], span: Span) -> Result<Typed, Reported> {
        self.count("dateadd", arguments, 3..=3, span)?;
        let (name, at) = self.bare_name(arguments[0])?;
        let unit = match self.part(&name, at, PartNames::Tsql)? {
            DatePart::DayOfYear => DatePart::Day,
            other => other,
        };
        let (number, time) = (self.integer(arguments[1]), self.expression(arguments[2]));
        let (number, time) = (number?, time?);
        let time = match time.literal_text() {
            Some(_) => self.convert(time, |time| time.cast(CastTarget::Timestamp))?,
            None => time,
        };
        let is_clock = unit.clock_ticks().is_some();
        let fits = match time.ty {
            Type::Date => !is_clock,
            Type::Time => is_clock,
            Type::Timestamp | Type::Instant | Type::Null => true,
            _ => false,
        };
        if !fits {
            let message = format!("{} can't be moved by a {name}", time.ty.with_article());
            return self.fail(time.span, message, "CAST it AS timestamp");
        }
        let by = self.units(unit, number)?;
        match time.ty {
            Type::Date => {
                let moved = self.moved(TimeFunction::Add, time, by, span)?;
                self.convert(moved, |moved| moved.cast(CastTarget::Date))
            }
            _ => self.moved(TimeFunction::Add, time, by, span),
        }
    }

    /// So many of a unit, as an interval; a constant when the number is one.
    fn units(&mut self, unit: DatePart, number: Typed) -> Result<Typed, Reported> {
        let span = number.span;
        let expr = match number.literal_integer() {
            None => Expr::Time(TimeFunction::Units(unit), vec![number.expr]),
            Some(count) => match Interval::of(unit, count) {
                Some(interval) => Expr::constant(Value::Interval(interval)),
                None => return self.fail(span, "this is out of range of an interval", "write a smaller number"),
            },
        };
        Ok(Typed::new(expr, Type::Interval, span))
    }

    /// T-SQL's `DATEDIFF(part, from, to)`: how many beginnings of the part lie between them.
    pub(super) fn date_diff(&mut self, arguments: &[&ast::Expr], span: Span) -> Result<Typed, Reported> {
        self.count("datediff", arguments, 3..=3, span)?;
        let (name, at) = self.bare_name(arguments[0])?;
        let part = self.part(&name, at, PartNames::Tsql)?;
        let mut times = Vec::with_capacity(2);
        for argument in &arguments[1..] {
            let time = self.expression(argument)?;
            let time = match time.literal_text() {
                Some(_) => self.convert(time, |time| time.cast(CastTarget::Timestamp))?,
                None => self.midnight(time)?,
            };
            if !matches!(time.ty, Type::Timestamp | Type::Instant | Type::Null) {
                let message = format!("datediff doesn't take {}", time.ty.with_article());
                return self.fail(time.span, message, "it takes dates, timestamps and instants");
            }
            times.push(time);
        }
        let (times, _) = self.unify(times)?;
        Ok(Typed::new(Expr::Time(TimeFunction::Boundaries(part), times), Type::Integer, span))
    }

    fn part(&mut self, name: &str, at: Span, names: PartNames) -> Result<DatePart, Reported> {
        match names.find(name) {
            Some(part) => Ok(part),
            None => self.fail(at, format!("there is no date part `{name}` here"), did_you_mean(name, names.all())),
        }
    }

    fn constant_part(&mut self, ast: &ast::Expr) -> Result<(DatePart, String), Reported> {
        let typed = self.text(ast)?;
        match typed.literal_text() {
            Some(name) => Ok((self.part(name, typed.span, PartNames::Postgres)?, name.to_string())),
            None => self.fail(typed.span, "the date part must be a constant", "write 'month', for instance"),
        }
    }

    /// The first argument of T-SQL's functions, which is a bare word.
    fn bare_name(&mut self, ast: &ast::Expr) -> Result<(String, Span), Reported> {
        match ast {
            ast::Expr::Identifier(name) => Ok((name.value.clone(), name.span)),
            other => self.fail(other.span(), "a date part is expected here", "write day, for instance"),
        }
    }
}

fn call(function: TimeFunction, arguments: [Typed; 2], result: Type, span: Span) -> Typed {
    let arguments = arguments.into_iter().map(|argument| argument.expr).collect();
    Typed::new(Expr::Time(function, arguments), result, span)
}

fn has_part(ty: Type, part: DatePart) -> bool {
    use DatePart as P;
    let is_clock = part.clock_ticks().is_some();
    match ty {
        Type::Null | Type::Timestamp | Type::Instant => true,
        Type::Date => !is_clock,
        Type::Time => is_clock || part == P::Epoch,
        Type::Interval => part == P::Epoch || part.is_unit() && part != P::Week,
        _ => false,
    }
}

fn symbol(operator: Arithmetic) -> char {
    match operator {
        Arithmetic::Add => '+',
        Arithmetic::Subtract => '-',
        Arithmetic::Multiply => '*',
        Arithmetic::Divide => '/',
        Arithmetic::Remainder => '%',
    }
}

fn arithmetic_help(left: Type, right: Type) -> &'static str {
    use Type as T;
    match (left, right) {
        (T::Timestamp | T::Instant, T::Integer) | (T::Integer, T::Timestamp | T::Instant) => {
            "write x + n * INTERVAL '1 day', or DATEADD(day, n, x)"
        }
        (T::Interval, T::Decimal | T::Double) | (T::Decimal | T::Double, T::Interval) => {
            "an interval is multiplied by an integer; write it in a smaller unit"
        }
        _ => "a time takes an interval, a date an interval or an integer of days, and two times can be subtracted",
    }
}
