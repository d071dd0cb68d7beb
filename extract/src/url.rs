//! Where the source is: `mssql://user@host:1433/database?encrypt=required`.
//!
//! In: the URL as written in `etl.toml` or on the command line. Out: a [`SourceUrl`], or an error that says what would
//! be right. A password in the URL is refused, and no error repeats a part of the URL that could hold one: only the
//! names of parameters are repeated, never their values.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use etl_schemas::diagnostic::did_you_mean;
use thiserror::Error;

/// How much of the conversation with the server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// TDS 8.0: TLS before anything else. SQL Server 2022 and later.
    Strict,
    /// Everything, or no connection.
    Required,
    /// The login only; rows travel in the clear.
    Login,
    /// Nothing, not even the password.
    Off,
}

/// A source as its URL names it. The password stands elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceUrl {
    /// The SQL login.
    pub user: String,
    /// Host name or address; an IPv6 address without its brackets.
    pub host: String,
    /// TCP port, 1433 unless told.
    pub port: u16,
    /// The database.
    pub database: String,
    /// `encrypt`
    pub encryption: Encryption,
    /// `trust_server_certificate`: take any certificate, so that nobody between is noticed.
    pub trust_server_certificate: bool,
    /// `certificate_authority`: a PEM or DER file with the authority that signed the server's certificate.
    pub certificate_authority: Option<PathBuf>,
    /// `host_name_in_certificate`, when it isn't the host.
    pub host_name_in_certificate: Option<String>,
    /// `application_intent=readonly`: an availability group may answer from a secondary.
    pub read_only: bool,
    /// `application_name`, which the server's own lists of sessions show.
    pub application_name: String,
    /// `packet_size` in bytes, 512 to 32767. The server may choose a smaller one.
    pub packet_size: u32,
    /// `connect_timeout`: how long the TCP connection may take.
    pub connect_timeout: Duration,
    /// `silence_timeout`: how long the server may send nothing while an answer is awaited.
    pub silence_timeout: Duration,
}

/// Why a URL can't be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UrlError {
    /// Another scheme, or none.
    #[error("a source's URL begins with `mssql://`, as in {EXAMPLE}")]
    Scheme,
    /// A password stands in it.
    #[error(
        "the URL holds a password, and URLs end up in logs and shell histories; take it out and write \
         `password = \"${{ETL_SOURCE_PASSWORD}}\"` under [source]"
    )]
    Password,
    /// A part is missing.
    #[error("the URL names no {0}; it reads like {EXAMPLE}")]
    Missing(&'static str),
    /// The port is no number.
    #[error("the URL's port isn't a number from 1 to 65535")]
    Port,
    /// `host\instance`.
    #[error("the URL names an instance; name its port instead, which `sys.dm_tcp_listener_states` shows")]
    Instance,
    /// `%` that isn't followed by two hexadecimal digits, or bytes that are no UTF-8.
    #[error("{0} isn't percent-encoded rightly: write a `%` itself as %25")]
    Encoding(&'static str),
    /// A parameter that doesn't exist.
    #[error("unknown parameter `{name}` in the URL: {help}")]
    Parameter {
        /// Its name.
        name: String,
        /// The nearest known one.
        help: String,
    },
    /// A parameter's value can't be.
    #[error("`{name}` in the URL takes {expected}")]
    Value {
        /// The parameter.
        name: &'static str,
        /// What it takes.
        expected: &'static str,
    },
}

const EXAMPLE: &str = "mssql://user@host:1433/database?encrypt=required";

const PARAMETERS: [&str; 9] = [
    "encrypt",
    "trust_server_certificate",
    "certificate_authority",
    "host_name_in_certificate",
    "application_intent",
    "application_name",
    "packet_size",
    "connect_timeout",
    "silence_timeout",
];

/// Names under which people put a password into a query string.
const PASSWORD_NAMES: [&str; 3] = ["password", "pwd", "passwd"];

impl FromStr for SourceUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<SourceUrl, UrlError> {
        let rest = text.trim().strip_prefix("mssql://").ok_or(UrlError::Scheme)?;
        let (location, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = location.split_once('/').unwrap_or((location, ""));
        let (user, address) = authority.rsplit_once('@').unwrap_or(("", authority));
        if user.contains(':') {
            return Err(UrlError::Password);
        }
        let (host, port) = host_and_port(address)?;
        let mut url = SourceUrl {
            user: decoded(user, "the user")?,
            host,
            port,
            database: decoded(database.trim_end_matches('/'), "the database")?,
            encryption: Encryption::Required,
            trust_server_certificate: false,
            certificate_authority: None,
            host_name_in_certificate: None,
            read_only: false,
            application_name: "etl".to_string(),
            packet_size: 32_767,
            connect_timeout: Duration::from_secs(4),
            silence_timeout: Duration::from_secs(120),
        };
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            url.set(name, &decoded(value, "a parameter of the URL")?)?;
        }
        url.complete()
    }
}

impl SourceUrl {
    fn set(&mut self, name: &str, value: &str) -> Result<(), UrlError> {
        match name.to_ascii_lowercase().as_str() {
            "encrypt" => self.encryption = encryption(value)?,
            "trust_server_certificate" => {
                self.trust_server_certificate = truth("trust_server_certificate", value)?;
            }
            "certificate_authority" => self.certificate_authority = Some(PathBuf::from(value)),
            "host_name_in_certificate" => self.host_name_in_certificate = Some(value.to_string()),
            "application_intent" => self.read_only = intent(value)?,
            "application_name" => self.application_name = value.to_string(),
            "packet_size" => self.packet_size = packet_size(value)?,
            "connect_timeout" => self.connect_timeout = seconds("connect_timeout", value)?,
            "silence_timeout" => self.silence_timeout = seconds("silence_timeout", value)?,
            password if PASSWORD_NAMES.contains(&password) => return Err(UrlError::Password),
            _ => return Err(unknown(name)),
        }
        Ok(())
    }

    /// What can only be checked once every part is read.
    fn complete(self) -> Result<SourceUrl, UrlError> {
        if self.user.is_empty() {
            return Err(UrlError::Missing("user"));
        }
        if self.database.is_empty() {
            return Err(UrlError::Missing("database"));
        }
        if self.trust_server_certificate && self.certificate_authority.is_some() {
            return Err(UrlError::Value {
                name: "certificate_authority",
                expected: "a file only where trust_server_certificate isn't set: either the certificate is checked or not",
            });
        }
        Ok(self)
    }

    /// `host:port`, as messages name the server.
    pub fn address(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

/// The URL without its parameters: enough to know which source is meant.
impl fmt::Display for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mssql://{}@{}/{}", encoded(&self.user), self.address(), encoded(&self.database))
    }
}

fn host_and_port(address: &str) -> Result<(String, u16), UrlError> {
    let (host, port) = match address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, after)) => (host, after.strip_prefix(':')),
        None => match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    let port = match port {
        None => 1433,
        Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or(UrlError::Port)?,
    };
    let host = decoded(host, "the host")?;
    if host.contains('\\') {
        return Err(UrlError::Instance);
    }
    match host.is_empty() {
        true => Err(UrlError::Missing("host")),
        false => Ok((host, port)),
    }
}

fn encryption(value: &str) -> Result<Encryption, UrlError> {
    match value.to_ascii_lowercase().as_str() {
        "strict" => Ok(Encryption::Strict),
        "required" => Ok(Encryption::Required),
        "login" => Ok(Encryption::Login),
        "off" => Ok(Encryption::Off),
        _ => Err(UrlError::Value { name: "encrypt", expected: "strict, required, login or off" }),
    }
}

fn intent(value: &str) -> Result<bool, UrlError> {
    match value.to_ascii_lowercase().as_str() {
        "readonly" => Ok(true),
        "readwrite" => Ok(false),
        _ => Err(UrlError::Value { name: "application_intent", expected: "readonly or readwrite" }),
    }
}

fn truth(name: &'static str, value: &str) -> Result<bool, UrlError> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "yes" => Ok(true),
        "false" | "no" => Ok(false),
        _ => Err(UrlError::Value { name, expected: "true or false" }),
    }
}

fn packet_size(value: &str) -> Result<u32, UrlError> {
    let size = value.parse().ok().filter(|size| (512..=32_767).contains(size));
    size.ok_or(UrlError::Value { name: "packet_size", expected: "bytes from 512 to 32767" })
}

fn seconds(name: &'static str, value: &str) -> Result<Duration, UrlError> {
    let seconds = value.parse().ok().filter(|seconds| (1..=86_400).contains(seconds));
    seconds.map(Duration::from_secs).ok_or(UrlError::Value { name, expected: "seconds from 1 to 86400" })
}

/// Only a name that could be one is repeated: a password with an unencoded `?` would stand in its place.
fn unknown(name: &str) -> UrlError {
    let plain = name.len() <= 40 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let name = if plain { name.to_string() } else { "...".to_string() };
    UrlError::Parameter { help: did_you_mean(&name, PARAMETERS), name }
}

/// Percent-decoded; RFC 3986, section 2.1.
fn decoded(text: &str, what: &'static str) -> Result<String, UrlError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, after @ ..] = rest else { return Err(UrlError::Encoding(what)) };
        let digit = |byte: &u8| char::from(*byte).to_digit(16).ok_or(UrlError::Encoding(what));
        bytes.push((digit(high)? * 16 + digit(low)?) as u8);
        rest = after;
    }
    String::from_utf8(bytes).map_err(|_| UrlError::Encoding(what))
}

fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            true => encoded.push(char::from(byte)),
            false => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<SourceUrl, UrlError> {
        text.parse()
    }

    #[test]
    fn a_plain_url_has_safe_defaults() {
        let url = parse("mssql://reader@db.example.se/Happy%20Pancake").unwrap();
        assert_eq!((url.user.as_str(), url.host.as_str(), url.port), ("reader", "db.example.se", 1433));
        assert_eq!(url.database, "Happy Pancake");
        assert_eq!(url.encryption, Encryption::Required);
        assert!(!url.trust_server_certificate && !url.read_only);
        assert_eq!(url.to_string(), "mssql://reader@db.example.se:1433/Happy%20Pancake");
    }

    #[test]
    fn every_parameter_is_read() {
        let url = parse(
            "mssql://dom%5Cme@[::1]:5000/d?encrypt=login&host_name_in_certificate=h&certificate_authority=%2Fca.pem\
             &application_intent=ReadOnly&application_name=a%26b&packet_size=512&connect_timeout=9&silence_timeout=7",
        )
        .unwrap();
        assert_eq!((url.user.as_str(), url.address().as_str()), ("dom\\me", "[::1]:5000"));
        assert_eq!(url.encryption, Encryption::Login);
        assert_eq!(url.certificate_authority, Some(PathBuf::from("/ca.pem")));
        assert_eq!(url.host_name_in_certificate.as_deref(), Some("h"));
        assert!(url.read_only);
        assert_eq!((url.application_name.as_str(), url.packet_size), ("a&b", 512));
        assert_eq!((url.connect_timeout.as_secs(), url.silence_timeout.as_secs()), (9, 7));
    }

    #[test]
    fn an_unknown_parameter_names_the_nearest_one() {
        let error = parse("mssql://u@h/d?encript=off").unwrap_err().to_string();
        assert_eq!(error, "unknown parameter `encript` in the URL: did you mean `encrypt`?");
    }

    #[test]
    fn no_error_shows_a_secret() {
        let secrets = [
            "mssql://u:S3cret@h/d",
            "mssql://u:S3c/S3cret@h/d",
            "mssql://u:S3c?S3cret@h/d",
            "mssql://u:S3cret%zz@h/d",
            "mssql://u@h/d?password=S3cret",
            "mssql://u@h/d?Pwd=S3cret",
            "mssql://u@h:S3cret/d",
            "mssql://u@h/d?encrypt=S3cret",
            "postgres://u:S3cret@h/d",
        ];
        for text in secrets {
            let error = parse(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("S3c"), "{text}: {error}");
        }
        assert_eq!(parse(secrets[0]), Err(UrlError::Password));
        assert_eq!(parse(secrets[4]), Err(UrlError::Password));
    }

    #[test]
    fn missing_and_wrong_parts_are_named() {
        assert_eq!(parse("mssql://h/d"), Err(UrlError::Missing("user")));
        assert_eq!(parse("mssql://u@h"), Err(UrlError::Missing("database")));
        assert_eq!(parse("mssql://u@/d"), Err(UrlError::Missing("host")));
        assert_eq!(parse("mssql://u@h:0/d"), Err(UrlError::Port));
        assert_eq!(parse("mssql://u@h%5CSQLEXPRESS/d"), Err(UrlError::Instance));
        assert_eq!(parse("mssql://u@h/d%f"), Err(UrlError::Encoding("the database")));
        let both = parse("mssql://u@h/d?trust_server_certificate=yes&certificate_authority=a");
        assert!(matches!(both, Err(UrlError::Value { name: "certificate_authority", .. })));
    }
}
