//! Sizes and times as people write them: `64MB`, `2G`, `512 KiB`, `3 min`.

/// Parses a size; decimal and binary suffixes both mean powers of 1024, as memory is counted.
pub(crate) fn parse_bytes(text: &str) -> Result<usize, String> {
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.find(|c: char| !c.is_ascii_digit()).unwrap_or(lower.len());
    let (number, unit) = lower.split_at(digits);
    let shift = match unit.trim() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return Err(format!("`{text}` is no size; write it like 64MB or 2GB")),
    };
    let number: usize = number.parse().map_err(|_| format!("`{text}` is no size; write it like 64MB or 2GB"))?;
    number.checked_mul(1 << shift).ok_or_else(|| format!("`{text}` is more than any machine has"))
}

/// `1536` as `1.5 KiB`.
pub(crate) fn show_bytes(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ => format!("{value:.1} {}", units[unit]),
    }
}

/// A time that is only about right: `under a second`, `45 s`, `12 min`, `3.4 h`.
pub(crate) fn show_duration(duration: std::time::Duration) -> String {
    match duration.as_secs_f64() {
        seconds if seconds < 1.0 => "under a second".to_string(),
        seconds if seconds < 120.0 => format!("{seconds:.0} s"),
        seconds if seconds < 7200.0 => format!("{:.0} min", seconds / 60.0),
        seconds => format!("{:.1} h", seconds / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        assert_eq!(parse_bytes("64MB"), Ok(64 << 20));
        assert_eq!(parse_bytes("2 GiB"), Ok(2 << 30));
        assert_eq!(parse_bytes("17"), Ok(17));
        assert!(parse_bytes("a lot").is_err());
        assert!(parse_bytes("99999999999G").is_err());
        assert_eq!(show_bytes(1536), "1.5 KiB");
    }
}
