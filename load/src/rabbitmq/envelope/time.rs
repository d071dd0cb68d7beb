//! Times as envelopes carry them: RFC 3339 in UTC, as `Ticks` prints them, with a `Z`.

use etl_schemas::ticks::{PER_SECOND, Ticks, days_from_civil};

/// The time, or `None` for what isn't written like that.
pub(super) fn parse(text: &str) -> Option<Ticks> {
    let text = text.strip_suffix('Z')?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let bytes = whole.as_bytes();
    let shape = b"dddd-dd-ddTdd:dd:dd";
    let fits = |(byte, shape): (&u8, &u8)| if *shape == b'd' { byte.is_ascii_digit() } else { byte == shape };
    let digits = fraction.len() <= 9 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    if bytes.len() != shape.len() || !bytes.iter().zip(shape).all(fits) || !digits {
        return None;
    }
    let number = |from: usize, to: usize| whole[from..to].parse::<u32>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let nanos: i64 = format!("{fraction:0<9}").parse().ok()?;
    let seconds = i64::from(hour * 3600 + minute * 60 + second);
    let days = days_from_civil(i32::try_from(year).ok()?, month, day);
    Ticks::from_days(days, seconds * PER_SECOND + nanos / 100).checked()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_ticks_print_is_read_back(ticks in Ticks::MIN.0..=Ticks::MAX.0) {
            prop_assert_eq!(parse(&format!("{}Z", Ticks(ticks))), Some(Ticks(ticks)));
        }

        #[test]
        fn other_text_never_panics(text: String) {
            let _ = parse(&text);
        }
    }
}
