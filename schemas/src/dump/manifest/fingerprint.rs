//! The fingerprint: which data this is, whoever dumped it and when.
//!
//! SHA-256 over lines, each a JSON array, so that no two dumps read alike:
//! `["etl-dump",1]`, then for each table `["table",schema,name,message]`, its columns
//! `["column",id,name,field,type,nullable,collation]`, its key `["key",column ids...]`, and its parts
//! `["part",file,rows,sha256]`.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{FORMAT_VERSION, ManifestTable};
use crate::dump::part_writer::hex;
use crate::table::TableSchema;

/// The fingerprint of a dump with these tables.
pub(crate) fn fingerprint(tables: &[ManifestTable]) -> String {
    let mut sha256 = Sha256::new();
    let mut add = |line: &Value| {
        sha256.update(line.to_string().as_bytes());
        sha256.update(b"\n");
    };
    add(&json!(["etl-dump", FORMAT_VERSION.0]));
    for table in tables {
        describe_table(&table.schema).iter().for_each(&mut add);
        for part in &table.parts {
            add(&json!(["part", part.file, part.summary.rows, part.summary.sha256]));
        }
    }
    hex(&sha256.finalize())
}

/// The lines that say what a table is.
pub(crate) fn describe_table(table: &TableSchema) -> Vec<Value> {
    let mut lines = vec![json!(["table", table.name.schema, table.name.name, table.message])];
    for column in &table.columns {
        let sql_type = column.sql_type.to_string();
        lines.push(json!([
            "column",
            column.id,
            column.name,
            column.field,
            sql_type,
            column.nullable,
            column.collation
        ]));
    }
    if let Some(key) = &table.key {
        let ids = key.columns.iter().map(|column| json!(table.columns[*column].id));
        lines.push(Value::Array(std::iter::once(json!("key")).chain(ids).collect()));
    }
    lines
}
