//! Exact decimals of up to 38 digits, as `decimal`, `numeric` and `money` need them.
//!
//! In: text in plain notation. Out: the same text, and sums, products and quotients that follow Postgres' rules of
//! scale. A result past 38 digits is an error, never a rounded value.

use std::cmp::Ordering;
use std::fmt;

use thiserror::Error;

/// The largest number of digits, SQL Server's limit.
pub const DIGITS_MAX: u32 = 38;

/// 10^38, one more than the largest magnitude.
const LIMIT: i128 = 10i128.pow(DIGITS_MAX);

/// Why a decimal can't be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecimalError {
    /// The text is no number in plain notation.
    #[error("is no decimal number")]
    Syntax,
    /// More than 38 digits.
    #[error("has more than 38 digits")]
    Overflow,
    /// A division by zero.
    #[error("division by zero")]
    DivisionByZero,
}

/// `units` / 10^`scale`. Two decimals of equal value and different scale are equal in [`Decimal::compare`] only.
///
/// The units are kept in two halves, and without padding behind them, because an `i128`'s alignment would make every
/// value of an expression twice as large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(Rust, packed)]
pub struct Decimal {
    high: i64,
    low: u64,
    scale: u8,
}

impl Decimal {
    #[inline]
    fn of(units: i128, scale: u8) -> Decimal {
        Decimal { high: (units >> 64) as i64, low: units as u64, scale }
    }

    #[inline]
    fn units(self) -> i128 {
        i128::from(self.high) << 64 | i128::from(self.low)
    }

    /// From units and scale; the scale is at most 38.
    pub fn new(units: i128, scale: u8) -> Result<Decimal, DecimalError> {
        match units.unsigned_abs() < LIMIT.unsigned_abs() && u32::from(scale) <= DIGITS_MAX {
            true => Ok(Decimal::of(units, scale)),
            false => Err(DecimalError::Overflow),
        }
    }

    /// A whole number.
    pub fn from_integer(value: i64) -> Decimal {
        Decimal::of(i128::from(value), 0)
    }

    /// From plain notation: sign, digits, point, digits. Blanks around it are allowed, an exponent is not.
    pub fn parse(text: &str) -> Result<Decimal, DecimalError> {
        let text = text.trim();
        let (negative, digits) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let (mut units, mut scale, mut seen_digit, mut seen_point) = (0i128, 0u8, false, false);
        for byte in digits.bytes() {
            match byte {
                b'0'..=b'9' => {
                    let shifted = units.checked_mul(10).ok_or(DecimalError::Overflow)?;
                    units = shifted.checked_add(i128::from(byte - b'0')).ok_or(DecimalError::Overflow)?;
                    seen_digit = true;
                    scale += u8::from(seen_point);
                    if units >= LIMIT || u32::from(scale) > DIGITS_MAX {
                        return Err(DecimalError::Overflow);
                    }
                }
                b'.' if !seen_point => seen_point = true,
                _ => return Err(DecimalError::Syntax),
            }
        }
        match seen_digit {
            true => Ok(Decimal::of(if negative { -units } else { units }, scale)),
            false => Err(DecimalError::Syntax),
        }
    }

    /// From a double, by the shortest decimal that reads back as the same double.
    pub fn from_double(value: f64) -> Result<Decimal, DecimalError> {
        match value.is_finite() {
            true => Decimal::parse(&format!("{value}")),
            false => Err(DecimalError::Syntax),
        }
    }

    /// The nearest double.
    pub fn to_double(self) -> f64 {
        // Rust reads decimal text exactly rounded, which a division of two doubles would not be.
        self.to_string().parse().expect("a decimal's text is a number")
    }

    /// The nearest whole number, halves away from zero, when it fits.
    pub fn to_integer(self) -> Option<i64> {
        i64::try_from(self.rescale(0).ok()?.units()).ok()
    }

    /// Digits behind the point.
    pub fn scale(self) -> u8 {
        self.scale
    }

    /// Number of digits in front of the point, 0 for values below 1.
    pub fn integer_digits(self) -> u32 {
        let whole = self.units().unsigned_abs() / 10u128.pow(u32::from(self.scale));
        whole.checked_ilog10().map_or(0, |log| log + 1)
    }

    /// The same value with another scale, halves rounded away from zero.
    pub fn rescale(self, scale: u8) -> Result<Decimal, DecimalError> {
        if scale >= self.scale {
            let factor = power(scale - self.scale)?;
            return Decimal::new(self.units().checked_mul(factor).ok_or(DecimalError::Overflow)?, scale);
        }
        let factor = power(self.scale - scale)?;
        let (quotient, rest) = (self.units() / factor, self.units() % factor);
        let away = i128::from(rest.unsigned_abs() >= factor.unsigned_abs().div_ceil(2)) * self.units().signum();
        Decimal::new(quotient + away, scale)
    }

    /// The sum; its scale is the larger of the two.
    pub fn checked_add(self, other: Decimal) -> Result<Decimal, DecimalError> {
        let scale = self.scale.max(other.scale);
        let (left, right) = (self.rescale(scale)?, other.rescale(scale)?);
        // Two of 38 digits make up to 2 * 10^38, which is past an i128.
        Decimal::new(left.units().checked_add(right.units()).ok_or(DecimalError::Overflow)?, scale)
    }

    /// The value with its sign changed.
    #[must_use]
    pub fn negate(self) -> Decimal {
        Decimal::of(-self.units(), self.scale)
    }

    /// The product; its scale is the sum of the two.
    pub fn checked_multiply(self, other: Decimal) -> Result<Decimal, DecimalError> {
        let units = self.units().checked_mul(other.units()).ok_or(DecimalError::Overflow)?;
        Decimal::new(units, self.scale.checked_add(other.scale).ok_or(DecimalError::Overflow)?)
    }

    /// The remainder of a division that truncates, with the sign of `self`.
    pub fn checked_remainder(self, other: Decimal) -> Result<Decimal, DecimalError> {
        let scale = self.scale.max(other.scale);
        let (left, right) = (self.rescale(scale)?, other.rescale(scale)?);
        match right.units() {
            0 => Err(DecimalError::DivisionByZero),
            divisor => Decimal::new(left.units() % divisor, scale),
        }
    }

    /// The quotient with at least 16 significant digits and no fewer decimals than either side, the last one rounded.
    ///
    /// The scale is that of Postgres (`select_div_scale` in `numeric.c`), which reckons in groups of four digits.
    pub fn checked_divide(self, other: Decimal) -> Result<Decimal, DecimalError> {
        if other.units() == 0 {
            return Err(DecimalError::DivisionByZero);
        }
        let ((weight, first), (other_weight, other_first)) = (self.weight(), other.weight());
        let quotient_weight = weight - other_weight - i32::from(first <= other_first);
        let scale = (16 - quotient_weight * 4).max(i32::from(self.scale)).max(i32::from(other.scale));
        let scale = u8::try_from(scale).map_err(|_| DecimalError::Overflow)?;
        // units/10^a divided by units/10^b is their quotient with a-b digits; the others come by long division.
        let divisor = other.units().unsigned_abs();
        let (mut quotient, mut rest) = (self.units().unsigned_abs() / divisor, self.units().unsigned_abs() % divisor);
        let digits = i32::from(scale) + i32::from(other.scale) - i32::from(self.scale);
        for _ in 0..digits {
            rest = rest.checked_mul(10).ok_or(DecimalError::Overflow)?;
            quotient = quotient.checked_mul(10).ok_or(DecimalError::Overflow)? + rest / divisor;
            rest %= divisor;
        }
        quotient += u128::from(rest >= divisor.div_ceil(2));
        let quotient = i128::try_from(quotient).map_err(|_| DecimalError::Overflow)?;
        Decimal::new(quotient * self.units().signum() * other.units().signum(), scale)
    }

    /// The place of the first group of four digits, and that group, as Postgres keeps them.
    fn weight(self) -> (i32, i128) {
        let one = 10u128.pow(u32::from(self.scale));
        let units = self.units().unsigned_abs();
        let (mut whole, mut fraction) = (units / one, units % one);
        if whole > 0 {
            let mut weight = 0;
            while whole >= 10_000 {
                whole /= 10_000;
                weight += 1;
            }
            return (weight, whole as i128);
        }
        let (mut weight, mut unit) = (0, one);
        while fraction > 0 {
            weight -= 1;
            // A group beyond the last digit is filled up with zeros.
            let (group, rest) = match unit >= 10_000 {
                true => (fraction / (unit / 10_000), fraction % (unit / 10_000)),
                false => (fraction * (10_000 / unit), 0),
            };
            if group > 0 {
                return (weight, group as i128);
            }
            fraction = rest;
            unit /= 10_000;
        }
        (0, 0)
    }

    /// Order by value, whatever the scales.
    pub fn compare(self, other: Decimal) -> Ordering {
        let split = |decimal: Decimal| {
            let one = 10i128.pow(u32::from(decimal.scale));
            let aligned = 10i128.pow(DIGITS_MAX - u32::from(decimal.scale));
            (decimal.units() / one, decimal.units() % one * aligned)
        };
        split(self).cmp(&split(other))
    }
}

fn power(exponent: u8) -> Result<i128, DecimalError> {
    10i128.checked_pow(u32::from(exponent)).ok_or(DecimalError::Overflow)
}

/// Plain notation with all digits of the scale, `-0.50`.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = 10u128.pow(u32::from(self.scale));
        let units = self.units().unsigned_abs();
        if self.units() < 0 {
            f.write_str("-")?;
        }
        match self.scale {
            0 => write!(f, "{units}"),
            scale => write!(f, "{}.{:0width$}", units / one, units % one, width = usize::from(scale)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn text_comes_back_with_all_its_digits() {
        for text in ["0", "-0.50", "922337203685477.5807", "0.0000", "99999999999999999999999999999999999999"] {
            assert_eq!(decimal(text).to_string(), text);
        }
        for wrong in ["", ".", "1e5", "1.2.3", "--1", "1 2"] {
            assert_eq!(Decimal::parse(wrong).unwrap_err(), DecimalError::Syntax, "{wrong}");
        }
        assert_eq!(Decimal::parse(&"9".repeat(39)).unwrap_err(), DecimalError::Overflow);
    }

    /// The expected values are Postgres 15's.
    #[test]
    fn quotients_have_postgres_scale() {
        let cases = [
            ("1", "3", "0.33333333333333333333"),
            ("2", "3", "0.66666666666666666667"),
            ("10.00", "4", "2.5000000000000000"),
            ("1", "10000", "0.000100000000000000000000"),
            ("123456789", "0.1", "1234567890.00000000"),
            ("-7", "2", "-3.5000000000000000"),
            ("0.0001", "3", "0.000033333333333333333333"),
        ];
        for (left, right, expected) in cases {
            assert_eq!(decimal(left).checked_divide(decimal(right)).unwrap().to_string(), expected, "{left} / {right}");
        }
        assert_eq!(decimal("1").checked_divide(decimal("0.00")).unwrap_err(), DecimalError::DivisionByZero);
    }

    #[test]
    fn halves_round_away_from_zero() {
        assert_eq!(decimal("2.5").to_integer(), Some(3));
        assert_eq!(decimal("-2.5").to_integer(), Some(-3));
        assert_eq!(decimal("2.49").to_integer(), Some(2));
        assert_eq!(decimal("1.005").rescale(2).unwrap().to_string(), "1.01");
    }

    #[test]
    fn sums_past_38_digits_are_errors() {
        let largest = decimal(&"9".repeat(38));
        assert_eq!(largest.checked_add(largest).unwrap_err(), DecimalError::Overflow);
        assert_eq!(largest.negate().checked_add(largest.negate()).unwrap_err(), DecimalError::Overflow);
        assert_eq!(largest.checked_add(largest.negate()).unwrap().to_string(), "0");
    }

    proptest! {
        #[test]
        fn sums_products_and_order_are_those_of_integers(a in -1_000_000i64..1_000_000, b in -1_000_000i64..1_000_000) {
            let (x, y) = (Decimal::new(a.into(), 2).unwrap(), Decimal::new(i128::from(b) * 100, 4).unwrap());
            prop_assert_eq!(x.compare(y), a.cmp(&b));
            prop_assert_eq!(x.checked_add(y).unwrap().compare(Decimal::new((a + b).into(), 2).unwrap()), Ordering::Equal);
            let product = Decimal::new(i128::from(a) * i128::from(b), 4).unwrap();
            prop_assert_eq!(x.checked_multiply(y).unwrap().compare(product), Ordering::Equal);
        }

        #[test]
        fn hostile_text_never_panics(text: String) {
            let _ = Decimal::parse(&text);
        }
    }
}
