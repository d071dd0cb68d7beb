//! Generations of a module's tables within its database: the live one, one that is being loaded beside it, and the one
//! that was live before.
//!
//! In: a database that is in use. Out: another generation under the live names, changed for all readers at one moment.
//! A generation is two schemas, one for the module's tables and one for our own. The change renames them in one
//! transaction that holds every table's lock for a moment, so no statement and no transaction sees tables of two
//! generations, no session ends, and no query fails. (Renaming databases would be simpler, but Postgres refuses that
//! while anybody is connected.)

mod exchange;

use super::connection::Connection;
use super::database::refused;
use crate::LoadError;
pub(super) use exchange::Waiting;
use exchange::{Exchange, Told, exchange};

/// Where one generation lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Generation {
    /// Schema of the module's tables.
    pub(super) tables: &'static str,
    /// Schema of `checkpoint` and `rejected`.
    pub(super) state: &'static str,
}

/// What readers see.
pub(super) const LIVE: Generation = Generation { tables: "public", state: "etl" };
/// What is being loaded.
pub(super) const NEXT: Generation = Generation { tables: "etl_next", state: "etl_next_state" };
/// What readers saw before.
pub(super) const PREVIOUS: Generation = Generation { tables: "etl_previous", state: "etl_previous_state" };
/// A name for a moment.
const PASSING: Generation = Generation { tables: "etl_passing", state: "etl_passing_state" };

/// What to do when a rollback failed.
pub(super) const ROLL_BACK_ALONE: &str =
    "roll back this module alone (--module): what was rolled back already would come forward again";

impl Generation {
    /// Whether it has a checkpoint.
    pub(super) fn exists(&self, connection: &Connection) -> Result<bool, LoadError> {
        Ok(self.identity(connection)?.is_some())
    }

    /// What tells its tables from those of any other, under whatever name; `None` if there are none.
    pub(super) fn identity(&self, connection: &Connection) -> Result<Option<u32>, LoadError> {
        let select = format!("SELECT to_regclass('{}.checkpoint')::oid", self.state);
        connection.run("looking for the checkpoint", connection.client.query_one_scalar(&select, &[]))
    }

    /// Drops it with all it holds.
    pub(super) fn drop(&self, connection: &Connection) -> Result<(), LoadError> {
        let drop = format!("DROP SCHEMA IF EXISTS {}, {} CASCADE", self.tables, self.state);
        connection.run("dropping earlier tables", connection.client.batch_execute(&drop))
    }
}

/// Refuses a database whose tables can't be changed for others at one moment, before anything is loaded.
pub(super) fn check_exchangeable(connection: &Connection) -> Result<(), LoadError> {
    let text = |select: &str| -> Result<Option<String>, LoadError> {
        connection.run("looking at its schemas", connection.client.query_one_scalar(select, &[]))
    };
    let other = "or drop the database with `etl reset` and seed it anew";
    let theirs =
        "SELECT string_agg(DISTINCT n.nspname, ', ') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                  WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'public')
                    AND n.nspname !~ '^(pg_(toast|temp)|etl($|_))'
                    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')";
    if let Some(schemas) = text(theirs)? {
        let problem =
            format!("tables outside the schema `public` (in {schemas}) can't be replaced beside the live ones");
        return Err(refused(connection.database(), problem, format!("keep a module's tables in `public`, {other}")));
    }
    let extensions = "SELECT string_agg(extname, ', ') FROM pg_extension WHERE extnamespace = 'public'::regnamespace";
    if let Some(extensions) = text(extensions)? {
        let problem = format!("the extension {extensions} is in the schema `public`, which would be replaced");
        let help = format!("make it in a schema of its own (CREATE EXTENSION ... SCHEMA extensions), {other}");
        return Err(refused(connection.database(), problem, help));
    }
    let foreign = "SELECT string_agg(nspname, ', ') FROM pg_namespace
                   WHERE nspname IN ('public', 'etl') AND NOT pg_has_role(nspowner, 'USAGE')";
    if let Some(schemas) = text(foreign)? {
        let problem = format!("the schema {schemas} belongs to another user, so it can't be renamed");
        let help = "let an administrator run: ALTER SCHEMA public OWNER TO the target's user";
        return Err(refused(connection.database(), problem, help));
    }
    Ok(())
}

/// Makes the schema for the next generation's tables, with the rights that `public` has, within the caller's transaction.
pub(super) fn create_next(connection: &Connection) -> Result<(), LoadError> {
    let Generation { tables, .. } = NEXT;
    let create = format!(
        "CREATE SCHEMA {tables};
         DO $$
         DECLARE given record;
         BEGIN
             FOR given IN
                 SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS grantee,
                        privilege_type, CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS option
                 FROM pg_namespace, aclexplode(nspacl) WHERE nspname = 'public'
             LOOP
                 EXECUTE format('GRANT %s ON SCHEMA {tables} TO %s%s', given.privilege_type, given.grantee, given.option);
             END LOOP;
         END $$"
    );
    connection.run("making the schema for the new tables", connection.client.batch_execute(&create))
}

/// Makes [`NEXT`] live and keeps what was live as [`PREVIOUS`].
pub(super) fn publish(connection: &Connection, waiting: Waiting<'_>) -> Result<(), LoadError> {
    let mut renames = String::new();
    renames.push_str(&format!("DROP SCHEMA IF EXISTS {}, {} CASCADE;", PREVIOUS.tables, PREVIOUS.state));
    rename(&mut renames, LIVE, PREVIOUS);
    rename(&mut renames, NEXT, LIVE);
    let told = Told {
        so_far: "the new tables are complete and not live yet",
        again: "run the same command again: only the exchange is left",
    };
    let locked = &[LIVE.tables, PREVIOUS.tables, PREVIOUS.state];
    exchange(connection, Exchange { coming: NEXT, renames: &renames, locked }, waiting, told)
}

/// Makes [`PREVIOUS`] live again and keeps what was live as [`PREVIOUS`].
pub(super) fn exchange_with_previous(connection: &Connection, waiting: Waiting<'_>) -> Result<(), LoadError> {
    let mut renames = String::new();
    rename(&mut renames, LIVE, PASSING);
    rename(&mut renames, PREVIOUS, LIVE);
    rename(&mut renames, PASSING, PREVIOUS);
    let told = Told { so_far: "it was not rolled back", again: ROLL_BACK_ALONE };
    let locked = &[LIVE.tables];
    exchange(connection, Exchange { coming: PREVIOUS, renames: &renames, locked }, waiting, told)
}

fn rename(renames: &mut String, from: Generation, to: Generation) {
    for (from, to) in [(from.tables, to.tables), (from.state, to.state)] {
        renames.push_str(&format!("ALTER SCHEMA {from} RENAME TO {to};"));
    }
}
