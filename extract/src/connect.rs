//! Connections to SQL Server: TCP, TLS, login, and the session's settings, by either client.
//!
//! In: a [`SourceUrl`], its password, and the client to use. Out: a [`Connection`] that is ready to read, or a
//! [`ConnectError`] that says in one line what is wrong and what to look at. Nothing here shows the password. An answer
//! that never comes ends in an error: TCP and login have deadlines of their own, and behind them a watchdog looks at the
//! socket.

mod choice;
#[cfg(feature = "mssql-tds")]
mod mssql_tds;
mod silence;
#[cfg(feature = "tiberius")]
mod tiberius;

use std::io;
use std::time::Duration;

use etl_schemas::project::SourceClient;
use secrecy::SecretString;
use thiserror::Error;

use crate::error::{SourceError, is_transient};
use crate::row_source::{Connection, RowSource};
use crate::url::{Encryption, SourceUrl};
pub use choice::Client;
pub(crate) use silence::Silence;
#[cfg(feature = "tiberius")]
pub(crate) use tiberius::TiberiusClient;

/// How long prelogin, TLS and login may take together.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(15);

/// What every session is set to.
///
/// The reader is the one to lose a deadlock. How long it waits for a lock is set beside. Text and binary values come whole. The
/// others are what SQL Server demands for reading computed columns and for the methods of xml and spatial types.
const SETTINGS: &str = "SET DEADLOCK_PRIORITY LOW; SET TEXTSIZE 2147483647; \
    SET ANSI_NULLS ON; SET ANSI_PADDING ON; SET ANSI_WARNINGS ON; SET ARITHABORT ON; \
    SET CONCAT_NULL_YIELDS_NULL ON; SET QUOTED_IDENTIFIER ON; SET NUMERIC_ROUNDABORT OFF; \
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED";

/// Why there is no connection.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// Nobody answers.
    #[error("{address} can't be reached: {source}; check host and port, and that the server listens on TCP there")]
    Unreachable {
        /// Host and port.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The server refuses the login.
    #[error(
        "login failed for user '{user}' at {address}; the server says: {reason} Check the user in the URL, `password` \
         under [source], and that the server allows SQL logins"
    )]
    Login {
        /// Host and port.
        address: String,
        /// Who wanted in.
        user: String,
        /// The server's own words.
        reason: String,
    },
    /// The database doesn't exist, or this login may not enter.
    #[error("database '{database}' at {address} can't be opened by user '{user}': {reason}")]
    Database {
        /// Host and port.
        address: String,
        /// The database.
        database: String,
        /// Who wanted in.
        user: String,
        /// The server's own words.
        reason: String,
    },
    /// Client and server don't agree on encryption, or the certificate isn't trusted.
    #[error("no encrypted connection to {address}: {reason}; {help}")]
    Encryption {
        /// Host and port.
        address: String,
        /// What TLS said.
        reason: String,
        /// The way out.
        help: &'static str,
    },
    /// The server was reached, but the login was cut short; it may work in a moment.
    #[error("{address} broke off the login: {reason}")]
    Interrupted {
        /// Host and port.
        address: String,
        /// Why.
        reason: String,
    },
    /// What listens there isn't a SQL Server, or refuses us for a reason of its own.
    #[error("{address} can't be used: {reason}; check that a SQL Server listens there")]
    Refused {
        /// Host and port.
        address: String,
        /// Why.
        reason: String,
    },
    /// The project asks for a client that this build or this URL can't use.
    #[error("{client} can't be used: {reason}; take `client = \"auto\"` under [source], or no --client")]
    Client {
        /// The one asked for.
        client: SourceClient,
        /// Why.
        reason: String,
    },
}

/// Connects, logs in and sets the session up. A query that waits for a lock longer than `lock_timeout` ends with error
/// 1222.
pub(crate) async fn connect(
    url: &SourceUrl,
    password: Option<&SecretString>,
    client: Client,
    lock_timeout: Duration,
) -> Result<Connection, ConnectError> {
    let mut connection = match client {
        #[cfg(feature = "tiberius")]
        Client::Tiberius => tiberius::log_in(url, password).await?,
        #[cfg(feature = "mssql-tds")]
        Client::MssqlTds => mssql_tds::log_in(url, password).await?,
    };
    // Zero would be no wait at all.
    let milliseconds = lock_timeout.as_millis().clamp(1, i32::MAX as u128);
    let settings = format!("{SETTINGS}; SET LOCK_TIMEOUT {milliseconds}");
    match connection.ask(&settings).await {
        Ok(_) => Ok(connection),
        Err(SourceError::Server { number, message, .. }) => Err(refusal(url, number, message)),
        Err(SourceError::Lost { message }) => Err(interrupted(url, message)),
        Err(error) => Err(ConnectError::Refused { address: url.address(), reason: error.to_string() }),
    }
}

/// As [`connect`], with the client that the project asks for. Left to choose, it takes the cheaper one that build and
/// URL allow, and the other one where a server doesn't get on with that. Says which one it became.
pub(crate) async fn connect_by_choice(
    url: &SourceUrl,
    password: Option<&SecretString>,
    wanted: SourceClient,
    lock_timeout: Duration,
) -> Result<(Connection, Client), ConnectError> {
    let mut clients = choice::clients(url, wanted)?.into_iter();
    let mut client = clients.next().expect("a choice has a client at least");
    loop {
        let error = match connect(url, password, client, lock_timeout).await {
            Ok(connection) => return Ok((connection, client)),
            Err(error) => error,
        };
        match (choice::may_be_the_clients_fault(&error), clients.next()) {
            (true, Some(other)) => {
                tracing::info!(%client, %other, %error, "the server is asked by the other client");
                client = other;
            }
            _ => return Err(error),
        }
    }
}

/// Words for a server that doesn't let us in. SQL Server's numbers: 18456 and its neighbours refuse the login, 4060 and
/// 916 the database.
fn refusal(url: &SourceUrl, number: u32, reason: String) -> ConnectError {
    let (address, user) = (url.address(), url.user.clone());
    match number {
        18456 | 18452 | 18470 | 18486..=18488 => ConnectError::Login { address, user, reason },
        4060 | 4063 | 4064 | 916 => ConnectError::Database { address, database: url.database.clone(), user, reason },
        number if is_transient(number) => ConnectError::Interrupted { address, reason },
        _ => ConnectError::Refused { address, reason },
    }
}

fn interrupted(url: &SourceUrl, reason: String) -> ConnectError {
    ConnectError::Interrupted { address: url.address(), reason }
}

fn unreachable(url: &SourceUrl, source: io::Error) -> ConnectError {
    ConnectError::Unreachable { address: url.address(), source }
}

fn unencrypted(url: &SourceUrl, reason: String) -> ConnectError {
    ConnectError::Encryption { address: url.address(), reason, help: encryption_help(url) }
}

fn encryption_help(url: &SourceUrl) -> &'static str {
    match url.encryption {
        Encryption::Off => "the server wants encryption: take encrypt=off out of the URL",
        _ if url.trust_server_certificate => {
            "where the server has no TLS, or only one from before TLS 1.2, encrypt=off in the URL does without; \
             the password then travels in the clear"
        }
        _ => {
            "name the authority that signed its certificate as certificate_authority=<file> in the URL, or take any \
             certificate with trust_server_certificate=true; a server without TLS needs encrypt=off"
        }
    }
}
