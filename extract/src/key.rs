//! Values of the keys that tables are read by: where a part begins and ends, and where the next chunk goes on.
//!
//! In: a key's column and values as a client decodes them. Out: an exact value that any client can send back as a typed
//! parameter, its SQL, its text for the manifest, and values between two others. What can't happen: a value that reaches
//! the server other than it came from there, for a row would be skipped or read twice. Columns for which that can't be
//! promised aren't seekable, and say why.

mod between;
mod record;

use std::fmt;

use etl_schemas::sql_type::SqlType;
use etl_schemas::table::{Column, TableSchema};
use etl_schemas::ticks::{PER_SECOND, Ticks, civil_from_days};

use crate::row_sink::DecimalText;
pub(crate) use between::between;

/// A value of a key's column. A key is never NULL.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum KeyValue {
    /// `bit` to `bigint`.
    Integer(i64),
    /// The digits without the point.
    Decimal { digits: i128, scale: u8 },
    /// `real` and `float`.
    Float(f64),
    /// Any text.
    Text(String),
    /// `binary` and `varbinary`.
    Bytes(Vec<u8>),
    /// In the byte order of RFC 4122.
    Guid([u8; 16]),
    /// Days since 1970-01-01.
    Date(i32),
    /// Steps of 100 ns since midnight.
    Time(i64),
    /// A wall clock.
    Timestamp(Ticks),
    /// An instant. Its offset doesn't take part in SQL Server's comparisons, and is sent back all the same.
    Instant { utc: Ticks, offset_minutes: i16 },
}

/// As the manifest shows it: dates and times in ISO 8601, bytes in hexadecimal behind 0x.
impl fmt::Display for KeyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyValue::Integer(value) => write!(f, "{value}"),
            KeyValue::Decimal { digits, scale } => f.write_str(DecimalText::default().write(*digits, *scale)),
            KeyValue::Float(value) => write!(f, "{value:?}"),
            KeyValue::Text(text) => f.write_str(text),
            KeyValue::Bytes(bytes) => {
                f.write_str("0x")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
            }
            KeyValue::Guid(bytes) => write_guid(f, bytes),
            KeyValue::Date(days) => {
                let (year, month, day) = civil_from_days(*days);
                write!(f, "{year:04}-{month:02}-{day:02}")
            }
            KeyValue::Time(ticks) => {
                let seconds = ticks / PER_SECOND;
                let (hours, minutes, fraction) = (seconds / 3600, seconds / 60 % 60, ticks % PER_SECOND);
                write!(f, "{hours:02}:{minutes:02}:{:02}.{fraction:07}", seconds % 60)
            }
            KeyValue::Timestamp(ticks) => write!(f, "{ticks}"),
            KeyValue::Instant { utc, .. } => write!(f, "{utc}Z"),
        }
    }
}

/// With hyphens, in lower case.
pub(crate) fn write_guid(f: &mut impl fmt::Write, bytes: &[u8; 16]) -> fmt::Result {
    for (place, byte) in bytes.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            f.write_str("-")?;
        }
        write!(f, "{byte:02x}")?;
    }
    Ok(())
}

/// Why a table can't be read by seeks on its key; `None` when it can.
pub(crate) fn obstacle(table: &TableSchema) -> Option<String> {
    let Some(key) = &table.key else { return Some("it has no usable key".to_string()) };
    if !key.unique {
        return Some(format!("its key {} isn't unique", key.name));
    }
    key.columns.iter().find_map(|place| column_obstacle(&table.columns[*place]))
}

fn column_obstacle(column: &Column) -> Option<String> {
    use SqlType as T;
    let named = |reason: &str| Some(format!("column {} of its key {reason}", column.name));
    if column.nullable {
        return named("allows NULL");
    }
    match &column.sql_type {
        T::Bit | T::TinyInt | T::SmallInt | T::Int | T::BigInt | T::UniqueIdentifier => None,
        T::Decimal { .. } | T::Money | T::SmallMoney | T::Real | T::Float => None,
        T::Date | T::Time { .. } | T::DateTime | T::SmallDateTime => None,
        T::DateTime2 { .. } | T::DateTimeOffset { .. } | T::Binary { .. } => None,
        T::VarBinary { length: Some(_) } | T::NChar { .. } | T::NVarChar { length: Some(_) } => None,
        // These code pages have characters of two encodings, so text may come back as other bytes.
        T::Char { .. } | T::VarChar { length: Some(_) } => match column.collation.as_deref() {
            Some(name) if is_single_valued(name) => None,
            _ => named("is narrow text of a code page with several bytes a character"),
        },
        // It changes with every update, so rows would move while they are read.
        T::RowVersion => named("is a rowversion"),
        other => named(&format!("is of type {other}")),
    }
}

fn is_single_valued(collation: &str) -> bool {
    let upper = collation.to_ascii_uppercase();
    let is_name = upper.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let east_asian = ["JAPANESE", "CHINESE", "KOREAN"].iter().any(|language| upper.contains(language));
    is_name && (upper.ends_with("_UTF8") || !east_asian)
}

/// A parameter as the column's own type and collation, so that the server converts the parameter, and never the column:
/// only then does it seek.
pub(crate) fn parameter(column: &Column, number: usize) -> String {
    match (&column.sql_type, &column.collation) {
        (SqlType::Char { .. } | SqlType::VarChar { .. }, Some(collation)) => {
            format!("CAST(@P{number} COLLATE {collation} AS {})", column.sql_type)
        }
        _ => format!("CAST(@P{number} AS {})", column.sql_type),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(sql_type: SqlType, nullable: bool, collation: Option<&str>) -> Column {
        Column {
            id: 1,
            name: "K".into(),
            field: "K".into(),
            sql_type,
            nullable,
            collation: collation.map(str::to_string),
            identity: false,
            computed: false,
        }
    }

    #[test]
    fn what_cannot_come_back_exactly_is_not_sought() {
        let narrow = SqlType::VarChar { length: Some(20) };
        assert_eq!(column_obstacle(&column(SqlType::Int, false, None)), None);
        assert_eq!(column_obstacle(&column(narrow.clone(), false, Some("Finnish_Swedish_CI_AS"))), None);
        assert_eq!(column_obstacle(&column(narrow.clone(), false, Some("Japanese_CI_AS_UTF8"))), None);
        let refused = [
            (column(narrow.clone(), false, Some("Japanese_CI_AS")), "code page"),
            (column(narrow, false, Some("x; DROP")), "code page"),
            (column(SqlType::Int, true, None), "allows NULL"),
            (column(SqlType::RowVersion, false, None), "rowversion"),
            (column(SqlType::SqlVariant, false, None), "sql_variant"),
        ];
        for (column, reason) in refused {
            let shown = column_obstacle(&column).unwrap();
            assert!(shown.starts_with("column K of its key") && shown.contains(reason), "{shown}");
        }
    }

    #[test]
    fn parameters_are_cast_to_the_column_and_not_the_other_way() {
        assert_eq!(parameter(&column(SqlType::BigInt, false, None), 3), "CAST(@P3 AS bigint)");
        let narrow = column(SqlType::VarChar { length: Some(20) }, false, Some("Cyrillic_General_CI_AS"));
        assert_eq!(parameter(&narrow, 1), "CAST(@P1 COLLATE Cyrillic_General_CI_AS AS varchar(20))");
    }

    #[test]
    fn values_are_shown_as_people_write_them() {
        let shown = |value: KeyValue| value.to_string();
        assert_eq!(shown(KeyValue::Decimal { digits: -150, scale: 2 }), "-1.50");
        assert_eq!(shown(KeyValue::Bytes(vec![0, 255])), "0x00FF");
        assert_eq!(shown(KeyValue::Guid(*b"0123456789abcdef")), "30313233-3435-3637-3839-616263646566");
        assert_eq!(shown(KeyValue::Date(-1)), "1969-12-31");
        assert_eq!(shown(KeyValue::Time(PER_SECOND * 3661 + 5)), "01:01:01.0000005");
        assert_eq!(shown(KeyValue::Instant { utc: Ticks(0), offset_minutes: 60 }), "1970-01-01T00:00:00Z");
    }
}
