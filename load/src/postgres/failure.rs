//! What the server's errors mean for us: which ones are about one row, and what a person should do about the others.
//!
//! SQLSTATE codes: Postgres documentation, appendix A.

use std::error::Error as _;
use std::io::ErrorKind;

use tokio_postgres::Error;

use super::encryption;
use super::target::PostgresTarget;

/// The error in one line: `ERROR 23505: duplicate key … (Key (id)=(7) already exists.)`, or what broke the connection.
pub(super) fn described(error: &Error) -> String {
    if let Some(db) = error.as_db_error() {
        let detail = db.detail().map_or(String::new(), |detail| format!(" ({detail})"));
        return format!("{} {}: {}{detail}", db.severity(), db.code().code(), db.message());
    }
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// Whether the server refused the data of one row, so that the batch may load without it: its value (class 22), a
/// constraint (23), a limit of the server (54), or a trigger of the module (P0001).
pub(super) fn is_about_a_row(error: &Error) -> bool {
    error.code().is_some_and(|code| {
        let code = code.code();
        ["22", "23", "54"].iter().any(|class| code.starts_with(class)) || code == "P0001"
    })
}

/// What the server calls an internal error though its disk is full: a checkpoint failed, or a login that writes a file of
/// its catalog's cache. Only the place in the server's code tells.
const FULL_DISK: [&str; 3] = ["RequestCheckpoint", "write_item", "write_relcache_init_file"];

/// Whether trying again later may help.
pub(crate) fn may_pass(error: &Error) -> bool {
    let routine = error.as_db_error().and_then(|db| db.routine());
    if routine.is_some_and(|routine| FULL_DISK.contains(&routine)) {
        return true;
    }
    match error.code() {
        Some(code) => {
            let code = code.code();
            ["08", "53", "57P", "58"].iter().any(|class| code.starts_with(class))
                || ["40001", "40P01", "55P03", "55006"].contains(&code)
        }
        None => {
            error.is_closed() || error.source().is_some_and(<dyn std::error::Error + 'static>::is::<std::io::Error>)
        }
    }
}

/// The row of a COPY, from 1, that the server was at. It says so in the error's context: `COPY message, line 3, column
/// body`, in the language of its messages, so only the table's name and the first number behind it are relied on.
pub(super) fn copy_row(error: &Error, table: &str) -> Option<usize> {
    row_in_context(error.as_db_error()?.where_()?, table)
}

fn row_in_context(context: &str, table: &str) -> Option<usize> {
    let behind = context.lines().find_map(|line| line.strip_prefix("COPY ")?.strip_prefix(table))?;
    let digits = behind.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok().filter(|row| *row > 0)
}

/// What to do about an error that stops a module. The checkpoint makes running again safe after any of them.
pub(super) fn help(error: &Error) -> &'static str {
    let Some(code) = error.code() else {
        return "check that the server is up, then run the same command again: it goes on behind the last commit";
    };
    match code.code() {
        "42501" => "grant the target's user the right, or let the database's owner load",
        "53100" => "free space on the server's disk, then run the same command again",
        "53200" | "53300" | "53400" => "the server is short of memory or connections; run again when it has more",
        "55006" => "disconnect the others from the database, then run the same command again",
        "55P03" => "somebody holds a lock on the table; end that session, then run the same command again",
        "40001" | "40P01" => "another session got in the way; run the same command again",
        "25006" => "the server takes no writes (a standby?); name its primary as the target",
        code if code.starts_with("57") => {
            "the server ended the session; run the same command again: it goes on behind the last commit"
        }
        code if code.starts_with("08") => "check the network, then run the same command again",
        code if code.starts_with("23") => "repair the module's keys or the mappings, then run the same command again",
        code if code.starts_with("21") => {
            "the handler meets one row twice: gather the events of a key first (GROUP BY, DISTINCT ON), then run again"
        }
        code if code.starts_with("42") => "repair the module's SQL, then run the same command again",
        _ => "see the server's log for more, then run the same command again",
    }
}

/// Why a connection could not be had, what to do, and whether trying again later may help.
pub(super) fn connecting(error: &Error, target: &PostgresTarget, database: &str) -> (String, String, bool) {
    let (help, may_pass) = match encryption::judge(target, error) {
        Some(judged) => judged,
        None => (connecting_help(error, target, database), may_pass(error)),
    };
    (described(error), help, may_pass)
}

fn connecting_help(error: &Error, target: &PostgresTarget, database: &str) -> String {
    let user = &target.user;
    if let Some(code) = error.code() {
        return match code.code() {
            "28P01" => format!("check the target's `password` for user `{user}`"),
            "28000" if target.encryption.is_none() => format!(
                "allow user `{user}` in the server's pg_hba.conf, name another user in the URL, or, if the server wants \
                 encrypted connections only, write ?sslmode=verify-full"
            ),
            "28000" => format!("allow user `{user}` in the server's pg_hba.conf, or name another user in the URL"),
            "3D000" => format!("create the database `{database}`, or let the user connect to it"),
            "42501" => format!("GRANT CONNECT ON DATABASE {database} TO the user"),
            "53300" => "the server has no connection left; raise max_connections or end some".to_string(),
            "57P03" => "the server is starting or stopping; try again in a moment".to_string(),
            _ => "see the server's log for more".to_string(),
        };
    }
    let io = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    let help = match io.map(std::io::Error::kind) {
        Some(ErrorKind::ConnectionRefused) => "nothing listens there: is Postgres running, and the port right?",
        Some(ErrorKind::NotFound) => "is the path of the socket right?",
        Some(ErrorKind::TimedOut) => "is the host right, and no firewall between?",
        Some(_) if described(error).contains("lookup") => "check the host's name in the target's URL",
        None if described(error).contains("password missing") => {
            "the server wants a password: give the target one, as `password = \"${VARIABLE}\"`"
        }
        _ => "check host and port in the target's URL",
    };
    help.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_of_a_copy_is_found_in_any_language() {
        assert_eq!(row_in_context("COPY message, line 3, column body", "message"), Some(3));
        assert_eq!(row_in_context("PL/pgSQL function f() line 1 at RAISE\nCOPY t2, Zeile 12", "t2"), Some(12));
        assert_eq!(row_in_context("SQL statement \"SELECT 1\"", "message"), None);
        assert_eq!(row_in_context("COPY message", "message"), None);
    }
}
