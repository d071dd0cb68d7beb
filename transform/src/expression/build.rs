//! Text that is put together from values: streams, names of UUIDs. Where the text goes to an event as it is, it is
//! written there at once.

use std::fmt::Write;

use bumpalo::Bump;
use bumpalo::collections::Vec as ArenaVec;
use etl_schemas::uuid5::{ShortName, uuid5};
use etl_schemas::wire::put_first;
use uuid::Uuid;

use super::cast::text_of;
use super::evaluate::{Context, Evaluated, chosen};
use super::{Expr, Literal, Value, write_text};

/// Room that keeps texts that are put together from growing step by step.
const SHORT_TEXT_BYTES: usize = 64;

/// Where text is written: the row's arena, or the event's.
trait Out {
    fn put(&mut self, bytes: &[u8]);

    /// The first `length` of these bytes; those behind are zero. All may be copied and those too many cut off again.
    fn put_first<const N: usize>(&mut self, bytes: &[u8; N], length: usize) {
        self.put(&bytes[..length]);
    }
}

impl Out for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    #[inline]
    fn put_first<const N: usize>(&mut self, bytes: &[u8; N], length: usize) {
        put_first(self, bytes, length);
    }
}

impl Out for ArenaVec<'_, u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice_copy(bytes);
    }
}

/// Names of UUIDs: short ones, which nearly all are, are put together where they are hashed.
struct Name<'a> {
    short: ShortName,
    /// All of it, once it has grown too long.
    long: ArenaVec<'a, u8>,
}

impl Out for Name<'_> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        if !self.long.is_empty() || !self.short.put(bytes) {
            self.put_long(bytes);
        }
    }

    #[inline]
    fn put_first<const N: usize>(&mut self, bytes: &[u8; N], length: usize) {
        if !self.long.is_empty() || !self.short.put_first(bytes, length) {
            self.put_long(&bytes[..length]);
        }
    }
}

impl<'a> Name<'a> {
    fn new(namespace: &Uuid, arena: &'a Bump) -> Name<'a> {
        Name { short: ShortName::new(namespace), long: ArenaVec::new_in(arena) }
    }

    #[cold]
    fn put_long(&mut self, bytes: &[u8]) {
        if self.long.is_empty() {
            self.long.put(self.short.name());
        }
        self.long.put(bytes);
    }

    fn uuid5(self, namespace: &Uuid) -> Uuid {
        if self.long.is_empty() { self.short.uuid5() } else { uuid5(namespace, &self.long) }
    }
}

struct Formatted<'o, O>(&'o mut O);

impl<O: Out> Write for Formatted<'_, O> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.put(text.as_bytes());
        Ok(())
    }
}

#[inline]
fn put_value(out: &mut impl Out, value: &Value<'_>) {
    match value {
        Value::Text(text) => out.put(text.as_bytes()),
        Value::Integer(value) => put_integer(out, *value),
        other => write_text(&mut Formatted(out), other).expect("memory takes everything"),
    }
}

/// Decimal digits without the formatter's machinery: ids in streams and UUIDs are made from them for every event.
#[inline]
fn put_integer(out: &mut impl Out, value: i64) {
    match u64::try_from(value) {
        Ok(value) if value < EIGHT_DIGITS => put_short_integer(out, value as u32),
        Ok(value) if value < EIGHT_DIGITS * EIGHT_DIGITS => {
            put_short_integer(out, (value / EIGHT_DIGITS) as u32);
            out.put_first(&(eight_digits((value % EIGHT_DIGITS) as u32) | ASCII).to_le_bytes(), 8);
        }
        _ => write!(Formatted(out), "{value}").expect("memory takes everything"),
    }
}

/// The first number with more than eight digits.
const EIGHT_DIGITS: u64 = 100_000_000;
/// What makes characters of eight digits.
const ASCII: u64 = 0x3030_3030_3030_3030;

/// Of up to eight digits.
#[inline]
fn put_short_integer(out: &mut impl Out, value: u32) {
    let digits = eight_digits(value);
    // All zeros that lead, but not the last digit, if it is one too.
    let zeros = (digits | 1 << 56).trailing_zeros() / 8;
    out.put_first(&((digits | ASCII) >> (8 * zeros)).to_le_bytes(), 8 - zeros as usize);
}

/// Eight digits, the first in the lowest byte: halves, pairs and digits are split off all at once, each by a multiplication
/// with the reciprocal of its divisor, exact for numbers so small (Warren, "Hacker's Delight", chapter 10).
#[inline]
fn eight_digits(value: u32) -> u64 {
    let fours = u64::from(value / 10_000) | u64::from(value % 10_000) << 32;
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let pairs = hundreds | (fours - 100 * hundreds) << 16;
    let tens = ((pairs * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | (pairs - 10 * tens) << 8
}

fn put_concat<'a>(parts: &'a [Expr], context: &Context<'a>, out: &mut impl Out) -> Evaluated<()> {
    for part in parts {
        match part {
            Expr::Literal(Literal::Text(text)) => out.put(text.as_bytes()),
            part => part.look(context, |value| {
                match value {
                    // Postgres' concat writes booleans in their short form, unlike its CAST.
                    Value::Bool(truth) => out.put(if *truth { b"t" } else { b"f" }),
                    value => put_value(out, value),
                }
                Ok(())
            })?,
        }
    }
    Ok(())
}

impl Expr {
    /// Appends the value of an expression that is text to `out`; `false`, and nothing is appended, when it is NULL.
    /// After an error `out` may end in a part of it.
    pub(crate) fn put_text<'a>(&'a self, context: &Context<'a>, out: &mut Vec<u8>) -> Evaluated<bool> {
        match self {
            Expr::Concat(parts) => put_concat(parts, context, out).map(|()| true),
            Expr::Case(case) => chosen(case, context)?.put_text(context, out),
            other => match other.evaluate(context)? {
                Value::Null => Ok(false),
                value => {
                    put_value(out, &value);
                    Ok(true)
                }
            },
        }
    }
}

#[inline(never)]
pub(super) fn concat<'a>(parts: &'a [Expr], context: &Context<'a>) -> Evaluated<Value<'a>> {
    let mut out = ArenaVec::with_capacity_in(SHORT_TEXT_BYTES, context.arena);
    put_concat(parts, context, &mut out)?;
    Ok(Value::Text(made_of_text(out)))
}

fn made_of_text(bytes: ArenaVec<'_, u8>) -> &str {
    std::str::from_utf8(bytes.into_bump_slice()).expect("text made of texts is UTF-8")
}

#[inline(never)]
pub(super) fn append<'a>(left: &'a Expr, right: &'a Expr, context: &Context<'a>) -> Evaluated<Value<'a>> {
    Ok(match (left.evaluate(context)?, right.evaluate(context)?) {
        (Value::Null, _) | (_, Value::Null) => Value::Null,
        (left, right) => {
            let (left, right) = (text_of(left, context.arena), text_of(right, context.arena));
            let mut out = ArenaVec::with_capacity_in(left.len() + right.len(), context.arena);
            out.put(left.as_bytes());
            out.put(right.as_bytes());
            Value::Text(made_of_text(out))
        }
    })
}

#[inline(never)]
pub(super) fn name_uuid<'a>(
    namespace: &Uuid,
    kind: &'a Expr,
    value: &'a Expr,
    context: &Context<'a>,
) -> Evaluated<Value<'a>> {
    let mut name = Name::new(namespace, context.arena);
    match kind {
        Expr::Literal(Literal::Text(kind)) => name.put(kind.as_bytes()),
        kind => match kind.evaluate(context)? {
            Value::Null => return Ok(Value::Null),
            kind => put_value(&mut name, &kind),
        },
    }
    name.put(b":");
    value.look(context, |value| {
        if value.is_null() {
            return Ok(Value::Null);
        }
        put_value(&mut name, value);
        Ok(Value::Uuid(name.uuid5(namespace).into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn integers_are_written_as_the_formatter_writes_them(value: i64, shift in 0u32..64) {
            let edges = (0..19).map(|digits| 10i64.pow(digits)).flat_map(|power| [power - 1, power, power + 1]);
            for value in edges.chain([value, value >> shift, -1, i64::MIN, i64::MAX]) {
                let mut out = Vec::new();
                put_integer(&mut out, value);
                prop_assert_eq!(out, value.to_string().into_bytes());
            }
        }

        #[test]
        fn names_of_any_length_keep_their_bytes(parts in proptest::collection::vec(".{0,40}", 0..8)) {
            let arena = Bump::new();
            let mut name = Name::new(&Uuid::NAMESPACE_OID, &arena);
            for (part, value) in parts.iter().zip(0i64..) {
                name.put(part.as_bytes());
                put_integer(&mut name, value - 2);
            }
            let all: String = parts.iter().zip(0i64..).map(|(part, value)| format!("{part}{}", value - 2)).collect();
            prop_assert_eq!(name.uuid5(&Uuid::NAMESPACE_OID), uuid5(&Uuid::NAMESPACE_OID, all.as_bytes()));
        }
    }
}
