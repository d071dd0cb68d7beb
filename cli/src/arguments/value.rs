//! Values of options that need more than their type: text in, a checked value or a sentence out.

use std::time::Duration;

use etl_schemas::ticks::Ticks;
use etl_transform::expression::{parse_instant, parse_timestamp};

use crate::sizes::parse_bytes;

pub(super) fn parse_some_bytes(text: &str) -> Result<usize, String> {
    match parse_bytes(text)? {
        0 => Err("it must be more than nothing".to_string()),
        bytes => Ok(bytes),
    }
}

pub(super) fn parse_time(text: &str) -> Result<Ticks, String> {
    let found = parse_instant(text).or_else(|| parse_timestamp(text));
    found.ok_or_else(|| "write 2014-03-01, 2014-03-01T12:30:00 (UTC) or 2014-03-01T12:30:00+01:00".to_string())
}

pub(super) fn parse_seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.05..=3600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("seconds are a number from 0.05 to 3600".to_string()),
    }
}

pub(super) fn parse_scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if (0.01..=100.0).contains(&scale) => Ok(scale),
        _ => Err("a scale is a number from 0.01 to 100".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use etl_schemas::ticks::PER_SECOND;

    #[test]
    fn values_are_read_or_refused() {
        assert!(parse_scale("0.001").is_err());
        assert!(parse_scale("NaN").is_err());
        let noon = parse_time("2014-03-01T12:00:00").unwrap();
        assert_eq!(parse_time("2014-03-01T13:00:00+01:00"), Ok(noon));
        assert_eq!(parse_time("2014-03-01").map(|midnight| (noon.0 - midnight.0) / PER_SECOND), Ok(12 * 3600));
        assert!(parse_time("yesterday").is_err());
        assert_eq!(parse_seconds("0.5"), Ok(Duration::from_millis(500)));
        assert!(parse_seconds("0").is_err() && parse_seconds("inf").is_err());
    }
}
