//! Text from the wire into UTF-8, in a buffer that is used again and again.
//!
//! Halves of surrogate pairs become U+FFFD, as with the other client; bytes that a code page has no character for are
//! refused, as there.

use ::mssql_tds::datatypes::sql_string::EncodingType;
use ::mssql_tds::encoding_rs::{DecoderResult, Encoding};

use super::code_page;

/// The text of `bytes`. The error is a reason, without its place.
#[inline]
pub(super) fn decode<'t>(
    buffer: &'t mut Vec<u8>,
    bytes: &'t [u8],
    encoding: EncodingType,
) -> Result<&'t str, &'static str> {
    match encoding {
        EncodingType::Utf16 => utf16(buffer, bytes),
        // All of SQL Server's code pages agree on ASCII.
        _ if bytes.is_ascii() => utf8(bytes),
        EncodingType::Utf8 => utf8(bytes),
        EncodingType::LcidBased(collation) => match code_page::of(collation) {
            Some(encoding) => narrow(buffer, bytes, encoding),
            None => Err("text in a collation whose code page isn't known came"),
        },
        EncodingType::DelayedSet => Err("text without a collation came"),
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, &'static str> {
    std::str::from_utf8(bytes).map_err(|_| "text that isn't UTF-8 came")
}

fn narrow<'t>(buffer: &'t mut Vec<u8>, bytes: &[u8], encoding: &'static Encoding) -> Result<&'t str, &'static str> {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let longest = decoder.max_utf8_buffer_length_without_replacement(bytes.len()).ok_or("text too long came")?;
    if buffer.len() < longest {
        buffer.resize(longest, 0);
    }
    match decoder.decode_to_utf8_without_replacement(bytes, buffer, true) {
        (DecoderResult::InputEmpty, _, written) => utf8(&buffer[..written]),
        _ => Err("text with a byte that its code page has no character for came"),
    }
}

/// UTF-16 units that are looked at together.
const RUN: usize = 8;
/// Set in eight units if any of them isn't ASCII.
const BEYOND_ASCII: u128 = 0xff80_ff80_ff80_ff80_ff80_ff80_ff80_ff80;

fn utf16<'t>(buffer: &'t mut Vec<u8>, bytes: &[u8]) -> Result<&'t str, &'static str> {
    if !bytes.len().is_multiple_of(2) {
        return Err("UTF-16 text of an odd number of bytes came");
    }
    buffer.clear();
    buffer.reserve(bytes.len() / 2 * 3);
    let mut rest = bytes;
    while !rest.is_empty() {
        while let Some((run, after)) = rest.split_first_chunk::<{ RUN * 2 }>()
            && u128::from_le_bytes(*run) & BEYOND_ASCII == 0
        {
            let ascii: [u8; RUN] = std::array::from_fn(|unit| run[unit * 2]);
            buffer.extend_from_slice(&ascii);
            rest = after;
        }
        for _ in 0..RUN {
            let Some(after) = character(buffer, rest) else { break };
            rest = after;
        }
    }
    Ok(std::str::from_utf8(buffer).expect("it was built of whole characters"))
}

/// Appends the first character, and gives what follows it; `None` at the end.
#[inline]
fn character<'b>(buffer: &mut Vec<u8>, bytes: &'b [u8]) -> Option<&'b [u8]> {
    let unit_of = |bytes: &'b [u8]| {
        let (unit, after) = bytes.split_first_chunk::<2>()?;
        Some((u16::from_le_bytes(*unit), after))
    };
    let (unit, after) = unit_of(bytes)?;
    match unit {
        0..0x80 => {
            buffer.push(unit as u8);
            Some(after)
        }
        0x80..0x800 => {
            buffer.extend_from_slice(&[0xc0 | (unit >> 6) as u8, 0x80 | (unit & 0x3f) as u8]);
            Some(after)
        }
        0xd800..0xe000 => {
            let pair = unit_of(after).filter(|(low, _)| unit < 0xdc00 && (0xdc00..0xe000).contains(low));
            let (code, after) = match pair {
                Some((low, after)) => (0x1_0000 + ((u32::from(unit) & 0x3ff) << 10 | u32::from(low) & 0x3ff), after),
                None => (u32::from(char::REPLACEMENT_CHARACTER), after),
            };
            push(buffer, char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            Some(after)
        }
        _ => {
            push(buffer, char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER));
            Some(after)
        }
    }
}

#[inline]
fn push(buffer: &mut Vec<u8>, character: char) {
    buffer.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::mssql_tds::token::tokens::SqlCollation;
    use proptest::prelude::*;

    fn bytes(units: &[u16]) -> Vec<u8> {
        units.iter().flat_map(|unit| unit.to_le_bytes()).collect()
    }

    proptest! {
        #[test]
        fn any_units_decode_as_the_standard_library_does(units: Vec<u16>) {
            let mut buffer = Vec::new();
            prop_assert_eq!(utf16(&mut buffer, &bytes(&units)).unwrap(), String::from_utf16_lossy(&units));
        }

        #[test]
        fn any_text_comes_back(text: String) {
            let units: Vec<u16> = text.encode_utf16().collect();
            let mut buffer = Vec::new();
            prop_assert_eq!(utf16(&mut buffer, &bytes(&units)).unwrap(), text);
        }
    }

    #[test]
    fn pairs_and_their_halves() {
        for units in [&[0xd800][..], &[0xdc00, 0x61], &[0xd800, 0xd800, 0xdc00], &[0xd83d, 0xde00], &[0xdbff, 0xdfff]] {
            assert_eq!(utf16(&mut Vec::new(), &bytes(units)).unwrap(), String::from_utf16_lossy(units));
        }
        assert!(utf16(&mut Vec::new(), &[0x61]).is_err());
    }

    #[test]
    fn narrow_text_is_exact_or_refused() {
        let collation = |lcid: u32| EncodingType::LcidBased(SqlCollation::try_from(&lcid.to_le_bytes_5()[..]).unwrap());
        let text = |lcid, bytes: &[u8]| decode(&mut Vec::new(), bytes, collation(lcid)).map(str::to_string);
        assert_eq!(text(0x0425, b"\xf0\xfe"), Ok("šž".to_string()), "Estonian is in code page 1257");
        assert_eq!(text(0x0001_040e, b"\xf5"), Ok("ő".to_string()), "another order of the same language");
        assert_eq!(text(0x0411, b"\x93\xfa"), Ok("日".to_string()));
        assert!(text(0x0411, b"\x93").is_err(), "half a character");
        assert_eq!(text(0x0fff, b"plain"), Ok("plain".to_string()));
        assert!(text(0x0fff, b"\xe5").is_err(), "a language that nobody knows");
    }

    trait CollationBytes {
        fn to_le_bytes_5(self) -> [u8; 5];
    }

    impl CollationBytes for u32 {
        fn to_le_bytes_5(self) -> [u8; 5] {
            let [a, b, c, d] = self.to_le_bytes();
            [a, b, c, d, 0]
        }
    }
}
