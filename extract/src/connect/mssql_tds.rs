//! Logging in by way of Microsoft's `mssql-tds` client.
//!
//! It opens the socket itself and follows redirects. It tries once: when to try again is ours to say.

use std::io;

use mssql_tds::connection::client_context::ClientContext;
use mssql_tds::connection_provider::tds_connection_provider::TdsConnectionProvider;
use mssql_tds::core::{EncryptionOptions, EncryptionSetting};
use mssql_tds::error::Error;
use mssql_tds::message::login_options::ApplicationIntent;
use secrecy::{ExposeSecret, SecretString};

use super::{ConnectError, LOGIN_TIMEOUT, Silence, interrupted, refusal, unencrypted, unreachable};
use crate::row_source::Connection;
use crate::row_source::mssql_tds::MssqlTds;
use crate::url::{Encryption, SourceUrl};

/// Connects and logs in.
pub(super) async fn log_in(url: &SourceUrl, password: Option<&SecretString>) -> Result<Connection, ConnectError> {
    // A comma before the port means TCP, and leaves an IPv6 address whole.
    let address = format!("{},{}", url.host, url.port);
    let context = context(url, password, &address);
    let mut silence = Silence::new(url.silence_timeout);
    let provider = TdsConnectionProvider::new();
    let login = provider.create_client(context, &address, None);
    let logged_in = silence.watch(login).await.map_err(|silent| interrupted(url, silent.into_io().to_string()))?;
    let client = logged_in.map_err(|error| explain(url, error))?;
    Ok(Connection::MssqlTds(Box::new(MssqlTds::new(client, silence))))
}

fn context(url: &SourceUrl, password: Option<&SecretString>, address: &str) -> ClientContext {
    let mut context = ClientContext::with_data_source(address);
    context.user_name = url.user.clone();
    context.password = password.map_or("", |password| password.expose_secret()).to_string();
    context.database = url.database.clone();
    context.application_name = url.application_name.clone();
    context.packet_size = u16::try_from(url.packet_size).unwrap_or(u16::MAX / 2);
    if url.read_only {
        context.application_intent = ApplicationIntent::ReadOnly;
    }
    context.encryption_options = EncryptionOptions {
        mode: match url.encryption {
            Encryption::Strict => EncryptionSetting::Strict,
            Encryption::Required => EncryptionSetting::Required,
            // Nothing need be encrypted. Where the server likes to, the login is.
            Encryption::Login | Encryption::Off => EncryptionSetting::PreferOff,
        },
        trust_server_certificate: url.trust_server_certificate || url.encryption == Encryption::Off,
        host_name_in_cert: url.host_name_in_certificate.clone(),
        server_certificate: None,
    };
    let connect_timeout = url.connect_timeout.as_secs();
    context.connect_timeout = u32::try_from(connect_timeout).unwrap_or(u32::MAX);
    context.login_timeout = u32::try_from(connect_timeout + LOGIN_TIMEOUT.as_secs()).ok();
    // A session that broke isn't mended behind our back: what was under way would be read twice.
    context.connect_retry_count = 0;
    // One address after the other, rather than a connection to each at once.
    context.multi_subnet_failover = Some(false);
    context
}

/// Words for a login that failed.
fn explain(url: &SourceUrl, error: Error) -> ConnectError {
    let reason = error.to_string();
    match error {
        Error::SqlServerError { diagnostics } => match diagnostics.errors.into_iter().next() {
            Some(first) => refusal(url, first.number, first.message),
            None => ConnectError::Refused { address: url.address(), reason },
        },
        Error::TlsError(_) | Error::TlsHandshakeError { .. } => unencrypted(url, reason),
        Error::ProtocolError(reason) if reason.contains("encryption") => unencrypted(url, reason),
        Error::Io(error) if is_unreachable(&error) => unreachable(url, error),
        Error::ConnectionError(reason) => unreachable(url, io::Error::other(reason)),
        Error::Io(_) | Error::ConnectionClosed(_) | Error::TimeoutError(_) => interrupted(url, reason),
        _ => ConnectError::Refused { address: url.address(), reason },
    }
}

fn is_unreachable(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    let kinds = [K::ConnectionRefused, K::HostUnreachable, K::NetworkUnreachable, K::TimedOut, K::NotFound];
    kinds.contains(&error.kind())
}
