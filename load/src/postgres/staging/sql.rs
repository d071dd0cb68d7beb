//! Handlers in SQL: each script becomes a function on the server that runs its statements one by one.
//!
//! The server checks the script when the function is made, and runs it once on no events, because some errors show only
//! then. All of them are shown at their place in the script.

use std::ops::Range;

use super::plans::RENEW_IF_DUE;
use super::statement::{on_one_line, statements};
use crate::LoadError;
use crate::module::{Handler, Module, Script};
use crate::postgres::connection::Connection;
use crate::postgres::loader::script::place;
use crate::postgres::quoted;

/// A handler in SQL, as the server knows it and as people do.
pub(super) struct HandlerScript {
    /// The temporary function: `on_message_sent`.
    function: String,
    script: Script,
}

impl HandlerScript {
    /// Makes the function. `view` shows the staged events of a step, and is called like them.
    pub(super) fn create(connection: &Connection, view: &str, script: &Script) -> Result<HandlerScript, LoadError> {
        let made = HandlerScript { function: format!("on_{view}"), script: script.clone() };
        let doing = format!("checking {}", script.path.display());
        // A function in SQL is made for its check alone: it says at which character an error is.
        let mut quotes = "$handler$".to_string();
        while script.text.contains(&quotes) {
            quotes.insert(1, 'x');
        }
        let function = quoted(&made.function);
        let before = format!("CREATE FUNCTION pg_temp.{function}() RETURNS void LANGUAGE sql AS {quotes}");
        let create = format!("{before}{}{quotes}", script.text);
        connection
            .run(&doing, connection.client.batch_execute(&create))
            .map_err(|error| place(error, script, before.chars().count()))?;
        connection.run(&doing, connection.client.batch_execute(&made.definition()))?;
        Ok(made)
    }

    /// The function, each statement on a line of its own.
    ///
    /// So every statement is planned when its turn has come. A function in SQL plans all of them before the first, or
    /// keeps the plans of its first call: made for tables that were empty then and aren't any more.
    fn definition(&self) -> String {
        let text = &self.script.text;
        let texts = statements(text).into_iter().map(|range| on_one_line(&text[range]));
        let lines: Vec<String> = texts.map(|text| format!("{RENEW_IF_DUE} EXECUTE {text};\n")).collect();
        let body = on_one_line(&format!("BEGIN\n{}END", lines.concat()));
        let function = quoted(&self.function);
        format!("CREATE OR REPLACE FUNCTION pg_temp.{function}() RETURNS void LANGUAGE plpgsql AS {body}")
    }

    /// The call, as a statement of PL/pgSQL.
    pub(super) fn action(&self) -> String {
        format!("PERFORM pg_temp.{}();", quoted(&self.function))
    }

    /// Runs the handler once on no events, and takes back whatever it did.
    pub(super) fn try_on_no_events(
        &self,
        connection: &Connection,
        module: &Module,
        handler: &Handler,
    ) -> Result<(), LoadError> {
        let run = format!(
            "SAVEPOINT trial; SET LOCAL etl.stage = 0; SELECT pg_temp.{}();
             ROLLBACK TO SAVEPOINT trial; RELEASE SAVEPOINT trial",
            quoted(&self.function)
        );
        match connection.run("trying a handler on no events", connection.client.batch_execute(&run)) {
            Err(LoadError::Postgres { problem, error, .. }) if error.as_db_error().is_some() => {
                let mut diagnostic = match self.statement_of(&error) {
                    Some(statement) => self.script.diagnostic(self.first_word(statement), problem),
                    None => module.at_handler(handler, problem),
                };
                diagnostic.help = help_of(&error);
                Err(LoadError::Invalid(vec![diagnostic]))
            }
            other => other,
        }
    }

    /// `handlers/message_sent.sql:12`, where the error says that it is of this handler.
    pub(super) fn place(&self, error: &tokio_postgres::Error) -> Option<String> {
        let statement = self.statement_of(error)?;
        let line = 1 + self.script.text[..statement.start].matches('\n').count();
        Some(format!("{}:{line}", self.script.path.display()))
    }

    /// The statement that the function was at, by the context of the error.
    fn statement_of(&self, error: &tokio_postgres::Error) -> Option<Range<usize>> {
        let line = line_of(&self.function, error.as_db_error()?.where_()?)?;
        // The first line of the function is BEGIN.
        statements(&self.script.text).into_iter().nth(line.checked_sub(2)?)
    }

    fn first_word(&self, statement: Range<usize>) -> Range<usize> {
        let text = &self.script.text[statement.clone()];
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        statement.start..statement.start + end.max(1)
    }
}

/// The line that one of our temporary functions was at: `PL/pgSQL function pg_temp_3.on_message_sent() line 2 at EXECUTE`,
/// in the language of the server's messages. Of a longer name that only ends in the function's nothing is taken.
fn line_of(function: &str, context: &str) -> Option<usize> {
    [format!(".{function}()"), format!(".{}()", quoted(function))].iter().find_map(|call| {
        context.match_indices(call.as_str()).find_map(|(at, _)| {
            let schema = context[..at].trim_end_matches(|c: char| c.is_ascii_digit());
            let behind = context[at + call.len()..].lines().next().filter(|_| schema.ends_with("pg_temp_"))?;
            let digits = behind.trim_start_matches(|c: char| !c.is_ascii_digit());
            let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
            digits[..end].parse().ok()
        })
    })
}

/// What to do about an error on no events.
fn help_of(error: &tokio_postgres::Error) -> Option<String> {
    let db = error.as_db_error()?;
    let ends =
        *db.code() == tokio_postgres::error::SqlState::FEATURE_NOT_SUPPORTED && db.message().contains("transaction");
    match ends {
        true => Some("leave BEGIN and COMMIT out: handlers run within a transaction of the loader".to_string()),
        false => db.hint().map(String::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_that_of_the_function_itself() {
        let context = "SQL statement \"SELECT 1\"\nPL/pgSQL function pg_temp_3.on_conversation_message_sent() line 2 at EXECUTE\n\
                       SQL statement \"SELECT pg_temp.on_conversation_message_sent()\"\nPL/pgSQL function pg_temp_3.etl_walk(integer[],integer[]) line 12 at PERFORM";
        assert_eq!(line_of("on_conversation_message_sent", context), Some(2));
        assert_eq!(line_of("on_message_sent", context), None);
        // A function of the module's, and a name in quotes.
        assert_eq!(line_of("on_sent", "PL/pgSQL function app.on_sent() line 7 at RAISE"), None);
        assert_eq!(line_of("on_Sent", "PL/pgSQL function pg_temp_14.\"on_Sent\"() line 7 at RAISE"), Some(7));
        assert_eq!(line_of("on_sent", "PL/pgSQL-Funktion pg_temp_3.on_sent() Zeile 12 bei EXECUTE"), Some(12));
    }
}
