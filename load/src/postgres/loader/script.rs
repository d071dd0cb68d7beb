//! A module's SQL files, run as they are within a transaction of ours.
//!
//! An error of the server is shown at its place in the file. A script that ends the transaction is refused.

use tokio_postgres::error::ErrorPosition;

use crate::LoadError;
use crate::module::Script;
use crate::postgres::connection::Connection;

/// Runs a module's script within the open transaction. An error of its SQL is shown at its place, where the server says
/// it. A script that ends the transaction is refused, because then nobody could repeat it after a failure.
pub(super) fn run_script(connection: &Connection, script: &Script) -> Result<(), LoadError> {
    let doing = format!("running {}", script.path.display());
    let transaction = || -> Result<i64, LoadError> {
        connection.run(&doing, connection.client.query_one_scalar("SELECT txid_current()", &[]))
    };
    let before = transaction()?;
    connection.run(&doing, connection.client.batch_execute(&script.text)).map_err(|error| place(error, script, 0))?;
    match transaction()? == before {
        true => Ok(()),
        false => {
            let words = ["commit", "rollback", "end;"];
            let lower = script.text.to_ascii_lowercase();
            let at = words.into_iter().filter_map(|word| lower.find(word)).min().unwrap_or(0);
            let diagnostic = script.diagnostic(at..at + 1, "the script ends the transaction that it runs in");
            let help = "leave BEGIN and COMMIT out: the whole script is one transaction";
            Err(LoadError::Invalid(vec![diagnostic.help(help)]))
        }
    }
}

/// Shows an error of a script at its place. The script was sent behind so many characters of other SQL.
pub(in crate::postgres) fn place(error: LoadError, script: &Script, before: usize) -> LoadError {
    let LoadError::Postgres { error: ref cause, ref problem, .. } = error else { return error };
    let Some(db) = cause.as_db_error() else { return error };
    let Some(ErrorPosition::Original(position)) = db.position() else { return error };
    // The server counts characters, from 1.
    let characters = (*position as usize).saturating_sub(1 + before);
    let at = script.text.char_indices().nth(characters).map_or(script.text.len(), |(at, _)| at);
    let word = script.text[at..].find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(0).max(1);
    let mut diagnostic = script.diagnostic(at..at + word, problem.clone());
    diagnostic.help = db.hint().map(String::from);
    LoadError::Invalid(vec![diagnostic])
}
