//! Tables for this module's own tests.

use crate::sql_type::SqlType;
use crate::table::{Column, TableName, TableSchema, field_names, safe_name};

/// A table `dbo.Sample` of `(column_id, type name)` columns called `c<column_id>`; sized types get their longest form.
pub(crate) fn table(columns: &[(u32, &str)]) -> TableSchema {
    let names: Vec<String> = columns.iter().map(|(id, _)| format!("c{id}")).collect();
    let fields = field_names(columns.iter().map(|(id, _)| *id).zip(names.iter().map(String::as_str)));
    let column = |((id, type_name), (name, field)): (&(u32, &str), (&String, String))| Column {
        id: *id,
        name: name.clone(),
        field,
        sql_type: SqlType::from_catalog(type_name, -1, 18, 4, false).expect("a type that SQL Server has"),
        nullable: true,
        collation: None,
        identity: false,
        computed: false,
    };
    let columns = columns.iter().zip(names.iter().zip(fields)).map(column).collect();
    TableSchema { name: TableName::new("dbo", "Sample"), message: safe_name("Sample"), columns, key: None }
}
