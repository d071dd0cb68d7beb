//! The SQL that mappings are written in: Postgres' expressions, with SQL Server's `[quoted]` names beside `"quoted"`
//! ones, so that names can be taken over from the legacy schema as they stand.

use sqlparser::dialect::Dialect;

/// The dialect of mappings.
#[derive(Debug)]
pub(super) struct MappingDialect;

impl Dialect for MappingDialect {
    fn is_delimited_identifier_start(&self, c: char) -> bool {
        c == '"' || c == '['
    }

    fn is_identifier_start(&self, c: char) -> bool {
        c.is_alphabetic() || c == '_'
    }

    fn is_identifier_part(&self, c: char) -> bool {
        c.is_alphanumeric() || matches!(c, '_' | '$' | '#' | '@')
    }

    fn supports_nested_comments(&self) -> bool {
        true
    }

    /// A part that doesn't exist is the compiler's to report, with the nearest one that does.
    fn allow_extract_custom(&self) -> bool {
        true
    }

    fn allow_extract_single_quotes(&self) -> bool {
        true
    }

    fn supports_comma_separated_trim(&self) -> bool {
        true
    }
}
