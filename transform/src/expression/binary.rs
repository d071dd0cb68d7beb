//! Functions on bytes: digests and their text forms. Text counts as its UTF-8.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bumpalo::Bump;
use bumpalo::collections::Vec as ArenaVec;
use sha2::{Digest, Sha256};

use super::Value;

/// A text form of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Two lower-case digits per byte.
    Hex,
    /// RFC 4648 with padding, in one line.
    Base64,
    /// The same, broken after every 76 characters, as Postgres' `encode` has it from RFC 2045.
    Base64Lines,
}

/// A function of one argument, bytes or text, whose result is NULL when that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryFunction {
    /// SHA-256, 32 bytes.
    Sha256,
    /// The text form.
    Encode(Encoding),
    /// How many bytes.
    Length,
}

/// Postgres breaks lines of base64 here.
const LINE_CHARACTERS: usize = 76;

impl BinaryFunction {
    /// Applies it to a value that the compiler has checked to be bytes, text or NULL.
    pub(super) fn apply<'a>(self, value: Value<'a>, arena: &'a Bump) -> Value<'a> {
        let bytes = match value {
            Value::Null => return Value::Null,
            Value::Text(text) => text.as_bytes(),
            Value::Bytes(bytes) => bytes,
            other => unreachable!("the compiler checked that this is bytes or text, not {other:?}"),
        };
        match self {
            BinaryFunction::Sha256 => Value::Bytes(arena.alloc_slice_copy(&Sha256::digest(bytes))),
            BinaryFunction::Encode(Encoding::Hex) => Value::Text(hex(bytes, arena)),
            BinaryFunction::Encode(Encoding::Base64) => Value::Text(base64(bytes, arena)),
            BinaryFunction::Encode(Encoding::Base64Lines) => Value::Text(lines(base64(bytes, arena), arena)),
            BinaryFunction::Length => Value::Integer(bytes.len() as i64),
        }
    }
}

/// Text of ASCII characters.
fn ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the alphabets of hex and base64 are ASCII")
}

fn hex<'a>(bytes: &[u8], arena: &'a Bump) -> &'a str {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = ArenaVec::with_capacity_in(bytes.len() * 2, arena);
    for byte in bytes {
        out.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    ascii(out.into_bump_slice())
}

fn base64<'a>(bytes: &[u8], arena: &'a Bump) -> &'a str {
    let out = arena.alloc_slice_fill_copy(bytes.len().div_ceil(3) * 4, 0);
    let length = STANDARD.encode_slice(bytes, out).expect("base64 takes four characters for three bytes");
    ascii(&out[..length])
}

fn lines<'a>(text: &'a str, arena: &'a Bump) -> &'a str {
    // Postgres ends a full line even when nothing follows it.
    if text.len() < LINE_CHARACTERS {
        return text;
    }
    let mut out = ArenaVec::with_capacity_in(text.len() + text.len() / LINE_CHARACTERS + 1, arena);
    for line in text.as_bytes().chunks(LINE_CHARACTERS) {
        out.extend_from_slice(line);
        if line.len() == LINE_CHARACTERS {
            out.push(b'\n');
        }
    }
    ascii(out.into_bump_slice())
}
