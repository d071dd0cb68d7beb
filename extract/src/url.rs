//! Where the source is: `mssql://user@host:1433/database?encrypt=required`, or an ADO connection string.
//!
//! In: the text as written in `etl.toml`. Out: a [`SourceUrl`], or an error that says what would be right. A password in
//! it is refused, and no error repeats a part of it that could hold one: only the names of parameters are repeated, never
//! their values.

mod ado;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use etl_schemas::diagnostic::did_you_mean;
use etl_schemas::percent::{self, encoded};
use thiserror::Error;

/// Where SQL Server listens unless told.
const DEFAULT_PORT: u16 = 1433;

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

/// Who the session is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authentication {
    /// A user of SQL Server's own, with a password.
    #[default]
    SqlLogin,
    /// An access token of Microsoft Entra ID (Azure AD), which names its user itself.
    AccessToken,
    /// The user that this process runs as, by Kerberos.
    Integrated,
}

/// A source as its URL names it. The password stands elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceUrl {
    /// Who the session is.
    pub authentication: Authentication,
    /// The SQL login; empty where another kind of authentication names the user.
    pub user: String,
    /// Host name or address; an IPv6 address without its brackets.
    pub host: String,
    /// TCP port, 1433 unless told. An instance's port is asked for when it is connected to.
    pub port: u16,
    /// A named instance, whose port the SQL Server Browser tells.
    pub instance: Option<String>,
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
    #[error(
        "a source's URL begins with `mssql://`, as in {EXAMPLE}; ADO connection strings as in {ADO_EXAMPLE} do as well"
    )]
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
    /// `host\instance` and a port.
    #[error(
        "the URL names an instance and a port: the port is enough, or leave it out and the SQL Server Browser is asked"
    )]
    Instance,
    /// An ADO string that ends within a value.
    #[error("the connection string ends within a quoted value")]
    Quote,
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

const ADO_EXAMPLE: &str = "Server=tcp:host,1433;Database=database;User ID=user;Encrypt=true";
const EXAMPLE: &str = "mssql://user@host:1433/database?encrypt=required";

const PARAMETERS: [&str; 11] = [
    "authentication",
    "instance",
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
        let Some(rest) = text.trim().strip_prefix("mssql://") else {
            return ado::parse(text);
        };
        let (location, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = location.split_once('/').unwrap_or((location, ""));
        let (user, address) = authority.rsplit_once('@').unwrap_or(("", authority));
        if user.contains(':') {
            return Err(UrlError::Password);
        }
        let mut url = SourceUrl {
            user: decoded(user, "the user")?,
            database: decoded(database.trim_end_matches('/'), "the database")?,
            ..SourceUrl::unnamed()
        };
        url.set_address(address)?;
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            url.set(name, &decoded(value, "a parameter of the URL")?)?;
        }
        url.complete()
    }
}

impl SourceUrl {
    /// Safe defaults, without server and database.
    fn unnamed() -> SourceUrl {
        SourceUrl {
            authentication: Authentication::default(),
            user: String::new(),
            host: String::new(),
            port: DEFAULT_PORT,
            instance: None,
            database: String::new(),
            encryption: Encryption::Required,
            trust_server_certificate: false,
            certificate_authority: None,
            host_name_in_certificate: None,
            read_only: false,
            application_name: "etl".to_string(),
            packet_size: 32_767,
            connect_timeout: Duration::from_secs(4),
            silence_timeout: Duration::from_secs(120),
        }
    }

    /// `host`, `host:port`, `[::1]:port`, `host%5Cinstance`.
    fn set_address(&mut self, address: &str) -> Result<(), UrlError> {
        let (host, port) = match address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, after)) => (host, after.strip_prefix(':')),
            None => match address.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (address, None),
            },
        };
        self.set_host(&decoded(host, "the host")?, port)
    }

    fn set_host(&mut self, host: &str, port: Option<&str>) -> Result<(), UrlError> {
        let (host, instance) = match host.split_once('\\') {
            Some((host, instance)) => (host, Some(instance)),
            None => (host, None),
        };
        if instance.is_some() && port.is_some() {
            return Err(UrlError::Instance);
        }
        if let Some(port) = port {
            self.port = port.trim().parse().ok().filter(|port| *port > 0).ok_or(UrlError::Port)?;
        }
        self.instance = instance.filter(|name| !name.is_empty()).map(str::to_string);
        self.host = host.to_string();
        Ok(())
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), UrlError> {
        match name.to_ascii_lowercase().as_str() {
            "authentication" => self.authentication = authentication(value)?,
            "instance" if value.is_empty() => return Err(UrlError::Missing("instance")),
            "instance" => self.instance = Some(value.to_string()),
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
            _ => return Err(unknown(name, &PARAMETERS)),
        }
        Ok(())
    }

    /// What can only be checked once every part is read.
    fn complete(self) -> Result<SourceUrl, UrlError> {
        if self.host.is_empty() {
            return Err(UrlError::Missing("host"));
        }
        if self.user.is_empty() && self.authentication == Authentication::SqlLogin {
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

    /// `host:port` or `host\instance`, as messages name the server.
    pub fn address(&self) -> String {
        if let Some(instance) = &self.instance {
            return format!("{}\\{instance}", self.host);
        }
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

/// The URL without its parameters: enough to know which source is meant.
impl fmt::Display for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.address().replace('\\', "%5C");
        match self.user.is_empty() {
            true => write!(f, "mssql://{address}/{}", encoded(&self.database)),
            false => write!(f, "mssql://{}@{address}/{}", encoded(&self.user), encoded(&self.database)),
        }
    }
}

fn authentication(value: &str) -> Result<Authentication, UrlError> {
    match value.to_ascii_lowercase().as_str() {
        "sql-login" => Ok(Authentication::SqlLogin),
        "access-token" => Ok(Authentication::AccessToken),
        "integrated" => Ok(Authentication::Integrated),
        _ => Err(UrlError::Value { name: "authentication", expected: "sql-login, access-token or integrated" }),
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

/// Percent-decoded, or which part of the URL can't be.
fn decoded(text: &str, what: &'static str) -> Result<String, UrlError> {
    percent::decoded(text).ok_or(UrlError::Encoding(what))
}

/// Only a name that could be one is repeated: a password with an unencoded `?` would stand in its place.
fn unknown(name: &str, known: &[&'static str]) -> UrlError {
    let plain = name.len() <= 40 && name.chars().all(|c| c.is_ascii_alphanumeric() || "_- ".contains(c));
    let name = if plain { name.to_string() } else { "...".to_string() };
    UrlError::Parameter { help: did_you_mean(&name, known.iter().copied()), name }
}

#[cfg(test)]
mod tests;
