//! Functions on text. Lengths and places count characters, not bytes, as in Postgres.

use bumpalo::Bump;
use bumpalo::collections::String as ArenaString;

use super::Value;
use super::evaluate::{EvaluateError, Evaluated};

/// A function whose result is NULL when one of its arguments is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the variants are the functions' names")]
pub enum TextFunction {
    /// Off both ends, blanks or the characters of the second argument.
    Trim,
    TrimStart,
    TrimEnd,
    Lower,
    Upper,
    /// In characters.
    Length,
    /// T-SQL's LEN: in characters, blanks at the end not counted.
    LengthTrimmed,
    /// From a place, counted from 1, as many characters as the third argument says or all.
    Substring,
    Replace,
    Left,
    Right,
    /// Where the second text begins in the first, from 1, or 0.
    Position,
    /// The n-th piece of a text that a delimiter cuts; from the end when n is negative; empty when there is none.
    SplitPart,
}

/// No function here takes more arguments.
pub(super) const ARGUMENTS_MAX: usize = 3;

/// The argument at `index`, which the compiler has checked to be text.
fn text<'a>(arguments: &[Value<'a>], index: usize) -> &'a str {
    match arguments.get(index) {
        Some(Value::Text(text)) => text,
        other => unreachable!("the compiler checked that argument {index} is text, not {other:?}"),
    }
}

/// The argument at `index`, which the compiler has checked to be an integer.
fn integer(arguments: &[Value<'_>], index: usize) -> i64 {
    match arguments.get(index) {
        Some(Value::Integer(value)) => *value,
        other => unreachable!("the compiler checked that argument {index} is an integer, not {other:?}"),
    }
}

/// Applies a function to arguments of which none is NULL.
pub(super) fn apply<'a>(function: TextFunction, arguments: &[Value<'a>], arena: &'a Bump) -> Evaluated<Value<'a>> {
    use TextFunction as F;
    let first = text(arguments, 0);
    let trimmed = |c: char| match arguments.get(1) {
        Some(Value::Text(characters)) => characters.contains(c),
        _ => c == ' ',
    };
    Ok(match function {
        F::Trim if arguments.len() == 1 => Value::Text(without_blanks(first)),
        F::Trim => Value::Text(first.trim_matches(trimmed)),
        F::TrimStart => Value::Text(first.trim_start_matches(trimmed)),
        F::TrimEnd => Value::Text(first.trim_end_matches(trimmed)),
        F::Lower => Value::Text(mapped(first, arena, |c| single(c, c.to_lowercase()))),
        F::Upper => Value::Text(mapped(first, arena, |c| single(c, c.to_uppercase()))),
        F::Length => Value::Integer(first.chars().count() as i64),
        F::LengthTrimmed => Value::Integer(first.trim_end_matches(' ').chars().count() as i64),
        F::Substring => Value::Text(substring(first, arguments)?),
        F::Replace => Value::Text(replaced(first, text(arguments, 1), text(arguments, 2), arena)),
        F::Left => Value::Text(&first[..boundary(first, integer(arguments, 1))]),
        F::Right => Value::Text(&first[boundary(first, right_start(first, integer(arguments, 1)))..]),
        F::Position => Value::Integer(position(first, text(arguments, 1))),
        F::SplitPart => Value::Text(split_part(first, text(arguments, 1), integer(arguments, 2))?),
    })
}

/// Off both ends. Blanks, which most often are what is trimmed, are found without decoding characters.
fn without_blanks(text: &str) -> &str {
    let is_kept = |byte: &u8| *byte != b' ';
    match text.as_bytes().iter().position(is_kept) {
        Some(start) => {
            let end = text.as_bytes().iter().rposition(is_kept).map_or(start, |last| last + 1);
            &text[start..end]
        }
        None => "",
    }
}

/// The byte at which the first `count` characters end; a negative count leaves that many off the end.
fn boundary(text: &str, count: i64) -> usize {
    let count = if count < 0 { (text.chars().count() as i64 + count).max(0) } else { count };
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    text.char_indices().nth(count).map_or(text.len(), |(at, _)| at)
}

/// How many characters stand before the last `count`; a negative count leaves that many off the start.
fn right_start(text: &str, count: i64) -> i64 {
    match count < 0 {
        true => count.checked_neg().unwrap_or(i64::MAX),
        false => (text.chars().count() as i64 - count).max(0),
    }
}

/// SQL's substring: places before the first character count, though nothing stands there.
fn substring<'a>(text: &'a str, arguments: &[Value<'a>]) -> Evaluated<&'a str> {
    let start = integer(arguments, 1);
    let end = match arguments.len() {
        2 => i64::MAX,
        _ => match integer(arguments, 2) {
            length if length < 0 => return Err(Box::new(EvaluateError::NegativeLength)),
            length => start.saturating_add(length),
        },
    };
    let from = boundary(text, start.saturating_sub(1).max(0));
    let to = boundary(text, end.saturating_sub(1).max(0));
    Ok(&text[from..to.max(from)])
}

fn position(text: &str, wanted: &str) -> i64 {
    text.find(wanted).map_or(0, |at| text[..at].chars().count() as i64 + 1)
}

fn split_part<'a>(text: &'a str, delimiter: &str, wanted: i64) -> Evaluated<&'a str> {
    let place = usize::try_from(wanted.unsigned_abs()).unwrap_or(usize::MAX);
    let Some(place) = place.checked_sub(1) else { return Err(Box::new(EvaluateError::PartZero)) };
    // An empty delimiter cuts nothing: the whole text is the one piece. So is that of an empty text.
    if delimiter.is_empty() {
        return Ok(if place == 0 { text } else { "" });
    }
    let piece = match wanted < 0 {
        true => text.rsplit(delimiter).nth(place),
        false => text.split(delimiter).nth(place),
    };
    Ok(piece.unwrap_or(""))
}

/// A character's other case where that is one character; `ß` stays as it is, as in Postgres.
fn single(original: char, mut mapped: impl Iterator<Item = char>) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => original,
    }
}

fn mapped<'a>(text: &'a str, arena: &'a Bump, map: impl Fn(char) -> char) -> &'a str {
    if text.chars().all(|c| map(c) == c) {
        return text;
    }
    let mut out = ArenaString::with_capacity_in(text.len(), arena);
    out.extend(text.chars().map(map));
    out.into_bump_str()
}

fn replaced<'a>(text: &'a str, from: &str, to: &str, arena: &'a Bump) -> &'a str {
    if from.is_empty() || !text.contains(from) {
        return text;
    }
    let mut out = ArenaString::with_capacity_in(text.len(), arena);
    for (index, part) in text.split(from).enumerate() {
        if index > 0 {
            out.push_str(to);
        }
        out.push_str(part);
    }
    out.into_bump_str()
}
