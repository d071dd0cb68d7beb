//! The names of types in CAST: Postgres' and SQL Server's.

use crate::decimal::DIGITS_MAX;
use crate::expression::CastTarget;

/// Reads a type as it is written, `numeric(10,2)`; the error is a sentence.
pub(super) fn cast_target(written: &str) -> Result<CastTarget, String> {
    let lower = written.to_ascii_lowercase();
    let (name, numbers) = split(&lower);
    let numbers = numbers.ok_or_else(|| format!("{written}: its length can't be read"))?;
    Ok(match name.as_str() {
        "bool" | "boolean" | "bit" => CastTarget::Bool,
        "tinyint" => CastTarget::Integer(8),
        "smallint" | "int2" => CastTarget::Integer(16),
        "int" | "integer" | "int4" => CastTarget::Integer(32),
        "bigint" | "int8" => CastTarget::Integer(64),
        "decimal" | "numeric" | "dec" => CastTarget::Decimal(decimal_shape(written, &numbers)?),
        "money" => CastTarget::Decimal(Some((19, 4))),
        "double precision" | "double" | "float" | "float8" => CastTarget::Double,
        "text" | "varchar" | "nvarchar" | "character varying" => CastTarget::Text(numbers.first().copied()),
        "uuid" | "uniqueidentifier" => CastTarget::Uuid,
        "date" => CastTarget::Date,
        "time" | "time without time zone" => CastTarget::Time,
        "timestamp" | "timestamp without time zone" | "datetime" | "datetime2" => CastTarget::Timestamp,
        "timestamptz" | "timestamp with time zone" | "datetimeoffset" => CastTarget::Instant,
        "interval" => CastTarget::Interval,
        _ => return Err(format!("{written} is no type that can be cast to")),
    })
}

/// Name and numbers; `(max)` counts as no number.
fn split(written: &str) -> (String, Option<Vec<u32>>) {
    let Some((name, rest)) = written.split_once('(') else { return (written.trim().to_string(), Some(Vec::new())) };
    let (numbers, behind) = rest.split_once(')').unwrap_or((rest, ""));
    let name = format!("{}{behind}", name.trim());
    match numbers.trim() {
        "max" => (name, Some(Vec::new())),
        numbers => (name, numbers.split(',').map(|number| number.trim().parse().ok()).collect()),
    }
}

fn decimal_shape(written: &str, numbers: &[u32]) -> Result<Option<(u8, u8)>, String> {
    let (precision, scale) = match *numbers {
        [] => return Ok(None),
        [precision] => (precision, 0),
        [precision, scale] => (precision, scale),
        _ => return Err(format!("{written}: a decimal has a precision and a scale")),
    };
    match (1..=DIGITS_MAX).contains(&precision) && scale <= precision {
        true => Ok(Some((precision as u8, scale as u8))),
        false => Err(format!("{written}: the precision is 1 to {DIGITS_MAX}, the scale at most the precision")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_of_names_are_known() {
        assert_eq!(cast_target("NUMERIC(10,2)"), Ok(CastTarget::Decimal(Some((10, 2)))));
        assert_eq!(cast_target("NVARCHAR(MAX)"), Ok(CastTarget::Text(None)));
        assert_eq!(cast_target("VARCHAR(20)"), Ok(CastTarget::Text(Some(20))));
        assert_eq!(cast_target("TIMESTAMP(3) WITH TIME ZONE"), Ok(CastTarget::Instant));
        assert_eq!(cast_target("datetime2(7)"), Ok(CastTarget::Timestamp));
        assert!(cast_target("DECIMAL(39,2)").is_err());
        assert!(cast_target("hstore").unwrap_err().contains("hstore"));
    }
}
