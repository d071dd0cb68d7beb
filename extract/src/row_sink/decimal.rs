//! Decimals as text, exactly: plain notation with all digits of the scale.

/// Sign, 39 digits, a point and a zero before it, and room for a scale that no server sends.
const LENGTH_MAX: usize = 48;

/// A buffer that is reused, so that a decimal costs no allocation.
pub(crate) struct DecimalText {
    buffer: [u8; LENGTH_MAX],
}

impl Default for DecimalText {
    fn default() -> DecimalText {
        DecimalText { buffer: [b'0'; LENGTH_MAX] }
    }
}

impl DecimalText {
    /// The text of `digits` times ten to the power of minus `scale`, 0 to 38.
    pub(crate) fn write(&mut self, digits: i128, scale: u8) -> &str {
        let scale = usize::from(scale.min(38));
        let mut at = LENGTH_MAX;
        let mut rest = digits.unsigned_abs();
        let mut places = 0;
        // At least one digit stands before the point.
        while rest > 0 || places <= scale {
            if places == scale && scale > 0 {
                at = self.push(at, b'.');
            }
            // Most decimals fit 64 bits, where division is many times cheaper.
            let digit = match u64::try_from(rest) {
                Ok(small) => {
                    rest = u128::from(small / 10);
                    small % 10
                }
                Err(_) => {
                    let digit = rest % 10;
                    rest /= 10;
                    digit as u64
                }
            };
            at = self.push(at, b'0' + digit as u8);
            places += 1;
        }
        if digits < 0 {
            at = self.push(at, b'-');
        }
        std::str::from_utf8(&self.buffer[at..]).expect("only ASCII is written")
    }

    fn push(&mut self, at: usize, byte: u8) -> usize {
        self.buffer[at - 1] = byte;
        at - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(digits: i128, scale: u8) -> String {
        DecimalText::default().write(digits, scale).to_string()
    }

    #[test]
    fn all_digits_of_the_scale_are_kept() {
        assert_eq!(text(0, 0), "0");
        assert_eq!(text(0, 4), "0.0000");
        assert_eq!(text(-5, 2), "-0.05");
        assert_eq!(text(1_000, 2), "10.00");
        assert_eq!(text(42, 0), "42");
        assert_eq!(text(9_223_372_036_854_775_807, 4), "922337203685477.5807");
    }

    #[test]
    fn thirty_eight_digits_are_exact() {
        let nines = 10_i128.pow(38) - 1;
        assert_eq!(text(nines, 0), "9".repeat(38));
        assert_eq!(text(-nines, 38), format!("-0.{}", "9".repeat(38)));
        assert_eq!(text(i128::MIN, 38), "-1.70141183460469231731687303715884105728");
    }
}
