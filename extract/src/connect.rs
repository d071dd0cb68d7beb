//! Connections to SQL Server: TCP, TLS, login, and the session's settings.
//!
//! In: a [`SourceUrl`] and its password. Out: a client that is ready to read, or a [`ConnectError`] that says in one
//! line what is wrong and what to look at. Nothing here shows the password. An answer that never comes ends in an error:
//! TCP and login have deadlines of their own, and behind them a watchdog looks at the socket.

mod watched;

use std::fs::File;
use std::io;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use tiberius::{AuthMethod, Client, Config, EncryptionLevel};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use crate::error::is_transient;
use crate::url::{Encryption, SourceUrl};
use watched::Watched;

/// A connection that is logged in.
pub(crate) type TdsClient = Client<Compat<Watched>>;

/// How long prelogin, TLS and login may take together.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(15);

/// Azure SQL sends a client on to where the database is, once or twice.
const REDIRECTS_MAX: usize = 3;

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
}

/// Connects, logs in and sets the session up. A query that waits for a lock longer than `lock_timeout` ends with error
/// 1222.
pub(crate) async fn connect(
    url: &SourceUrl,
    password: Option<&SecretString>,
    lock_timeout: Duration,
) -> Result<TdsClient, ConnectError> {
    let mut target = url.clone();
    for _ in 0..REDIRECTS_MAX {
        match login(&target, password).await? {
            Answer::Connected(mut client) => {
                set_up(&mut client, lock_timeout).await.map_err(|error| explain(&target, error))?;
                return Ok(*client);
            }
            Answer::Elsewhere { host, port } => {
                // The certificate is that of the host asked for, not of the node it stands on.
                target.host_name_in_certificate.get_or_insert_with(|| url.host.clone());
                (target.host, target.port) = (host, port);
            }
        }
    }
    let reason = "it sends the client from one server to the next".to_string();
    Err(ConnectError::Refused { address: url.address(), reason })
}

enum Answer {
    Connected(Box<TdsClient>),
    Elsewhere { host: String, port: u16 },
}

async fn login(url: &SourceUrl, password: Option<&SecretString>) -> Result<Answer, ConnectError> {
    check_authority(url)?;
    let unreachable = |source| ConnectError::Unreachable { address: url.address(), source };
    let stream = match timeout(url.connect_timeout, TcpStream::connect((url.host.as_str(), url.port))).await {
        Ok(connected) => connected.map_err(unreachable)?,
        Err(_) => {
            let reason = format!("no answer within {} s", url.connect_timeout.as_secs());
            return Err(unreachable(io::Error::new(io::ErrorKind::TimedOut, reason)));
        }
    };
    stream.set_nodelay(true).map_err(unreachable)?;
    let stream = Watched::new(stream, url.silence_timeout);
    match Client::connect(config(url, password), stream.compat_write()).await {
        Ok(client) => Ok(Answer::Connected(Box::new(client))),
        Err(tiberius::error::Error::Routing { host, port }) => Ok(Answer::Elsewhere { host, port }),
        Err(error) => Err(explain(url, error)),
    }
}

/// The client would name a missing file only as a broken connection.
fn check_authority(url: &SourceUrl) -> Result<(), ConnectError> {
    let Some(file) = &url.certificate_authority else { return Ok(()) };
    match File::open(file) {
        Ok(_) => Ok(()),
        Err(error) => Err(ConnectError::Encryption {
            address: url.address(),
            reason: format!("{}: {error}", file.display()),
            help: "name a file that can be read as certificate_authority in the URL",
        }),
    }
}

fn config(url: &SourceUrl, password: Option<&SecretString>) -> Config {
    let mut config = Config::new();
    config.host(&url.host);
    config.port(url.port);
    config.database(&url.database);
    config.application_name(&url.application_name);
    config.packet_size(url.packet_size);
    config.readonly(url.read_only);
    let password = password.map_or("", |password| password.expose_secret());
    config.authentication(AuthMethod::sql_server(&url.user, password));
    config.encryption(match url.encryption {
        Encryption::Strict => EncryptionLevel::Strict,
        Encryption::Required => EncryptionLevel::Required,
        Encryption::Login => EncryptionLevel::Off,
        Encryption::Off => EncryptionLevel::NotSupported,
    });
    if url.trust_server_certificate {
        config.trust_cert();
    } else if let Some(authority) = &url.certificate_authority {
        config.trust_cert_ca(authority.display());
    }
    if let Some(name) = &url.host_name_in_certificate {
        config.hostname_in_certificate(name);
    }
    config.handshake_timeout(Some(LOGIN_TIMEOUT));
    // A query may run for hours; what must not happen is silence, and that is the watchdog's.
    config.command_timeout(None);
    // Legacy text holds halves of surrogate pairs. They are replaced and counted, for strictness would lose the rows.
    config.lossy_utf16_decoding(true);
    config
}

async fn set_up(client: &mut TdsClient, lock_timeout: Duration) -> tiberius::Result<()> {
    // Zero would be no wait at all.
    let milliseconds = lock_timeout.as_millis().clamp(1, i32::MAX as u128);
    let settings = format!("{SETTINGS}; SET LOCK_TIMEOUT {milliseconds}");
    client.simple_query(settings).await?.into_results().await.map(drop)
}

/// Words for a login that failed. SQL Server's numbers: 18456 and its neighbours refuse the login, 4060 and 916 the
/// database.
fn explain(url: &SourceUrl, error: tiberius::error::Error) -> ConnectError {
    use tiberius::error::Error;
    let address = url.address();
    let (user, reason) = (url.user.clone(), error.to_string());
    match error {
        Error::Server(token) => {
            let reason = token.message().to_string();
            match token.code() {
                18456 | 18452 | 18470 | 18486..=18488 => ConnectError::Login { address, user, reason },
                4060 | 4063 | 4064 | 916 => {
                    ConnectError::Database { address, database: url.database.clone(), user, reason }
                }
                number if is_transient(number) => ConnectError::Interrupted { address, reason },
                _ => ConnectError::Refused { address, reason },
            }
        }
        Error::Tls(reason) => ConnectError::Encryption { address, reason, help: encryption_help(url) },
        Error::Protocol(reason) if reason.contains("encryption level") => {
            ConnectError::Encryption { address, reason: reason.into_owned(), help: encryption_help(url) }
        }
        Error::Io { message, .. } => ConnectError::Interrupted { address, reason: message },
        _ => ConnectError::Refused { address, reason },
    }
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
