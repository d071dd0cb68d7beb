//! Plans that fit the tables as they have become within a transaction.
//!
//! The server plans for a table by its pages and the rows that it last saw on a page. A transaction that was killed leaves
//! pages without rows, and autovacuum notes none on any: then every plan is made for no rows, however many come, and
//! joins read all of them for each. Functions of the module keep their plans besides. So both are renewed, often at the
//! beginning of a transaction and ever more rarely, in a function of the session: `pg_temp.etl_renew_plans()`.

use crate::LoadError;
use crate::postgres::catalog;
use crate::postgres::connection::Connection;

/// The setting that says whether plans are to be renewed in the present step.
pub(super) const DUE: &str = "etl.plans_due";
/// Renews them, as a statement of PL/pgSQL.
pub(super) const RENEW: &str = "PERFORM pg_temp.etl_renew_plans()";
/// The same where it is due; on one line.
pub(super) const RENEW_IF_DUE: &str =
    "IF current_setting('etl.plans_due', true) = 'true' THEN PERFORM pg_temp.etl_renew_plans(); END IF;";

/// Makes the function for the module's tables.
pub(super) fn make(connection: &Connection) -> Result<(), LoadError> {
    let tables: Vec<String> =
        catalog::quoted_tables(connection)?.iter().map(|table| format!("'{}'", table.replace('\'', "''"))).collect();
    // Statistics see the rows of their own transaction. Those of a few rows say little of a page that has become full.
    let create = format!(
        "CREATE FUNCTION pg_temp.etl_renew_plans() RETURNS void LANGUAGE plpgsql AS $renew$
         DECLARE outdated regclass;
         BEGIN
             FOR outdated IN SELECT c.oid FROM pg_catalog.pg_class c
                 WHERE c.oid = ANY (ARRAY[{}]::regclass[]::oid[]) AND c.relkind = 'r'
                   AND pg_relation_size(c.oid) > 0
                   AND (c.reltuples = 0 OR c.reltuples > 0
                        AND pg_relation_size(c.oid) >= 2 * c.relpages * current_setting('block_size')::bigint)
             LOOP
                 EXECUTE format('ANALYZE %s', outdated);
             END LOOP;
             DISCARD PLANS;
         END $renew$",
        tables.join(", ")
    );
    connection.run("making the function that renews plans", connection.client.batch_execute(&create))
}
