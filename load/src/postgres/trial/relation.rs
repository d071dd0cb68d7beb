//! What a module's tables and views hold, as text.

use tokio_postgres::SimpleQueryMessage;

use crate::LoadError;
use crate::postgres::connection::Connection;
use crate::postgres::quoted;

/// A table or a view.
pub(super) struct Relation {
    /// As people write it.
    pub(super) name: String,
    quoted: String,
    pub(super) columns: Vec<RelationColumn>,
}

pub(super) struct RelationColumn {
    pub(super) name: String,
    /// As a person writes it: `character varying(40)`.
    pub(super) type_name: String,
}

impl Relation {
    /// The relation of that name, if there is one.
    pub(super) fn find(connection: &Connection, schema: &str, table: &str) -> Result<Option<Relation>, LoadError> {
        let select = "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod)
                      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                      WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
                      ORDER BY a.attnum";
        let doing = format!("reading the columns of `{table}`");
        let rows = connection.run(&doing, connection.client.query(select, &[&schema, &table]))?;
        let columns: Vec<RelationColumn> =
            rows.iter().map(|row| RelationColumn { name: row.get(0), type_name: row.get(1) }).collect();
        let name = if schema == "public" { table.to_string() } else { format!("{schema}.{table}") };
        let quoted = format!("{}.{}", quoted(schema), quoted(table));
        Ok((!columns.is_empty()).then_some(Relation { name, quoted, columns }))
    }

    pub(super) fn count(&self, connection: &Connection) -> Result<u64, LoadError> {
        let select = format!("SELECT count(*) FROM {}", self.quoted);
        let doing = format!("counting the rows of `{}`", self.name);
        let count: i64 = connection.run(&doing, connection.client.query_one_scalar(&select, &[]))?;
        Ok(count as u64)
    }

    /// All rows, some columns of each, as text; `None` for NULL. In an order that is the same in every run.
    pub(super) fn rows(
        &self,
        connection: &Connection,
        columns: &[usize],
    ) -> Result<Vec<Vec<Option<String>>>, LoadError> {
        let list: Vec<String> =
            columns.iter().map(|index| format!("{}::text", quoted(&self.columns[*index].name))).collect();
        let places: Vec<String> = (1..=columns.len()).map(|place| place.to_string()).collect();
        let select = format!("SELECT {} FROM {} ORDER BY {}", list.join(", "), self.quoted, places.join(", "));
        let doing = format!("reading `{}`", self.name);
        let messages = connection.run(&doing, connection.client.simple_query(&select))?;
        let cells = |row: &tokio_postgres::SimpleQueryRow| {
            (0..row.len()).map(|index| row.get(index).map(String::from)).collect::<Vec<_>>()
        };
        Ok(messages
            .iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some(cells(row)),
                _ => None,
            })
            .collect())
    }

    /// A row as `name = value, other = NULL`.
    pub(super) fn shown(&self, columns: &[usize], cells: &[Option<String>]) -> String {
        let cell = |(index, cell): (&usize, &Option<String>)| match cell {
            Some(text) => format!("{} = {text}", self.columns[*index].name),
            None => format!("{} = NULL", self.columns[*index].name),
        };
        columns.iter().zip(cells).map(cell).collect::<Vec<_>>().join(", ")
    }
}

/// The names of all tables and views of the module, to offer the nearest one.
pub(super) fn relations(connection: &Connection) -> Result<Vec<String>, LoadError> {
    let select = "SELECT CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || c.relname
                  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_'
                    AND n.nspname NOT IN ('information_schema', 'etl') ORDER BY 1";
    let rows = connection.run("listing its tables", connection.client.query(select, &[]))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// A text read as a value of the type, and written as the server writes it.
pub(super) fn written(connection: &Connection, text: &str, type_name: &str) -> Result<String, LoadError> {
    let select = format!("SELECT ($1::text)::{type_name}::text");
    connection.run("reading an expected value", connection.client.query_one_scalar(&select, &[&text]))
}
