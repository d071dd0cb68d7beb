//! How early and how late an expression's value can be in a block, from the block's zone maps alone.
//!
//! This is what lets events go before everything is read, so it errs on the safe side only: a bound is never later
//! than the earliest value, and what isn't understood is unknown.

use etl_schemas::ticks::{PER_DAY, Ticks};

use super::{CastTarget, Expr, Literal, Slot, Value};

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
    /// The smallest value in the column with the slot `Slot::Row(place)`, in the integers of its zone map.
    fn least(&self, place: usize) -> ZoneBound;
}

/// What a zone map says of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZoneBound {
    /// There is no zone map.
    Unknown,
    /// All values are NULL.
    AllNull,
    /// The smallest value, already in ticks: a date counts as its midnight.
    Least(Ticks),
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
            Expr::Column(Slot::Row(place)) => match bounds.least(*place) {
                ZoneBound::Unknown => Bound::Unknown,
                ZoneBound::AllNull => Bound::Never,
                ZoneBound::Least(ticks) => Bound::From(ticks),
            },
            Expr::Coalesce(options) => least_of(options.iter(), bounds),
            Expr::Case(case) => {
                least_of(case.branches.iter().map(|(_, result)| result).chain([&case.otherwise]), bounds)
            }
            Expr::NullIf(operand, _) => operand.earliest(bounds),
            Expr::ToInstant(zone, operand) => map(operand.earliest(bounds), |wall| zone.earliest_instant(wall)),
            Expr::ToWall(zone, operand) => map(operand.earliest(bounds), |instant| zone.earliest_wall(instant)),
            Expr::Cast { operand, target: CastTarget::Timestamp, .. } => operand.earliest(bounds),
            Expr::Cast { operand, target: CastTarget::Date, .. } => {
                map(operand.earliest(bounds), |ticks| Ticks(ticks.0.div_euclid(PER_DAY) * PER_DAY))
            }
            _ => Bound::Unknown,
        }
    }
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
