//! The typed expression tree that a mapping is compiled to, and its evaluation row by row.
//!
//! In: the columns of a row and of its lookups as [`Value`]s. Out: a [`Value`], or an [`EvaluateError`] that sends the
//! row to quarantine. Types are settled when the tree is built, so that evaluation never meets a value of a type that
//! an operator doesn't take. What an expression makes lives in an arena that is emptied after each row.

mod arithmetic;
mod binary;
mod bound;
mod build;
mod cast;
mod condition;
mod date_part;
mod evaluate;
mod interval;
mod latest;
mod like;
mod operands;
mod parse;
mod pattern;
mod shared;
mod text;
mod time;
mod value;

use std::sync::Arc;

use uuid::Uuid;

pub use binary::{BinaryFunction, Encoding};
pub use bound::{Bound, Bounds, ZoneBound};
pub use cast::CastTarget;
pub use date_part::{DatePart, PartNames};
pub use evaluate::{Context, EvaluateError, Evaluated};
pub use interval::{Interval, parse_interval};
pub use latest::Latest;
pub use like::Like;
pub use parse::{parse_date, parse_instant, parse_time, parse_timestamp};
pub use pattern::{Pattern, PatternError, Replacement};
pub use shared::Memo;
pub use text::TextFunction;
pub use time::TimeFunction;
pub use value::{Type, UuidValue, Value, write_text};

use crate::zone::Zone;

/// Where a column's value is found while a row is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// A column of the driving table, by its place among those that are decoded.
    Row(usize),
    /// A column of a joined lookup, by its place among those that the mapping uses.
    Joined(usize),
}

/// A constant.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// Text, which alone needs memory of its own.
    Text(Box<str>),
    /// Any value that isn't text or bytes, or NULL.
    Value(Value<'static>),
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the variants are the operators' names")]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// An operator on two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the variants are the operators' names")]
pub enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// A CASE: the first branch that holds gives the result.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// What a simple CASE compares with every branch; `None` for a searched one, whose branches are conditions.
    pub operand: Option<Expr>,
    /// Condition or value to compare with, and result.
    pub branches: Vec<(Expr, Expr)>,
    /// The result when no branch holds.
    pub otherwise: Expr,
}

/// Names of an enum's values, with and without the enum's prefix, and their numbers; sorted by name.
#[derive(Debug, PartialEq, Eq)]
pub struct EnumNames {
    /// The enum's name.
    pub name: String,
    /// Name and number.
    pub numbers: Vec<(String, i32)>,
}

impl EnumNames {
    /// The number of a value by its name.
    pub fn number(&self, name: &str) -> Option<i32> {
        let place = self.numbers.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok()?;
        Some(self.numbers[place].1)
    }
}

/// A node of the tree. Operators that don't say otherwise give NULL for a NULL operand.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A constant.
    Literal(Literal),
    /// A column.
    Column(Slot),
    /// NOT.
    Not(Box<Expr>),
    /// AND by three-valued logic.
    And(Box<Expr>, Box<Expr>),
    /// OR by three-valued logic.
    Or(Box<Expr>, Box<Expr>),
    /// IS NULL, never NULL itself.
    IsNull(Box<Expr>),
    /// IS TRUE or IS FALSE, never NULL itself.
    IsBool(bool, Box<Expr>),
    /// A comparison of two values of one type.
    Compare(Comparison, Box<Expr>, Box<Expr>),
    /// IS DISTINCT FROM, never NULL itself.
    IsDistinct(Box<Expr>, Box<Expr>),
    /// IN a list, by three-valued logic.
    In(Box<Expr>, Vec<Expr>),
    /// LIKE and ILIKE.
    Like(Box<Like>),
    /// CASE.
    Case(Box<Case>),
    /// The first value that isn't NULL.
    Coalesce(Vec<Expr>),
    /// NULL when both are equal, else the first.
    NullIf(Box<Expr>, Box<Expr>),
    /// Two numbers of one type.
    Arithmetic(Arithmetic, Box<Expr>, Box<Expr>),
    /// A number with its sign changed.
    Negate(Box<Expr>),
    /// CAST or, when `is_try`, TRY_CAST, which gives NULL where CAST fails.
    Cast {
        /// What is converted.
        operand: Box<Expr>,
        /// To which type.
        target: CastTarget,
        /// Whether a failure is NULL.
        is_try: bool,
    },
    /// `concat`: the text of all values, NULL counting as empty.
    Concat(Vec<Expr>),
    /// `||`: the text of both values.
    Append(Box<Expr>, Box<Expr>),
    /// A function on text.
    Text(TextFunction, Vec<Expr>),
    /// A function on dates, times and intervals.
    Time(TimeFunction, Vec<Expr>),
    /// A function on bytes, or on the UTF-8 of text.
    Binary(BinaryFunction, Box<Expr>),
    /// `regexp_like`.
    Matches(Arc<Pattern>, Box<Expr>),
    /// `regexp_replace`.
    ReplaceMatches(Arc<Replacement>, Box<Expr>),
    /// UUIDv5 of `<kind>:<value>` in the project's namespace.
    Uuid5 {
        /// The project's namespace.
        namespace: Uuid,
        /// What kind of thing is named.
        kind: Box<Expr>,
        /// Which one of them.
        value: Box<Expr>,
    },
    /// A wall-clock time AT TIME ZONE: the instant.
    ToInstant(Arc<Zone>, Box<Expr>),
    /// An instant AT TIME ZONE: what the zone's clock shows.
    ToWall(Arc<Zone>, Box<Expr>),
    /// The number of an enum's value by its name.
    EnumNumber(Arc<EnumNames>, Box<Expr>),
    /// What several mappings of a table work out from a row: place among the row's memos, and how.
    Shared(usize, Box<Expr>),
}

impl Expr {
    /// A constant that isn't text.
    pub fn constant(value: Value<'static>) -> Expr {
        Expr::Literal(Literal::Value(value))
    }

    /// Constant text.
    pub fn text(text: &str) -> Expr {
        Expr::Literal(Literal::Text(text.into()))
    }

    /// The expression itself, where it is one that is shared.
    pub fn itself(&self) -> &Expr {
        match self {
            Expr::Shared(_, expr) => expr,
            other => other,
        }
    }

    /// NULL.
    pub fn null() -> Expr {
        Expr::constant(Value::Null)
    }
}
