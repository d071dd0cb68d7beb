//! Types as a CREATE TABLE or a CAST writes them: `nvarchar(50)`, `decimal(38,10)`, `varbinary(max)`.

use std::str::FromStr;

use thiserror::Error;

use super::SqlType;

/// Why a declaration can't be a type.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{text}` is no type that can be carried; types are written as in a CAST, `nvarchar(max)` or `decimal(38,10)`")]
pub struct DeclarationError {
    text: String,
}

impl FromStr for SqlType {
    type Err = DeclarationError;

    fn from_str(text: &str) -> Result<SqlType, DeclarationError> {
        parse(text).ok_or_else(|| DeclarationError { text: text.to_string() })
    }
}

fn parse(text: &str) -> Option<SqlType> {
    let text = text.trim().to_ascii_lowercase();
    let (name, numbers) = match text.split_once('(') {
        None => (text.as_str(), None),
        Some((name, rest)) => (name.trim(), Some(rest.strip_suffix(')')?)),
    };
    let sizes: Vec<&str> = numbers.into_iter().flat_map(|numbers| numbers.split(',')).map(str::trim).collect();
    let (max_length, precision, scale) = numbers_of(name, &sizes)?;
    SqlType::from_catalog(name, max_length, precision, scale, false)
}

/// `max_length`, precision and scale as `sys.columns` would have them.
fn numbers_of(name: &str, sizes: &[&str]) -> Option<(i32, u8, u8)> {
    let length = |most: i32, unit: i32| match sizes {
        ["max"] => Some(-1),
        [length] => length.parse().ok().filter(|length| (1..=most).contains(length)).map(|length: i32| length * unit),
        _ => None,
    };
    let number = |text: &str, least: u8, most: u8| text.parse().ok().filter(|n| (least..=most).contains(n));
    match name {
        "nvarchar" => Some((length(4000, 2)?, 0, 0)),
        "varchar" | "varbinary" => Some((length(8000, 1)?, 0, 0)),
        "char" | "binary" => Some((length(8000, 1).filter(|length| *length > 0)?, 0, 0)),
        "nchar" => Some((length(4000, 2).filter(|length| *length > 0)?, 0, 0)),
        "decimal" | "numeric" => {
            let (precision, scale) = match sizes {
                [] => (18, 0),
                [precision] => (number(precision, 1, 38)?, 0),
                [precision, scale] => (number(precision, 1, 38)?, number(scale, 0, 38)?),
                _ => return None,
            };
            (scale <= precision).then_some((17, precision, scale))
        }
        "time" | "datetime2" | "datetimeoffset" => match sizes {
            [] => Some((8, 0, 7)),
            [scale] => Some((8, 0, number(scale, 0, 7)?)),
            _ => None,
        },
        "float" => match sizes {
            [] => Some((8, 53, 0)),
            [bits] => number(bits, 1, 53).map(|bits| if bits <= 24 { (4, 24, 0) } else { (8, 53, 0) }),
            _ => None,
        },
        // A rowversion isn't a type to cast to, and a variant would have lost its base type.
        "timestamp" | "rowversion" | "sql_variant" => None,
        _ => sizes.is_empty().then_some((0, 0, 0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_is_read_as_it_is_written() {
        let written = [
            "bit",
            "int",
            "bigint",
            "money",
            "real",
            "float",
            "decimal(38,10)",
            "char(9)",
            "varchar(8000)",
            "varchar(max)",
            "nvarchar(50)",
            "nvarchar(max)",
            "nchar(4000)",
            "binary(16)",
            "varbinary(max)",
            "date",
            "time(0)",
            "datetime",
            "datetime2(7)",
            "datetimeoffset(3)",
            "uniqueidentifier",
            "xml",
        ];
        for text in written {
            assert_eq!(text.parse::<SqlType>().unwrap().to_string(), text);
        }
        assert_eq!(" NUMERIC ( 5 ) ".parse(), Ok(SqlType::Decimal { precision: 5, scale: 0 }));
        assert_eq!("float(24)".parse(), Ok(SqlType::Real));
        assert_eq!("datetime2".parse(), Ok(SqlType::DateTime2 { scale: 7 }));
    }

    #[test]
    fn what_is_no_type_is_refused() {
        for text in [
            "",
            "vector",
            "nvarchar",
            "nvarchar(0)",
            "nvarchar(4001)",
            "char(max)",
            "decimal(39,1)",
            "decimal(5,6)",
            "int(4)",
            "time(8)",
            "nvarchar(50",
            "rowversion",
            "sql_variant",
            "int) FROM x --",
        ] {
            assert!(text.parse::<SqlType>().is_err(), "{text}");
        }
    }
}
