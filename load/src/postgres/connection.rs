//! One connection, driven from a thread that blocks.
//!
//! In: a target and a database. Out: [`Connection::run`], which waits for a statement and turns what goes wrong into a
//! [`LoadError`] that says what was being done. Connecting ends within [`CONNECT_TIME_MAX`], whatever the server does.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::TlsStream;
use tokio_postgres::{Client, Config, Error, NoTls, Socket};

use super::generation::{Generation, LIVE};
use super::target::PostgresTarget;
use super::{encryption, failure};
use crate::LoadError;

/// For connecting and logging in.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(4);
/// A peer that vanished without a word is noticed after this long.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Settings of our sessions. Limits that a server may have for its web applications would end a long load; a lock that
/// nobody gives back, or a load that was killed, must not hold us up for ever. A script means the same everywhere: a
/// backslash in quotes is one. Settings that an older server doesn't have are passed over.
const SESSION: &str = "SELECT set_config(s.name, v.value, false) FROM pg_settings s JOIN (VALUES
    ('statement_timeout', '0'), ('idle_in_transaction_session_timeout', '0'), ('idle_session_timeout', '0'),
    ('transaction_timeout', '0'), ('lock_timeout', '10s'), ('client_connection_check_interval', '1s'),
    ('default_transaction_isolation', 'read committed'), ('search_path', 'public'), ('jit', 'off'),
    ('standard_conforming_strings', 'on')
    ) v(name, value) USING (name)";

/// A server process, so that one that we have left behind can be told from any other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Backend {
    pid: i32,
    started: String,
}

pub(super) struct Connection {
    runtime: Runtime,
    pub(super) client: Client,
    database: String,
    /// Where the module's tables and our own are looked for.
    pub(super) generation: Generation,
    /// Why the connection broke, once it has.
    broken: Arc<OnceLock<String>>,
}

impl Connection {
    pub(super) fn open(target: &PostgresTarget, database: &str) -> Result<Connection, LoadError> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| LoadError::Connect {
            server: target.to_string(),
            problem: format!("no connection can be driven: {error}"),
            help: "raise the limit of open files (ulimit -n)".to_string(),
            may_pass: false,
        })?;
        let broken = Arc::new(OnceLock::new());
        let client = runtime.block_on(connect(target, database, broken.clone()))?;
        target.has_let_in();
        let connection = Connection { runtime, client, database: database.to_string(), generation: LIVE, broken };
        connection.run("setting up the session", connection.client.batch_execute(SESSION))?;
        Ok(connection)
    }

    /// Works on another generation from now on.
    pub(super) fn enter(&mut self, generation: Generation) -> Result<(), LoadError> {
        self.generation = generation;
        let path = format!("SET search_path = {}", generation.tables);
        self.run("choosing the schema", self.client.batch_execute(&path))
    }

    /// The schema that is meant by the name in a module's files.
    pub(super) fn schema<'a>(&self, written: &'a str) -> &'a str {
        if written == LIVE.tables { self.generation.tables } else { written }
    }

    /// Settings of the session that hold until it ends.
    pub(super) fn set(&self, settings: &[(&str, String)]) -> Result<(), LoadError> {
        for (name, value) in settings {
            let set = "SELECT set_config($1, $2, false)";
            let set = async { self.client.execute(set, &[name, value]).await };
            self.run("setting up the session", set)?;
        }
        Ok(())
    }

    /// The server process behind the connection.
    pub(super) fn backend(&self) -> Result<Backend, LoadError> {
        let select = "SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()";
        let row = self.run("asking for the server process", self.client.query_one(select, &[]))?;
        Ok(Backend { pid: row.get(0), started: row.get(1) })
    }

    /// Ends a server process of ours that we have lost the connection to: it may not have noticed yet.
    pub(super) fn end(&self, backend: &Backend) -> Result<(), LoadError> {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start::text = $2";
        let end = async { self.client.execute(end, &[&backend.pid, &backend.started]).await };
        self.run("ending the session that was cut off", end).map(|_| ())
    }

    /// Waits for a statement. `doing` says what it is for, as in "copying into `message`".
    pub(super) fn run<T>(
        &self,
        doing: &str,
        statement: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, LoadError> {
        self.runtime.block_on(statement).map_err(|error| self.failure(doing, error))
    }

    /// Rolls back whatever is open. A connection that can't even do that has been rolled back by the server.
    pub(super) fn roll_back(&self) {
        if let Err(error) = self.runtime.block_on(self.client.batch_execute("ROLLBACK")) {
            tracing::debug!(database = self.database, error = failure::described(&error), "rollback failed");
        }
    }

    pub(super) fn database(&self) -> &str {
        &self.database
    }

    fn failure(&self, doing: &str, error: Error) -> LoadError {
        let problem = match self.broken.get() {
            Some(reason) if error.is_closed() => format!("the connection broke: {reason}"),
            _ => failure::described(&error),
        };
        LoadError::Postgres {
            database: self.database.clone(),
            doing: doing.to_string(),
            problem,
            help: failure::help(&error).to_string(),
            error: Box::new(error),
        }
    }
}

async fn connect(target: &PostgresTarget, database: &str, broken: Arc<OnceLock<String>>) -> Result<Client, LoadError> {
    let (config, tls) = (config(target, database), encryption::encrypting(target)?);
    let failed = |problem: String, help: String, may_pass: bool| LoadError::Connect {
        server: target.to_string(),
        problem,
        help,
        may_pass,
    };
    let connecting = async {
        Ok(match tls {
            Some(tls) => driven(config.connect(tls).await?, broken),
            None => driven(config.connect(NoTls).await?, broken),
        })
    };
    match tokio::time::timeout(CONNECT_TIME_MAX, connecting).await {
        Ok(Ok(client)) => Ok(client),
        Ok(Err(error)) => {
            let (problem, help, may_pass) = failure::connecting(&error, target, database);
            Err(failed(problem, help, may_pass))
        }
        Err(_) => {
            let problem = format!("no answer within {} seconds", CONNECT_TIME_MAX.as_secs());
            let help = "is the host right, no firewall between, and the server not overloaded?";
            Err(failed(problem, help.to_string(), true))
        }
    }
}

/// Drives a connection until it ends; `broken` then knows why.
fn driven<T: TlsStream + Send + Unpin + 'static>(
    (client, connection): (Client, tokio_postgres::Connection<Socket, T>),
    broken: Arc<OnceLock<String>>,
) -> Client {
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            let _ = broken.set(failure::described(&error));
        }
    });
    client
}

fn config(target: &PostgresTarget, database: &str) -> Config {
    let mut config = Config::new();
    config.host(&target.host).port(target.port).user(&target.user).dbname(database).application_name("etl");
    config.keepalives_idle(SILENCE_MAX / 2).tcp_user_timeout(SILENCE_MAX);
    // Nothing between: an encrypted connection or an error, as the URL says.
    config.ssl_mode(if target.encryption.is_some() { SslMode::Require } else { SslMode::Disable });
    if let Some(password) = &target.password {
        config.password(password.expose_secret());
    }
    config
}
