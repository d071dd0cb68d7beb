//! Values between two others, evenly spread: where a table's key range is cut into parts.
//!
//! Numbers, dates, GUIDs and bytes are interpolated in the server's own order, so every value is at least the one before.
//! For text that order is the collation's, which only the server knows: the values here are good guesses, and whoever
//! uses them asks the server for the key that follows each.

use etl_schemas::ticks::Ticks;

use super::KeyValue;

/// The value at `step` of `steps` between `low` and `high`; `None` for values of two kinds.
pub(crate) fn between(low: &KeyValue, high: &KeyValue, step: u64, steps: u64) -> Option<KeyValue> {
    use KeyValue as K;
    let signed = |low: i128, high: i128| signed_between(low, high, step, steps);
    let whole = |low: i64, high: i64| signed(i128::from(low), i128::from(high)) as i64;
    Some(match (low, high) {
        (K::Integer(low), K::Integer(high)) => K::Integer(whole(*low, *high)),
        (K::Time(low), K::Time(high)) => K::Time(whole(*low, *high)),
        (K::Date(low), K::Date(high)) => K::Date(whole(i64::from(*low), i64::from(*high)) as i32),
        (K::Timestamp(low), K::Timestamp(high)) => K::Timestamp(Ticks(whole(low.0, high.0))),
        (K::Instant { utc: low, .. }, K::Instant { utc: high, .. }) => {
            K::Instant { utc: Ticks(whole(low.0, high.0)), offset_minutes: 0 }
        }
        (K::Decimal { digits: low, scale }, K::Decimal { digits: high, .. }) => {
            K::Decimal { digits: signed(*low, *high), scale: *scale }
        }
        (K::Float(low), K::Float(high)) => {
            let share = step as f64 / steps as f64;
            // Each end weighed by itself: their difference may be more than a float holds.
            K::Float((low * (1.0 - share) + high * share).clamp(*low, high.max(*low)))
        }
        (K::Guid(low), K::Guid(high)) => {
            let at = unsigned_between(guid_position(low), guid_position(high), step, steps);
            K::Guid(guid_at(at))
        }
        (K::Bytes(low), K::Bytes(high)) => K::Bytes(bytes_between(low, high, step, steps)),
        (K::Text(low), K::Text(high)) => K::Text(text_between(low, high, step, steps)),
        _ => return None,
    })
}

fn unsigned_between(low: u128, high: u128, step: u64, steps: u64) -> u128 {
    let (span, step, steps) = (high.saturating_sub(low), u128::from(step), u128::from(steps.max(1)));
    // The remainder is below 2^64, so its product fits.
    low + span / steps * step + span % steps * step / steps
}

fn signed_between(low: i128, high: i128, step: u64, steps: u64) -> i128 {
    let flipped = |value: i128| value as u128 ^ (1 << 127);
    (unsigned_between(flipped(low), flipped(high), step, steps) ^ (1 << 127)) as i128
}

/// Places of a GUID's bytes (RFC 4122) in the order in which SQL Server compares them: the node first, then the clock,
/// then each of the three leading groups, which travel with their last byte first.
///
/// Microsoft, `System.Data.SqlTypes.SqlGuid.CompareTo`.
const GUID_ORDER: [usize; 16] = [10, 11, 12, 13, 14, 15, 8, 9, 7, 6, 5, 4, 3, 2, 1, 0];

fn guid_position(bytes: &[u8; 16]) -> u128 {
    u128::from_be_bytes(GUID_ORDER.map(|place| bytes[place]))
}

fn guid_at(position: u128) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (place, byte) in GUID_ORDER.into_iter().zip(position.to_be_bytes()) {
        bytes[place] = byte;
    }
    bytes
}

/// Interpolates the sixteen bytes behind the common beginning.
fn bytes_between(low: &[u8], high: &[u8], step: u64, steps: u64) -> Vec<u8> {
    let common = low.iter().zip(high).take_while(|(a, b)| a == b).count();
    let position = |bytes: &[u8]| {
        let mut first = [0; 16];
        let rest = &bytes[common..bytes.len().min(common + 16)];
        first[..rest.len()].copy_from_slice(rest);
        u128::from_be_bytes(first)
    };
    let at = unsigned_between(position(low), position(high), step, steps);
    // No longer than the ends are, or it wouldn't fit the column.
    let length = low.len().max(high.len()).min(common + 16);
    let mut value = low[..common].to_vec();
    value.extend_from_slice(&at.to_be_bytes()[..length - common]);
    value
}

/// The characters that keys are mostly made of, in the order of nearly all collations.
const CHARACTERS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
/// Characters behind the common beginning that are told apart: 1.7 million values.
const CHARACTERS_USED: usize = 4;

fn text_between(low: &str, high: &str, step: u64, steps: u64) -> String {
    let common: usize = low.chars().zip(high.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
    let radix = CHARACTERS.len() as u128;
    let position = |text: &str| {
        let mut digits = text[common..].chars().map(digit).chain(std::iter::repeat(0));
        (0..CHARACTERS_USED).fold(0, |position, _| position * radix + digits.next().unwrap_or(0))
    };
    let mut at = unsigned_between(position(low), position(high), step, steps);
    let mut digits = [0; CHARACTERS_USED];
    for place in digits.iter_mut().rev() {
        *place = CHARACTERS[(at % radix) as usize];
        at /= radix;
    }
    let mut value = low[..common].to_string();
    value.extend(digits.iter().map(|digit| char::from(*digit)));
    value
}

/// Signs come before digits in nearly all collations, letters beyond the Latin ones behind them.
fn digit(character: char) -> u128 {
    let lower = character.to_ascii_lowercase();
    match CHARACTERS.iter().position(|known| char::from(*known) == lower) {
        Some(place) => place as u128,
        None if lower.is_alphanumeric() => CHARACTERS.len() as u128 - 1,
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn integer(low: i64, high: i64, step: u64, steps: u64) -> KeyValue {
        between(&KeyValue::Integer(low), &KeyValue::Integer(high), step, steps).unwrap()
    }

    #[test]
    fn numbers_are_cut_evenly_up_to_their_limits() {
        assert_eq!(integer(1, 101, 1, 4), KeyValue::Integer(26));
        assert_eq!(integer(i64::MIN, i64::MAX, 1, 2), KeyValue::Integer(-1));
        assert_eq!(integer(7, 7, 3, 9), KeyValue::Integer(7));
        let decimal = |digits| KeyValue::Decimal { digits, scale: 2 };
        assert_eq!(between(&decimal(-100), &decimal(100), 1, 2), Some(decimal(0)));
        let huge = between(&KeyValue::Float(-f64::MAX), &KeyValue::Float(f64::MAX), 1, 2);
        assert_eq!(huge, Some(KeyValue::Float(0.0)));
        assert_eq!(between(&KeyValue::Integer(1), &KeyValue::Date(1), 1, 2), None);
    }

    #[test]
    fn guids_follow_the_order_of_the_server() {
        let mut node = [0; 16];
        node[10] = 1;
        let mut first_group = [0xff; 16];
        first_group[10..].fill(0);
        assert!(guid_position(&node) > guid_position(&first_group));
        let mut little = [0; 16];
        little[3] = 1;
        let mut big = [0; 16];
        big[0] = 1;
        assert!(guid_position(&little) > guid_position(&big), "the last byte of the first group travels first");
    }

    #[test]
    fn bytes_and_text_keep_their_beginning_and_length() {
        let bytes = |bytes: &[u8]| KeyValue::Bytes(bytes.to_vec());
        assert_eq!(between(&bytes(&[7, 0]), &bytes(&[7, 100]), 1, 2), Some(bytes(&[7, 50])));
        let text = |text: &str| KeyValue::Text(text.to_string());
        assert_eq!(between(&text("user-000"), &text("user-zzz"), 1, 2), Some(text("user-hzzi")));
        assert_eq!(between(&text("å"), &text("é"), 1, 2), Some(text("z000")));
    }

    proptest! {
        #[test]
        fn steps_never_fall(low: i128, high: i128, guid_low: [u8; 16], guid_high: [u8; 16], steps in 1u64..50) {
            let (low, high) = (low.min(high), low.max(high));
            let mut previous = low;
            for step in 0..=steps {
                let value = signed_between(low, high, step, steps);
                prop_assert!(value >= previous && value <= high);
                previous = value;
            }
            prop_assert_eq!(previous, high);
            let (a, b) = (guid_position(&guid_low), guid_position(&guid_high));
            prop_assert_eq!(guid_at(a), guid_low);
            let middle = guid_position(&guid_at(unsigned_between(a.min(b), a.max(b), 1, 2)));
            prop_assert!((a.min(b)..=a.max(b)).contains(&middle));
        }

        #[test]
        fn text_and_bytes_of_any_kind_have_something_between(low: String, high: String, step in 0u64..9) {
            let text = text_between(&low, &high, step, 9);
            prop_assert!(text.chars().count() <= low.chars().count().min(high.chars().count()) + CHARACTERS_USED);
            let bytes = bytes_between(low.as_bytes(), high.as_bytes(), step, 9);
            prop_assert!(bytes.len() <= low.len().max(high.len()));
        }
    }
}
