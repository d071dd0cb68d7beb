//! How late an expression's value can be in a block, from the block's zone maps alone.
//!
//! This is what lets a reader who begins at some time leave blocks unread, so it errs on the safe side only: a bound is
//! never earlier than the latest value, and what isn't understood is unknown.

use etl_schemas::ticks::{PER_DAY, Ticks};

use super::date_part::truncate;
use super::{Bounds, CastTarget, DatePart, Expr, Interval, Literal, Slot, TimeFunction, Value, ZoneBound};

/// What is known of the latest value of an expression in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Latest {
    /// There is no value at all: all are NULL.
    Never,
    /// No value is after this.
    Until(Ticks),
    /// Nothing: any value may come.
    Unknown,
}

impl Expr {
    /// The latest value in a block of an expression that is a date, a timestamp or an instant; `bounds` gives every
    /// column's largest value.
    pub fn latest(&self, bounds: &dyn Bounds) -> Latest {
        match self {
            Expr::Literal(Literal::Value(value)) => match value {
                Value::Null => Latest::Never,
                Value::Timestamp(ticks) | Value::Instant(ticks) => Latest::Until(*ticks),
                Value::Date(days) => Latest::Until(Ticks::from_days(*days, 0)),
                _ => Latest::Unknown,
            },
            Expr::Column(Slot::Row(place)) => match bounds.end(*place) {
                ZoneBound::Unknown => Latest::Unknown,
                ZoneBound::AllNull => Latest::Never,
                ZoneBound::At(ticks) => Latest::Until(ticks),
            },
            Expr::Coalesce(options) => latest_of(options.iter(), bounds),
            Expr::Case(case) => {
                latest_of(case.branches.iter().map(|(_, result)| result).chain([&case.otherwise]), bounds)
            }
            Expr::Shared(_, expr) => expr.latest(bounds),
            Expr::NullIf(operand, _) => operand.latest(bounds),
            Expr::ToInstant(zone, operand) => map(operand.latest(bounds), |wall| zone.latest_instant(wall)),
            Expr::ToWall(zone, operand) => map(operand.latest(bounds), |instant| zone.latest_wall(instant)),
            Expr::Cast { operand, target: CastTarget::Timestamp, .. } => operand.latest(bounds),
            Expr::Cast { operand, target: CastTarget::Date, .. } => {
                map(operand.latest(bounds), |ticks| truncate(DatePart::Day, ticks))
            }
            Expr::Time(function, arguments) => latest_moved(*function, arguments, bounds),
            _ => Latest::Unknown,
        }
    }
}

/// The latest time that a constant span moves, or that is cut to a unit.
fn latest_moved(function: TimeFunction, arguments: &[Expr], bounds: &dyn Bounds) -> Latest {
    let by = match arguments.get(1) {
        Some(Expr::Literal(Literal::Value(Value::Interval(interval)))) => Some(*interval),
        Some(Expr::Literal(Literal::Value(Value::Integer(days)))) => Interval::of(DatePart::Day, *days),
        _ => None,
    };
    let by = match function {
        TimeFunction::Add | TimeFunction::AddDays => by,
        TimeFunction::Subtract | TimeFunction::SubtractDays => by.and_then(|by| by.checked_multiply(-1)),
        TimeFunction::Truncate(part) => return map(arguments[0].latest(bounds), |time| truncate(part, time)),
        TimeFunction::AtTime => return map(arguments[0].latest(bounds), end_of_day),
        _ => None,
    };
    let Some(by) = by else { return Latest::Unknown };
    map(arguments[0].latest(bounds), |time| {
        // Months bring the ends of long months to one day, whose times are then mixed: only its end is a bound.
        let from = if by.months == 0 { time } else { end_of_day(time) };
        by.added_to(from).unwrap_or(Ticks::MAX)
    })
}

fn end_of_day(time: Ticks) -> Ticks {
    Ticks(truncate(DatePart::Day, time).0 + PER_DAY - 1)
}

fn map(bound: Latest, latest: impl Fn(Ticks) -> Ticks) -> Latest {
    match bound {
        Latest::Until(ticks) => Latest::Until(latest(ticks)),
        other => other,
    }
}

fn latest_of<'a>(options: impl Iterator<Item = &'a Expr>, bounds: &dyn Bounds) -> Latest {
    options.map(|option| option.latest(bounds)).max().unwrap_or(Latest::Never)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::Context;
    use crate::zone::Zone;
    use bumpalo::Bump;
    use etl_schemas::ticks::PER_SECOND;
    use proptest::prelude::*;
    use std::sync::Arc;

    /// A block whose one column ends at this time.
    struct Until(Ticks);

    impl Bounds for Until {
        fn end(&self, _place: usize) -> ZoneBound {
            ZoneBound::At(self.0)
        }
    }

    proptest! {
        /// Blocks are left unread on the word of a bound, so no earlier time may come out behind it.
        #[test]
        fn no_time_that_is_moved_cut_or_zoned_comes_after_the_bound(
            last in -400i64 * 86_400..400 * 86_400,
            earlier in 0i64..80 * 86_400,
            months in -14..14,
            days in -40..40,
            seconds in -100_000i64..100_000,
            part in prop::sample::select(vec![DatePart::Hour, DatePart::Week, DatePart::Month, DatePart::Decade]),
            zone in prop::sample::select(vec!["Europe/Stockholm", "Australia/Lord_Howe", "Pacific/Apia"]),
        ) {
            let until = Ticks((1_709_164_800 + last) * PER_SECOND);
            let interval = Interval { months, days, ticks: seconds * PER_SECOND };
            let zone: Arc<Zone> = Zone::named(zone).unwrap();
            let column = || Expr::Column(Slot::Row(0));
            let by = || Expr::constant(Value::Interval(interval));
            let arena = Bump::new();
            for ticks in [Ticks(until.0 - earlier * PER_SECOND), Ticks(until.0 - earlier % 7200 * PER_SECOND)] {
                let row = [Value::Timestamp(ticks)];
                let context = &Context { row: &row, joined: &[], arena: &arena, memos: &[] };
                for expr in [
                    Expr::Time(TimeFunction::Add, vec![column(), by()]),
                    Expr::Time(TimeFunction::Subtract, vec![column(), by()]),
                    Expr::Time(TimeFunction::Truncate(part), vec![column()]),
                    Expr::ToInstant(Arc::clone(&zone), Box::new(column())),
                ] {
                    let (Value::Timestamp(found) | Value::Instant(found)) = expr.evaluate(context).unwrap() else {
                        panic!("a time")
                    };
                    let Latest::Until(bound) = expr.latest(&Until(until)) else { panic!("a bound") };
                    prop_assert!(bound >= found, "{expr:?}: {found} is after {bound}");
                }
                let row = [Value::Instant(ticks)];
                let expr = Expr::ToWall(Arc::clone(&zone), Box::new(column()));
                let context = &Context { row: &row, joined: &[], arena: &arena, memos: &[] };
                let Value::Timestamp(found) = expr.evaluate(context).unwrap() else { panic!("a timestamp") };
                let Latest::Until(bound) = expr.latest(&Until(until)) else { panic!("a bound") };
                prop_assert!(bound >= found, "{found} is after {bound}");
            }
        }
    }
}
