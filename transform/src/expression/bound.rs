//! How early and how late an expression's value can be in a block, from the block's zone maps alone.
//!
//! This is what lets events go before everything is read, so it errs on the safe side only: a bound is never later
//! than the earliest value, and what isn't understood is unknown.

use etl_schemas::ticks::{PER_DAY, Ticks};

use super::date_part::truncate;
use super::{CastTarget, DatePart, Expr, Interval, Literal, Slot, TimeFunction, Value};

/// What is known of the earliest value of an expression in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound {
    /// Nothing: any value may come.
    Unknown,
    /// No value is before this.
    From(Ticks),
    /// There is no value at all: all are NULL.
    Never,
}

/// Where the zone maps of a block are asked for.
pub trait Bounds {
    /// One end of the values in the column with the slot `Slot::Row(place)`: the smallest for [`Expr::earliest`], the
    /// largest for [`Expr::latest`].
    fn end(&self, place: usize) -> ZoneBound;
}

/// What a zone map says of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZoneBound {
    /// There is no zone map.
    Unknown,
    /// All values are NULL.
    AllNull,
    /// That end, already in ticks: a date counts as its midnight.
    At(Ticks),
}

impl Expr {
    /// The earliest value in a block of an expression that is a date, a timestamp or an instant.
    pub fn earliest(&self, bounds: &dyn Bounds) -> Bound {
        match self {
            Expr::Literal(Literal::Value(value)) => match value {
                Value::Null => Bound::Never,
                Value::Timestamp(ticks) | Value::Instant(ticks) => Bound::From(*ticks),
                Value::Date(days) => Bound::From(Ticks::from_days(*days, 0)),
                _ => Bound::Unknown,
            },
            Expr::Column(Slot::Row(place)) => match bounds.end(*place) {
                ZoneBound::Unknown => Bound::Unknown,
                ZoneBound::AllNull => Bound::Never,
                ZoneBound::At(ticks) => Bound::From(ticks),
            },
            Expr::Coalesce(options) => least_of(options.iter(), bounds),
            Expr::Case(case) => {
                least_of(case.branches.iter().map(|(_, result)| result).chain([&case.otherwise]), bounds)
            }
            Expr::Shared(_, expr) => expr.earliest(bounds),
            Expr::NullIf(operand, _) => operand.earliest(bounds),
            Expr::ToInstant(zone, operand) => map(operand.earliest(bounds), |wall| zone.earliest_instant(wall)),
            Expr::ToWall(zone, operand) => map(operand.earliest(bounds), |instant| zone.earliest_wall(instant)),
            Expr::Cast { operand, target: CastTarget::Timestamp, .. } => operand.earliest(bounds),
            Expr::Cast { operand, target: CastTarget::Date, .. } => {
                map(operand.earliest(bounds), |ticks| Ticks(ticks.0.div_euclid(PER_DAY) * PER_DAY))
            }
            Expr::Time(function, arguments) => earliest_moved(*function, arguments, bounds),
            _ => Bound::Unknown,
        }
    }
}

/// The earliest time that a constant span moves, or that is cut to a unit.
fn earliest_moved(function: TimeFunction, arguments: &[Expr], bounds: &dyn Bounds) -> Bound {
    let by = match arguments.get(1) {
        Some(Expr::Literal(Literal::Value(Value::Interval(interval)))) => Some(*interval),
        Some(Expr::Literal(Literal::Value(Value::Integer(days)))) => Interval::of(DatePart::Day, *days),
        _ => None,
    };
    let by = match function {
        TimeFunction::Add | TimeFunction::AddDays => by,
        TimeFunction::Subtract | TimeFunction::SubtractDays => by.and_then(|by| by.checked_multiply(-1)),
        TimeFunction::Truncate(part) => return map(arguments[0].earliest(bounds), |time| truncate(part, time)),
        TimeFunction::AtTime => return arguments[0].earliest(bounds),
        _ => None,
    };
    let Some(by) = by else { return Bound::Unknown };
    map(arguments[0].earliest(bounds), |time| {
        // Months bring the ends of long months to one day, whose times are then mixed: only its midnight is a bound.
        let from = if by.months == 0 { time } else { truncate(DatePart::Day, time) };
        by.added_to(from).unwrap_or(Ticks::MIN)
    })
}

fn map(bound: Bound, earliest: impl Fn(Ticks) -> Ticks) -> Bound {
    match bound {
        Bound::From(ticks) => Bound::From(earliest(ticks)),
        other => other,
    }
}

fn least_of<'a>(options: impl Iterator<Item = &'a Expr>, bounds: &dyn Bounds) -> Bound {
    options.map(|option| option.earliest(bounds)).min().unwrap_or(Bound::Never)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::Context;
    use bumpalo::Bump;
    use etl_schemas::ticks::PER_SECOND;
    use proptest::prelude::*;

    /// A block whose one column begins at this time.
    struct From(Ticks);

    impl Bounds for From {
        fn end(&self, _place: usize) -> ZoneBound {
            ZoneBound::At(self.0)
        }
    }

    proptest! {
        /// Events go out on the word of a bound, so no later time may come out before it.
        #[test]
        fn no_time_that_is_moved_or_cut_comes_before_the_bound(
            // Around the end of February of a leap year, where months are at their worst.
            first in -40i64 * 86_400..40 * 86_400,
            later in 0i64..80 * 86_400,
            months in -14..14,
            days in -40..40,
            seconds in -100_000i64..100_000,
            part in prop::sample::select(vec![DatePart::Hour, DatePart::Week, DatePart::Month, DatePart::Decade]),
        ) {
            let from = Ticks((1_709_164_800 + first) * PER_SECOND);
            let interval = Interval { months, days, ticks: seconds * PER_SECOND };
            let column = || Expr::Column(Slot::Row(0));
            let by = || Expr::constant(Value::Interval(interval));
            let arena = Bump::new();
            let row = [Value::Timestamp(Ticks(from.0 + later * PER_SECOND))];
            let context = &Context { row: &row, joined: &[], arena: &arena, memos: &[] };
            for expr in [
                Expr::Time(TimeFunction::Add, vec![column(), by()]),
                Expr::Time(TimeFunction::Subtract, vec![column(), by()]),
                Expr::Time(TimeFunction::Truncate(part), vec![column()]),
            ] {
                let Value::Timestamp(found) = expr.evaluate(context).unwrap() else { panic!("a timestamp") };
                let Bound::From(bound) = expr.earliest(&From(from)) else { panic!("a bound") };
                prop_assert!(bound <= found, "{expr:?}: {found} is before {bound}");
            }
        }
    }
}
