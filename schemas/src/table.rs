//! A source table as the catalog describes it: what the dump's schema is made from, and what the manifest repeats.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use crate::sql_type::{FieldKind, SqlType};

/// Schema and name of a table, shown as `dbo.Messages`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    /// `dbo`
    pub schema: String,
    /// `Messages`
    pub name: String,
}

impl TableName {
    /// From its two parts.
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> TableName {
        TableName { schema: schema.into(), name: name.into() }
    }

    /// As SQL Server quotes it: `[dbo].[Messages]`, a closing bracket doubled.
    pub fn quoted(&self) -> String {
        format!("{}.{}", quote(&self.schema), quote(&self.name))
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

/// `dbo.Messages`; a name without a dot is of schema `dbo`.
impl FromStr for TableName {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<TableName, Self::Err> {
        let (schema, name) = text.split_once('.').unwrap_or(("dbo", text));
        Ok(TableName::new(schema, name))
    }
}

/// A SQL Server identifier in brackets.
pub fn quote(identifier: &str) -> String {
    format!("[{}]", identifier.replace(']', "]]"))
}

/// One column, in the order of `column_id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// `sys.columns.column_id`, which SQL Server never reuses: the protobuf field number.
    pub id: u32,
    /// The name in the source.
    pub name: String,
    /// The name in protobuf, see [`field_names`].
    pub field: String,
    /// The type.
    pub sql_type: SqlType,
    /// Whether the source allows NULL.
    pub nullable: bool,
    /// The collation of a text column.
    pub collation: Option<String>,
    /// Whether the server counts it up.
    pub identity: bool,
    /// Whether the server computes it.
    pub computed: bool,
}

impl Column {
    /// The protobuf type of its field.
    pub fn kind(&self) -> FieldKind {
        self.sql_type.carried().field
    }

    /// Whether the dump's index keeps a zone map of it.
    pub fn has_zone(&self) -> bool {
        self.kind().has_zone()
    }
}

/// Which kind of index gives a table its reading order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// The clustered index: rows lie in its order.
    Clustered,
    /// A unique index that isn't the clustered one.
    Unique,
}

/// The key by which a table is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The index's name.
    pub name: String,
    /// What kind of index it is.
    pub kind: KeyKind,
    /// Whether no two rows share it.
    pub unique: bool,
    /// Places in [`TableSchema::columns`] (not column ids), in the key's order.
    pub columns: Vec<usize>,
}

/// A table: its columns and the key by which it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSchema {
    /// Schema and name in the source.
    pub name: TableName,
    /// The name of its protobuf message.
    pub message: String,
    /// Columns by rising `column_id`.
    pub columns: Vec<Column>,
    /// The reading key; `None` for a heap without a unique index.
    pub key: Option<Key>,
}

impl TableSchema {
    /// Place of a column by its name in the source, without regard to case, as SQL Server finds it.
    pub fn column(&self, name: &str) -> Option<usize> {
        let exact = self.columns.iter().position(|column| column.name == name);
        exact.or_else(|| self.columns.iter().position(|column| column.name.to_lowercase() == name.to_lowercase()))
    }

    /// The full protobuf name of its message: `legacy.<schema>.<message>`.
    pub fn full_name(&self) -> String {
        format!("{}.{}", package_name(&self.name.schema), self.message)
    }
}

/// The protobuf package of a schema's tables.
pub fn package_name(schema: &str) -> String {
    format!("legacy.{}", safe_name(schema))
}

/// A name that protobuf takes: ASCII letters, digits and underscores, not starting with a digit.
pub fn safe_name(name: &str) -> String {
    let mut safe: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if safe.is_empty() || safe.starts_with(|c: char| c.is_ascii_digit()) {
        safe.insert(0, '_');
    }
    safe
}

/// The protobuf field names of a table's columns, given `(column_id, name)`: safe, and unique also without regard to
/// case and underscores, since protobuf's JSON names would collide. A name that collides gets its column id behind it.
pub fn field_names<'a>(columns: impl IntoIterator<Item = (u32, &'a str)>) -> Vec<String> {
    let mut taken = HashSet::new();
    let fold = |name: &str| name.to_ascii_lowercase().replace('_', "");
    columns
        .into_iter()
        .map(|(id, name)| {
            let mut safe = safe_name(name);
            while !taken.insert(fold(&safe)) {
                safe = format!("{safe}_{id}");
            }
            safe
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_protobuf_cannot_carry_are_made_safe_and_unique() {
        let names = field_names([(1, "Id"), (2, "Ålder"), (3, "2nd"), (4, "i_d"), (5, "Antal %"), (6, "")]);
        assert_eq!(names, ["Id", "_lder", "_2nd", "i_d_4", "Antal__", "_"]);
    }

    #[test]
    fn table_names_read_and_print() {
        let name: TableName = "Messages".parse().unwrap();
        assert_eq!(name.to_string(), "dbo.Messages");
        assert_eq!(TableName::new("a]b", "c").quoted(), "[a]]b].[c]");
    }
}
