//! Text that is put together from values: streams, names of UUIDs. Where the text goes to an event as it is, it is
//! written there at once.

use std::fmt::Write;

use bumpalo::Bump;
use bumpalo::collections::Vec as ArenaVec;
use etl_schemas::uuid5::uuid5;
use uuid::Uuid;

use super::cast::text_of;
use super::evaluate::{Context, Evaluated, chosen};
use super::{Expr, Literal, Value, write_text};

/// Room that keeps texts that are put together from growing step by step.
const SHORT_TEXT_BYTES: usize = 64;

/// Where text is written: the row's arena, or the event's.
trait Out {
    fn put(&mut self, bytes: &[u8]);
}

impl Out for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Out for ArenaVec<'_, u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice_copy(bytes);
    }
}

/// Names of UUIDs: short ones, which nearly all are, never leave the stack.
struct Name<'a> {
    short: [u8; SHORT_TEXT_BYTES],
    length: usize,
    /// All of it, once it has grown too long.
    long: ArenaVec<'a, u8>,
}

impl Out for Name<'_> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        match self.short.get_mut(self.length..self.length + bytes.len()) {
            Some(room) if self.long.is_empty() => {
                room.copy_from_slice(bytes);
                self.length += bytes.len();
            }
            _ => {
                if self.long.is_empty() {
                    self.long.put(&self.short[..self.length]);
                }
                self.long.put(bytes);
            }
        }
    }
}

impl<'a> Name<'a> {
    fn new(arena: &'a Bump) -> Name<'a> {
        Name { short: [0; SHORT_TEXT_BYTES], length: 0, long: ArenaVec::new_in(arena) }
    }

    fn bytes(&self) -> &[u8] {
        if self.long.is_empty() { &self.short[..self.length] } else { &self.long }
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

/// Two decimal digits for each number below 100.
const PAIRS: &[u8; 200] =
    b"0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849\
5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

/// Decimal digits without the formatter's machinery: ids in streams and UUIDs are made from them for every event.
#[inline]
fn put_integer(out: &mut impl Out, value: i64) {
    let (mut digits, mut first, mut rest) = ([0; 20], 20, value.unsigned_abs());
    while rest >= 10 {
        let pair = 2 * (rest % 100) as usize;
        first -= 2;
        digits[first..first + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
        rest /= 100;
    }
    // What is left of a number of even length is nothing; but zero itself has a digit.
    if rest > 0 || first == 20 {
        first -= 1;
        digits[first] = b'0' + rest as u8;
    }
    if value < 0 {
        first -= 1;
        digits[first] = b'-';
    }
    out.put(&digits[first..]);
}

fn put_concat<'a>(parts: &'a [Expr], context: Context<'a>, out: &mut impl Out) -> Evaluated<()> {
    for part in parts {
        match part {
            Expr::Literal(Literal::Text(text)) => out.put(text.as_bytes()),
            part => match part.evaluate(context)? {
                // Postgres' concat writes booleans in their short form, unlike its CAST.
                Value::Bool(truth) => out.put(if truth { b"t" } else { b"f" }),
                value => put_value(out, &value),
            },
        }
    }
    Ok(())
}

impl Expr {
    /// Appends the value of an expression that is text to `out`; `false`, and nothing is appended, when it is NULL.
    /// After an error `out` may end in a part of it.
    pub(crate) fn put_text<'a>(&'a self, context: Context<'a>, out: &mut Vec<u8>) -> Evaluated<bool> {
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
pub(super) fn concat<'a>(parts: &'a [Expr], context: Context<'a>) -> Evaluated<Value<'a>> {
    let mut out = ArenaVec::with_capacity_in(SHORT_TEXT_BYTES, context.arena);
    put_concat(parts, context, &mut out)?;
    Ok(Value::Text(made_of_text(out)))
}

fn made_of_text(bytes: ArenaVec<'_, u8>) -> &str {
    std::str::from_utf8(bytes.into_bump_slice()).expect("text made of texts is UTF-8")
}

#[inline(never)]
pub(super) fn append<'a>(left: &'a Expr, right: &'a Expr, context: Context<'a>) -> Evaluated<Value<'a>> {
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
    context: Context<'a>,
) -> Evaluated<Value<'a>> {
    let mut name = Name::new(context.arena);
    match kind {
        Expr::Literal(Literal::Text(kind)) => name.put(kind.as_bytes()),
        kind => match kind.evaluate(context)? {
            Value::Null => return Ok(Value::Null),
            kind => put_value(&mut name, &kind),
        },
    }
    name.put(b":");
    match value.evaluate(context)? {
        Value::Null => return Ok(Value::Null),
        value => put_value(&mut name, &value),
    }
    Ok(Value::Uuid(uuid5(namespace, name.bytes()).into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn integers_are_written_as_the_formatter_writes_them(value: i64, shift in 0u32..64) {
            for value in [value, value >> shift, i64::MIN, i64::MAX, 0, 9, 10, 99, 100] {
                let mut out = Vec::new();
                put_integer(&mut out, value);
                prop_assert_eq!(out, value.to_string().into_bytes());
            }
        }

        #[test]
        fn names_of_any_length_keep_their_bytes(parts in proptest::collection::vec(".{0,40}", 0..8)) {
            let arena = Bump::new();
            let mut name = Name::new(&arena);
            parts.iter().for_each(|part| name.put(part.as_bytes()));
            let all = parts.concat();
            prop_assert_eq!(name.bytes(), all.as_bytes());
        }
    }
}
