//! Names: which tables a mapping sees, and which columns it uses of them.
//!
//! Columns get their slots when they are first used, so that only what mappings use is decoded.

use etl_schemas::diagnostic::did_you_mean;
use etl_schemas::sql_type::{FieldKind, SqlType};
use etl_schemas::table::{Column, TableSchema};
use sqlparser::ast::Ident;

use crate::expression::{Slot, Type};

/// A table that a mapping sees, under the name that it gave it.
pub(super) struct Relation<'a> {
    pub name: String,
    pub table: &'a TableSchema,
    /// `None` for the driving table, else the place among the joins.
    pub join: Option<usize>,
}

/// The tables of one mapping.
pub(super) struct Scope<'a> {
    pub relations: Vec<Relation<'a>>,
    /// Columns used of the driving table, shared by all its mappings.
    pub row_columns: Vec<usize>,
    /// Columns used of the joins: place among the joins, place in the table.
    pub joined_columns: Vec<(usize, usize)>,
}

impl<'a> Scope<'a> {
    /// Finds a column, qualified or not. The error is a message and what would be right.
    pub(super) fn resolve(&mut self, name: &[Ident]) -> Result<(Slot, &'a Column), (String, String)> {
        let (relation, column) = match name {
            [column] => self.unqualified(&column.value)?,
            [relation, column] => self.qualified(&relation.value, &column.value)?,
            [schema, table, column] => {
                let full = format!("{}.{}", schema.value, table.value);
                self.qualified(&full, &column.value)?
            }
            _ => {
                let help = "write <column> or <table>.<column>".to_string();
                return Err(("this is no column".to_string(), help));
            }
        };
        let table = self.relations[relation].table;
        let slot = match self.relations[relation].join {
            None => Slot::Row(place_of(&mut self.row_columns, column)),
            Some(join) => Slot::Joined(place_of(&mut self.joined_columns, (join, column))),
        };
        Ok((slot, &table.columns[column]))
    }

    /// Whether a name is the column at `column` of the join at `join`. Uses no slot.
    pub(super) fn names(&self, name: &[Ident], join: usize, column: usize) -> bool {
        let found = match name {
            [one] => self.unqualified(&one.value),
            [relation, one] => self.qualified(&relation.value, &one.value),
            [schema, table, one] => self.qualified(&format!("{}.{}", schema.value, table.value), &one.value),
            _ => return false,
        };
        found.is_ok_and(|(relation, found)| self.relations[relation].join == Some(join) && found == column)
    }

    fn qualified(&self, relation: &str, column: &str) -> Result<(usize, usize), (String, String)> {
        let matches = |known: &Relation<'_>| {
            // A table that was given another name has that name alone, so that one may be joined with itself.
            let own = known.name.eq_ignore_ascii_case(&known.table.name.name);
            known.name.eq_ignore_ascii_case(relation)
                || own && known.table.name.to_string().eq_ignore_ascii_case(relation)
        };
        let Some(place) = self.relations.iter().position(matches) else {
            let message = format!("this mapping reads no table `{relation}`");
            return Err((message, did_you_mean(relation, self.relations.iter().map(|known| known.name.as_str()))));
        };
        let table = self.relations[place].table;
        match table.column(column) {
            Some(found) => Ok((place, found)),
            None => {
                let known = table.columns.iter().map(|column| column.name.as_str());
                Err((format!("{} has no column `{column}`", table.name), did_you_mean(column, known)))
            }
        }
    }

    fn unqualified(&self, column: &str) -> Result<(usize, usize), (String, String)> {
        let found: Vec<(usize, usize)> = (self.relations.iter().enumerate())
            .filter_map(|(place, relation)| Some((place, relation.table.column(column)?)))
            .collect();
        match found[..] {
            [one] => Ok(one),
            [] => {
                let known: Vec<&str> = (self.relations.iter())
                    .flat_map(|relation| relation.table.columns.iter().map(|column| column.name.as_str()))
                    .collect();
                Err((format!("no table of this mapping has a column `{column}`"), did_you_mean(column, known)))
            }
            [(first, _), (second, _), ..] => {
                let (first, second) = (&self.relations[first].name, &self.relations[second].name);
                let help = format!("write {first}.{column} or {second}.{column}");
                Err((format!("column `{column}` is ambiguous"), help))
            }
        }
    }
}

fn place_of<T: PartialEq>(places: &mut Vec<T>, wanted: T) -> usize {
    match places.iter().position(|place| *place == wanted) {
        Some(place) => place,
        None => {
            places.push(wanted);
            places.len() - 1
        }
    }
}

/// The type that a column has in an expression.
pub(crate) fn column_type(column: &Column) -> Type {
    match (&column.sql_type, column.kind()) {
        (SqlType::Date, _) => Type::Date,
        (SqlType::Time { .. }, _) => Type::Time,
        (SqlType::Decimal { .. } | SqlType::Money | SqlType::SmallMoney, _) => Type::Decimal,
        (SqlType::UniqueIdentifier, _) => Type::Uuid,
        (_, FieldKind::Bool) => Type::Bool,
        (_, FieldKind::UInt32 | FieldKind::SInt32 | FieldKind::SInt64) => Type::Integer,
        (_, FieldKind::Float | FieldKind::Double) => Type::Double,
        (_, FieldKind::String | FieldKind::Variant) => Type::Text,
        (_, FieldKind::Bytes | FieldKind::Geometry) => Type::Bytes,
        (_, FieldKind::Timestamp) => Type::Timestamp,
        (_, FieldKind::DateTimeOffset) => Type::Instant,
    }
}
