//! Decimal text as Postgres's binary `numeric`.
//!
//! In: plain notation, `-12.50`. Out: the wire format of `numeric_send` (Postgres, src/backend/utils/adt/numeric.c):
//! number of digits, weight of the first, sign, digits shown behind the point, then the digits in base 10,000, each
//! field 16 bits big-endian. A value never changes on its way: what the column would round or refuse is an error.

/// Digits before and behind the point that Postgres can hold.
const WHOLE_DIGITS_MAX: usize = 131_072;
const FRACTION_DIGITS_MAX: usize = 16_383;
const NEGATIVE: u16 = 0x4000;

/// What `numeric(precision, scale)` allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NumericLimits {
    /// Digits in all.
    pub(super) precision: i32,
    /// Digits behind the point. From Postgres 15 on it may be negative (rounded before the point) or exceed the
    /// precision (zeros behind the point).
    pub(super) scale: i32,
}

impl NumericLimits {
    /// From a type modifier (`make_numeric_typmod` in numeric.c); `None` for a plain `numeric`.
    pub(super) fn from_modifier(modifier: i32) -> Option<NumericLimits> {
        let packed = modifier.checked_sub(4).filter(|packed| *packed >= 0)?;
        // 11 bits, the highest of them the sign.
        let scale = ((packed & 0x7ff) ^ 0x400) - 0x400;
        Some(NumericLimits { precision: packed >> 16, scale })
    }
}

/// Appends a value with its length before it, or says why it can't be one. On an error `out` is as it was.
pub(super) fn put_numeric(text: &str, limits: Option<NumericLimits>, out: &mut Vec<u8>) -> Result<(), String> {
    let Some((negative, whole, fraction)) = parts(text) else {
        return Err("is no plain decimal number, such as -12.50".to_string());
    };
    if whole.len() > WHOLE_DIGITS_MAX || fraction.len() > FRACTION_DIGITS_MAX {
        return Err("has more digits than Postgres can hold".to_string());
    }
    if let Some(limits) = limits {
        check(whole, fraction, limits)?;
    }
    let start = out.len();
    out.extend_from_slice(&[0; 12]);
    let groups = whole.len().div_ceil(4);
    let mut weight = groups as i32 - 1;
    for group in 0..groups {
        let end = whole.len() - (groups - 1 - group) * 4;
        out.extend_from_slice(&base_10_000(&whole[end.saturating_sub(4)..end]).to_be_bytes());
    }
    for chunk in fraction.chunks(4) {
        let padding = 10u16.pow(4 - chunk.len() as u32);
        let digit = base_10_000(chunk) * padding;
        match digit == 0 && out.len() == start + 12 {
            true => weight -= 1,
            false => out.extend_from_slice(&digit.to_be_bytes()),
        }
    }
    while out.len() > start + 12 && out.ends_with(&[0, 0]) {
        out.truncate(out.len() - 2);
    }
    let digits = (out.len() - start - 12) / 2;
    let (weight, sign) = match digits {
        0 => (0, 0),
        _ => (weight, if negative { NEGATIVE } else { 0 }),
    };
    let length = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    for (index, field) in [digits as u16, weight as i16 as u16, sign, fraction.len() as u16].into_iter().enumerate() {
        let at = start + 4 + 2 * index;
        out[at..at + 2].copy_from_slice(&field.to_be_bytes());
    }
    Ok(())
}

/// Sign, digits before the point without leading zeros, digits behind it.
fn parts(text: &str) -> Option<(bool, &[u8], &[u8])> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let point = digits.iter().position(|byte| *byte == b'.');
    let (whole, fraction) = match point {
        Some(point) => (&digits[..point], &digits[point + 1..]),
        None => (digits, &digits[digits.len()..]),
    };
    let all_digits = whole.iter().chain(fraction).all(u8::is_ascii_digit);
    if !all_digits || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let zeros = whole.iter().take_while(|digit| **digit == b'0').count();
    Some((negative, &whole[zeros..], fraction))
}

fn check(whole: &[u8], fraction: &[u8], limits: NumericLimits) -> Result<(), String> {
    let NumericLimits { precision, scale } = limits;
    let kept = usize::try_from(scale).unwrap_or(0).min(fraction.len());
    // A negative scale wants zeros before the point as well.
    let rounded = usize::try_from(-scale).unwrap_or(0).min(whole.len());
    let lost = whole[whole.len() - rounded..].iter().chain(&fraction[kept..]).any(|digit| *digit != b'0');
    if lost {
        return Err(format!("has more than the {scale} digits behind the point that the column keeps"));
    }
    let room = precision - scale;
    let significant = match whole.is_empty() {
        false => whole.len() as i32,
        // With a scale beyond the precision the first digits behind the point have to be zeros.
        true => -(fraction.iter().take_while(|digit| **digit == b'0').count() as i32),
    };
    let is_zero = whole.is_empty() && fraction.iter().all(|digit| *digit == b'0');
    match significant > room && !is_zero {
        true => Err(format!("has more digits before the point than numeric({precision},{scale}) can hold")),
        false => Ok(()),
    }
}

fn base_10_000(digits: &[u8]) -> u16 {
    digits.iter().fold(0, |value, digit| value * 10 + u16::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str) -> Vec<u16> {
        let mut out = Vec::new();
        put_numeric(text, None, &mut out).unwrap();
        assert_eq!(out.len() - 4, u32::from_be_bytes(out[..4].try_into().unwrap()) as usize);
        out[4..].chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
    }

    #[test]
    fn digits_are_grouped_by_four_around_the_point() {
        assert_eq!(encoded("0"), [0, 0, 0, 0]);
        assert_eq!(encoded("-0.00"), [0, 0, 0, 2]);
        assert_eq!(encoded("12345.6"), [3, 1, 0, 1, 1, 2345, 6000]);
        assert_eq!(encoded("-10000"), [1, 1, NEGATIVE, 0, 1]);
        assert_eq!(encoded("0.00001"), [1, (-2i16) as u16, 0, 5, 1000]);
        assert_eq!(encoded("+007.50"), [2, 0, 0, 2, 7, 5000]);
    }

    #[test]
    fn what_is_no_decimal_is_refused() {
        for text in ["", "-", ".", "1e5", "NaN", "1,5", " 1", "1.2.3", "٣", "--1"] {
            let mut out = vec![7];
            assert!(put_numeric(text, None, &mut out).is_err(), "{text}");
            assert_eq!(out, [7]);
        }
        let long = "9".repeat(WHOLE_DIGITS_MAX + 1);
        assert!(put_numeric(&long, None, &mut Vec::new()).unwrap_err().contains("Postgres"));
    }

    #[test]
    fn limits_are_those_of_the_column() {
        let fits = |text: &str, precision, scale| {
            put_numeric(text, Some(NumericLimits { precision, scale }), &mut Vec::new()).is_ok()
        };
        assert!(fits("123.45", 5, 2) && fits("123.450", 5, 2) && fits("-0123.4", 5, 2) && fits("0.00", 2, 2));
        assert!(!fits("1234.5", 5, 2) && !fits("0.001", 5, 2) && !fits("1", 2, 2));
        assert!(fits("1200", 2, -2) && !fits("1250", 2, -2) && !fits("12300", 2, -2));
        assert!(fits("0.0012", 2, 4) && !fits("0.012", 2, 4) && fits("0", 2, 4));
    }

    #[test]
    fn a_type_modifier_gives_precision_and_scale() {
        let modifier = |precision: i32, scale: i32| (precision << 16 | scale & 0x7ff) + 4;
        assert_eq!(NumericLimits::from_modifier(-1), None);
        for (precision, scale) in [(19, 4), (38, 0), (1000, 1000), (3, -2)] {
            let limits = NumericLimits { precision, scale };
            assert_eq!(NumericLimits::from_modifier(modifier(precision, scale)), Some(limits));
        }
    }
}
