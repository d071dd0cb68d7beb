//! Key values in the plan's text: one word each, which reads back as the same value.
//!
//! Numbers are decimal, dates and times their number of days or steps (an instant is written in UTC), all else is hexadecimal: no text of a source can
//! be mistaken for the plan's own words.

use etl_schemas::sql_type::SqlType;
use etl_schemas::ticks::Ticks;

use super::KeyValue;

impl KeyValue {
    /// The word for this value.
    pub(crate) fn record(&self) -> String {
        match self {
            KeyValue::Integer(value) | KeyValue::Time(value) => value.to_string(),
            KeyValue::Decimal { digits, .. } => digits.to_string(),
            KeyValue::Float(value) => format!("{value:?}"),
            KeyValue::Text(text) => hexadecimal(text.as_bytes()),
            KeyValue::Bytes(bytes) => hexadecimal(bytes),
            KeyValue::Guid(bytes) => hexadecimal(bytes),
            KeyValue::Date(days) => days.to_string(),
            KeyValue::Timestamp(ticks) | KeyValue::Instant { utc: ticks, .. } => ticks.0.to_string(),
        }
    }

    /// The value of a word, for a column of this type.
    pub(crate) fn from_record(sql_type: &SqlType, word: &str) -> Option<KeyValue> {
        use SqlType as T;
        let decimal = |scale| Some(KeyValue::Decimal { digits: word.parse().ok()?, scale });
        match sql_type {
            T::Bit | T::TinyInt | T::SmallInt | T::Int | T::BigInt => word.parse().ok().map(KeyValue::Integer),
            T::Decimal { scale, .. } => decimal(*scale),
            T::Money | T::SmallMoney => decimal(4),
            T::Real | T::Float => word.parse().ok().map(KeyValue::Float),
            T::Char { .. } | T::VarChar { .. } | T::NChar { .. } | T::NVarChar { .. } => {
                String::from_utf8(bytes(word)?).ok().map(KeyValue::Text)
            }
            T::Binary { .. } | T::VarBinary { .. } => bytes(word).map(KeyValue::Bytes),
            T::UniqueIdentifier => bytes(word)?.try_into().ok().map(KeyValue::Guid),
            T::Date => word.parse().ok().map(KeyValue::Date),
            T::Time { .. } => word.parse().ok().map(KeyValue::Time),
            T::DateTime | T::SmallDateTime | T::DateTime2 { .. } => {
                word.parse().ok().map(|ticks| KeyValue::Timestamp(Ticks(ticks)))
            }
            T::DateTimeOffset { .. } => {
                word.parse().ok().map(|ticks| KeyValue::Instant { utc: Ticks(ticks), offset_minutes: 0 })
            }
            _ => None,
        }
    }
}

/// Behind an x, so that an empty value is a word too.
fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold("x".to_string(), |word, byte| format!("{word}{byte:02x}"))
}

fn bytes(word: &str) -> Option<Vec<u8>> {
    let digits = word.strip_prefix('x').filter(|digits| digits.len().is_multiple_of(2) && digits.is_ascii())?;
    (0..digits.len() / 2).map(|place| u8::from_str_radix(&digits[place * 2..place * 2 + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn comes_back(sql_type: &SqlType, value: &KeyValue) {
        let word = value.record();
        assert!(!word.is_empty() && !word.contains(' '), "{word}");
        assert_eq!(KeyValue::from_record(sql_type, &word).as_ref(), Some(value));
    }

    proptest! {
        #[test]
        fn every_value_comes_back(number: i64, wide: i128, float in -1e300..1e300, text: String, guid: [u8; 16]) {
            comes_back(&SqlType::BigInt, &KeyValue::Integer(number));
            comes_back(&SqlType::Decimal { precision: 38, scale: 7 }, &KeyValue::Decimal { digits: wide, scale: 7 });
            comes_back(&SqlType::Float, &KeyValue::Float(float));
            comes_back(&SqlType::VarBinary { length: Some(900) }, &KeyValue::Bytes(text.as_bytes().to_vec()));
            comes_back(&SqlType::NVarChar { length: Some(450) }, &KeyValue::Text(text));
            comes_back(&SqlType::UniqueIdentifier, &KeyValue::Guid(guid));
            comes_back(&SqlType::DateTime, &KeyValue::Timestamp(Ticks(number)));
            comes_back(&SqlType::DateTimeOffset { scale: 7 }, &KeyValue::Instant { utc: Ticks(number), offset_minutes: 0 });
        }

        #[test]
        fn any_word_is_taken_or_left(word: String) {
            for sql_type in [SqlType::Int, SqlType::UniqueIdentifier, SqlType::NVarChar { length: Some(9) }, SqlType::Xml] {
                let _ = KeyValue::from_record(&sql_type, &word);
            }
        }
    }
}
