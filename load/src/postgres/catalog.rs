//! Tables as the database has them: what columns there are and what each one takes.
//!
//! In: a table's name. Out: its columns in their order, domains resolved to their base types.

use std::collections::BTreeMap;

use super::connection::Connection;
use crate::LoadError;

/// A column of a table.
#[derive(Clone, Debug)]
pub(super) struct TableColumn {
    pub(super) name: String,
    /// As a person writes it: `character varying(40)`.
    pub(super) type_name: String,
    /// Name of the base type in `pg_type`: `varchar`. `None` for a type that Postgres doesn't bring, other than an enum.
    pub(super) base: Option<String>,
    /// Type modifier of the base type (length, precision and scale), or -1.
    pub(super) modifier: i32,
    /// Labels, if the base type is an enum.
    pub(super) labels: Option<Vec<String>>,
    pub(super) not_null: bool,
    /// Has a default or is an identity, so that it may be left out.
    pub(super) has_default: bool,
    /// Computed by the server, so that it must be left out.
    pub(super) generated: bool,
}

const COLUMNS: &str = "
    WITH RECURSIVE base (attnum, type, modifier, not_null, has_default) AS (
        SELECT attnum, atttypid, atttypmod, attnotnull, atthasdef OR attidentity <> ''
        FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped
        UNION ALL
        SELECT attnum, typbasetype, CASE modifier WHEN -1 THEN typtypmod ELSE modifier END, not_null OR typnotnull,
               has_default OR typdefault IS NOT NULL
        FROM base JOIN pg_type t ON t.oid = base.type WHERE t.typtype = 'd')
    SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), t.typname::text,
           t.typnamespace = 'pg_catalog'::regnamespace OR t.typname = 'citext', t.typtype = 'e', b.modifier,
           ARRAY(SELECT enumlabel::text FROM pg_enum WHERE enumtypid = t.oid), b.not_null, b.has_default,
           a.attgenerated <> ''
    FROM base b
    JOIN pg_type t ON t.oid = b.type AND t.typtype <> 'd'
    JOIN pg_attribute a ON a.attrelid = $1 AND a.attnum = b.attnum
    ORDER BY b.attnum";

/// The columns of a table, or `None` if there is no such table. Views and foreign tables are none.
pub(super) fn columns(
    connection: &Connection,
    schema: &str,
    table: &str,
) -> Result<Option<Vec<TableColumn>>, LoadError> {
    let find = "SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')";
    let doing = format!("reading the columns of `{table}`");
    let oid = connection.run(&doing, connection.client.query_opt(find, &[&connection.schema(schema), &table]))?;
    let Some(oid) = oid.map(|row| row.get::<_, u32>(0)) else { return Ok(None) };
    let rows = connection.run(&doing, connection.client.query(COLUMNS, &[&oid]))?;
    let column = |row: &tokio_postgres::Row| TableColumn {
        name: row.get(0),
        type_name: row.get(1),
        base: row.get::<_, bool>(3).then(|| row.get(2)),
        modifier: row.get(5),
        labels: row.get::<_, bool>(4).then(|| row.get(6)),
        not_null: row.get(7),
        has_default: row.get(8),
        generated: row.get(9),
    };
    Ok(Some(rows.iter().map(column).collect()))
}

/// The tables of the generation that the connection works on, and those outside `public`.
const MODULE_TABLES: &str = "FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
    AND schemaname !~ '^pg_temp' AND (schemaname = $1 OR schemaname <> 'public' AND schemaname !~ '^etl($|_)') ORDER BY 1";

/// The names of all tables of the module, to offer the nearest one.
pub(super) fn tables(connection: &Connection) -> Result<Vec<String>, LoadError> {
    let select =
        format!("SELECT CASE schemaname WHEN $1 THEN '' ELSE schemaname || '.' END || tablename {MODULE_TABLES}");
    list_tables(connection, &select)
}

/// The same tables as SQL wants them.
pub(super) fn quoted_tables(connection: &Connection) -> Result<Vec<String>, LoadError> {
    list_tables(connection, &format!("SELECT format('%I.%I', schemaname, tablename) {MODULE_TABLES}"))
}

fn list_tables(connection: &Connection, select: &str) -> Result<Vec<String>, LoadError> {
    let query = async { connection.client.query(select, &[&connection.generation.tables]).await };
    let rows = connection.run("listing its tables", query)?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Rows of each of the same tables, by the name that people write: without the schema `public`.
pub(super) fn count_rows(connection: &Connection) -> Result<BTreeMap<String, u64>, LoadError> {
    let mut counts = BTreeMap::new();
    for table in quoted_tables(connection)? {
        let select = format!("SELECT count(*) FROM {table}");
        let rows: i64 = connection.run("counting rows", connection.client.query_one_scalar(&select, &[]))?;
        let home = format!("{}.", connection.generation.tables);
        let shown = table.strip_prefix(&home).unwrap_or(&table).replace('"', "");
        counts.insert(shown, rows.unsigned_abs());
    }
    Ok(counts)
}

/// Of the table `c`: no trigger and no foreign key, no view or rule over it, no partition of it, and no function in whose
/// text its name stands.
const IS_APART: &str = r"
    NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = c.oid)
    AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_rewrite'::regclass AND refobjid = c.oid)
    AND NOT EXISTS (SELECT FROM pg_inherits WHERE c.oid IN (inhrelid, inhparent))
    AND NOT EXISTS (
        SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_temp'
          AND p.prokind IN ('f', 'p')
          AND strpos(lower(pg_get_functiondef(p.oid)), lower(c.relname)) > 0)";

/// Whether nothing but a copy reads or writes the table, as far as the database knows.
pub(super) fn is_apart(connection: &Connection, schema: &str, table: &str) -> Result<bool, LoadError> {
    let select = format!(
        "SELECT {IS_APART} FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = $1 AND c.relname = $2"
    );
    let doing = format!("looking at what else uses `{table}`");
    connection.run(&doing, connection.client.query_one_scalar(&select, &[&connection.schema(schema), &table]))
}

/// The column by which the rows of a transaction may be sorted before they are copied: the first one, a uuid, of the only
/// unique index of a plain table without triggers, exclusions and publications. With two such indexes the order of rows would
/// decide which of two equal ones is refused; a subscriber gets them one by one.
pub(super) fn sortable_key(connection: &Connection, schema: &str, table: &str) -> Result<Option<String>, LoadError> {
    let select = r"
        SELECT a.attname::text
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_index i ON i.indrelid = c.oid AND i.indisunique
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0] AND a.atttypid = 'uuid'::regtype
        WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'r'
          AND NOT EXISTS (SELECT FROM pg_index o WHERE o.indrelid = c.oid AND o.indexrelid <> i.indexrelid
                                                   AND (o.indisunique OR o.indisexclusion))
          AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal)
          AND NOT EXISTS (SELECT FROM pg_publication_tables p WHERE p.schemaname = n.nspname AND p.tablename = c.relname)";
    let doing = format!("looking for the key of `{table}`");
    let row = connection.run(&doing, connection.client.query_opt(select, &[&connection.schema(schema), &table]))?;
    Ok(row.map(|row| row.get(0)))
}

/// Of these tables, written as SQL wants them, those that autovacuum may be kept away from: plain ones that we may lock, and
/// that nothing but a copy uses, since all else is planned by what autovacuum gathers.
pub(super) fn undisturbed(connection: &Connection, tables: &[&str]) -> Result<Vec<String>, LoadError> {
    let select = format!(
        "SELECT name FROM unnest($1::text[]) name JOIN pg_class c ON c.oid = name::regclass
         WHERE c.relkind = 'r' AND has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE') AND {IS_APART} ORDER BY name"
    );
    let query = async { connection.client.query(&select, &[&tables]).await };
    let rows = connection.run("looking for tables to lock", query)?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
