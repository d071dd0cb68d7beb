//! Tables and columns from the rows of `sys.tables`, `sys.types` and `sys.columns`.

use std::collections::{HashMap, HashSet};

use etl_schemas::sql_type::SqlType;
use etl_schemas::table::{Column, TableName, field_names, safe_name};

use crate::error::{SourceError, UnsupportedColumn};
use crate::row_source::Answer;

/// A row of `sys.types`.
pub(super) struct Type {
    system_type_id: i64,
    name: String,
    user_defined: bool,
    clr: bool,
}

/// A table's columns, by rising `column_id`.
#[derive(Default)]
pub(super) struct Columns {
    pub(super) carried: Vec<Column>,
    pub(super) unsupported: Vec<UnsupportedColumn>,
}

/// Object id and name of every table, by name: so message names don't depend on the server's order.
pub(super) fn names(rows: &[Answer]) -> Result<Vec<(i64, TableName)>, SourceError> {
    let mut names = Vec::with_capacity(rows.len());
    for row in rows {
        let schema = row.text(1)?.unwrap_or_default();
        let name = row.text(2)?.unwrap_or_default();
        names.push((row.integer(0)?, TableName::new(schema, name)));
    }
    names.sort_by(|a, b| a.1.cmp(&b.1));
    Ok(names)
}

/// A protobuf message name per table, unique within its schema's package.
pub(super) fn message_names(tables: &[(i64, TableName)]) -> Vec<String> {
    let mut taken: HashSet<(String, String)> = HashSet::new();
    tables
        .iter()
        .map(|(_, name)| {
            let mut message = safe_name(&name.name);
            // Two tables fall together when they differ in what protobuf can't carry. Underscores tell them apart in
            // the order of their names, so that a dump of the same tables has the same names.
            while !taken.insert((safe_name(&name.schema), message.clone())) {
                message.push('_');
            }
            message
        })
        .collect()
}

/// `sys.types` by `user_type_id`.
pub(super) fn types(rows: &[Answer]) -> Result<HashMap<i64, Type>, SourceError> {
    let mut types = HashMap::with_capacity(rows.len());
    for row in rows {
        let described = Type {
            system_type_id: row.integer(1)?,
            name: row.text(2)?.unwrap_or_default().to_string(),
            user_defined: row.truth(3)?,
            clr: row.truth(4)?,
        };
        types.insert(row.integer(0)?, described);
    }
    Ok(types)
}

/// The columns of every table, by object id.
pub(super) fn columns(
    rows: &[Answer],
    tables: &[(i64, TableName)],
    types: &HashMap<i64, Type>,
) -> Result<HashMap<i64, Columns>, SourceError> {
    let names: HashMap<i64, &TableName> = tables.iter().map(|(id, name)| (*id, name)).collect();
    let mut columns: HashMap<i64, Columns> = HashMap::new();
    for row in rows {
        let id = row.integer(0)?;
        // Tables of the system itself have columns too, but no place in our list.
        let Some(table) = names.get(&id) else { continue };
        let entry = columns.entry(id).or_default();
        match column(row, types)? {
            Ok(column) => entry.carried.push(column),
            Err(sql_type) => {
                let column = row.text(2)?.unwrap_or_default().to_string();
                let (table, id, nullable) = ((*table).clone(), row.small(1)?, row.truth(8)?);
                entry.unsupported.push(UnsupportedColumn { table, column, sql_type, id, nullable });
            }
        }
    }
    for columns in columns.values_mut() {
        columns.carried.sort_by_key(|column| column.id);
        let fields = field_names(columns.carried.iter().map(|column| (column.id, column.name.as_str())));
        columns.carried.iter_mut().zip(fields).for_each(|(column, field)| column.field = field);
    }
    Ok(columns)
}

/// One column, or the name of its type when that isn't carried. Its field name is given once its siblings are known.
fn column(row: &Answer, types: &HashMap<i64, Type>) -> Result<Result<Column, String>, SourceError> {
    let user_type_id = row.integer(3)?;
    let Some(described) = types.get(&user_type_id) else {
        return Ok(Err(format!("number {user_type_id}, which sys.types doesn't list")));
    };
    // An alias type (CREATE TYPE x FROM varchar(10)) is read as what it stands for.
    let base = match described.user_defined && !described.clr {
        true => types.get(&described.system_type_id).unwrap_or(described),
        false => described,
    };
    let (max_length, precision, scale) = (row.small(4)?, row.small(5)?, row.small(6)?);
    let Some(sql_type) = SqlType::from_catalog(&base.name, max_length, precision, scale, base.clr) else {
        return Ok(Err(base.name.clone()));
    };
    Ok(Ok(Column {
        id: row.small(1)?,
        name: row.text(2)?.unwrap_or_default().to_string(),
        field: String::new(),
        sql_type,
        nullable: row.truth(8)?,
        collation: row.text(7)?.map(str::to_string),
        identity: row.truth(9)?,
        computed: row.truth(10)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_whose_names_fall_together_keep_apart() {
        let tables: Vec<(i64, TableName)> = [("dbo", "A B"), ("dbo", "A-B"), ("hr", "A_B")]
            .map(|(schema, name)| (0, TableName::new(schema, name)))
            .into();
        assert_eq!(message_names(&tables), ["A_B", "A_B_", "A_B"]);
    }
}
