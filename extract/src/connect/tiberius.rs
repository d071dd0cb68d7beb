//! Logging in by way of the `tiberius` client.

use std::fs::File;
use std::io;

use secrecy::{ExposeSecret, SecretString};
use tiberius::error::Error;
use tiberius::{AuthMethod, Config, EncryptionLevel};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use super::{ConnectError, LOGIN_TIMEOUT, Silence, interrupted, refusal, unencrypted, unreachable};
use crate::row_source::Connection;
use crate::row_source::tiberius::Tiberius;
use crate::url::{Authentication, Encryption, SourceUrl};

/// A connection that is logged in.
pub(crate) type TiberiusClient = tiberius::Client<Compat<TcpStream>>;

/// Azure SQL sends a client on to where the database is, once or twice.
const REDIRECTS_MAX: usize = 3;

enum Answer {
    Connected(Box<Tiberius>),
    Elsewhere { host: String, port: u16 },
}

/// Connects and logs in.
pub(super) async fn log_in(url: &SourceUrl, password: Option<&SecretString>) -> Result<Connection, ConnectError> {
    let mut target = url.clone();
    for _ in 0..REDIRECTS_MAX {
        match try_to_log_in(&target, password).await? {
            Answer::Connected(client) => return Ok(Connection::Tiberius(client)),
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

async fn try_to_log_in(url: &SourceUrl, password: Option<&SecretString>) -> Result<Answer, ConnectError> {
    check_authority(url)?;
    let stream = match timeout(url.connect_timeout, TcpStream::connect((url.host.as_str(), url.port))).await {
        Ok(connected) => connected.map_err(|error| unreachable(url, error))?,
        Err(_) => {
            let reason = format!("no answer within {} s", url.connect_timeout.as_secs());
            return Err(unreachable(url, io::Error::new(io::ErrorKind::TimedOut, reason)));
        }
    };
    stream.set_nodelay(true).map_err(|error| unreachable(url, error))?;
    let mut silence = Silence::new(url.silence_timeout);
    let login = tiberius::Client::connect(config(url, password), stream.compat_write());
    let logged_in = silence.watch(login).await.map_err(|silent| interrupted(url, silent.into_io().to_string()))?;
    match logged_in {
        Ok(client) => Ok(Answer::Connected(Box::new(Tiberius::new(client, silence)))),
        Err(Error::Routing { host, port }) => Ok(Answer::Elsewhere { host, port }),
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
    let secret = password.map_or("", |password| password.expose_secret());
    config.authentication(match url.authentication {
        Authentication::SqlLogin => AuthMethod::sql_server(&url.user, secret),
        Authentication::AccessToken => AuthMethod::aad_token(secret),
        #[cfg(feature = "integrated")]
        Authentication::Integrated => AuthMethod::Integrated,
        // The choice of the client has refused it.
        #[cfg(not(feature = "integrated"))]
        Authentication::Integrated => AuthMethod::None,
    });
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

/// Words for a login that failed.
fn explain(url: &SourceUrl, error: Error) -> ConnectError {
    let (address, reason) = (url.address(), error.to_string());
    match error {
        Error::Server(token) => refusal(url, token.code(), token.message().to_string()),
        Error::Tls(reason) => unencrypted(url, reason),
        Error::Protocol(reason) if reason.contains("encryption level") => unencrypted(url, reason.into_owned()),
        Error::Io { message, .. } => ConnectError::Interrupted { address, reason: message },
        _ => ConnectError::Refused { address, reason },
    }
}
