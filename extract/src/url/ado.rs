//! Connection strings as ADO.NET and ODBC write them: `Server=tcp:host,1433;Database=shop;User ID=reader;Encrypt=true`.
//!
//! Keywords are Microsoft's, with their synonyms; Microsoft Learn, "SqlConnection.ConnectionString". What concerns only a
//! pool or a driver that isn't ours is passed over; what would change the meaning and isn't known is refused.

use super::{Authentication, DEFAULT_PORT, PASSWORD_NAMES, SourceUrl, UrlError, truth, unknown};

/// Keywords that are taken, for the nearest to a wrong one.
pub(super) const KEYWORDS: [&str; 12] = [
    "server",
    "database",
    "user id",
    "integrated security",
    "encrypt",
    "trustservercertificate",
    "hostnameincertificate",
    "servercertificate",
    "applicationintent",
    "application name",
    "packet size",
    "connect timeout",
];

/// Keywords that mean nothing here.
const PASSED_OVER: [&str; 14] = [
    "multipleactiveresultsets",
    "multisubnetfailover",
    "persist security info",
    "persistsecurityinfo",
    "pooling",
    "min pool size",
    "max pool size",
    "load balance timeout",
    "connectretrycount",
    "connectretryinterval",
    "workstation id",
    "wsid",
    "driver",
    "provider",
];

/// The whole string.
pub(super) fn parse(text: &str) -> Result<SourceUrl, UrlError> {
    if !text.contains('=') {
        return Err(UrlError::Scheme);
    }
    // A URL of another scheme has `=` only in its parameters, behind `://`.
    if text.split('=').next().is_some_and(|first| first.contains("://")) {
        return Err(UrlError::Scheme);
    }
    let mut url = SourceUrl::unnamed();
    let mut rest = text;
    while let Some((keyword, value, after)) = next_pair(rest)? {
        set(&mut url, keyword, &value)?;
        rest = after;
    }
    url.complete()
}

/// The next keyword and its value. A value may stand in quotes, which are doubled within, or in braces.
fn next_pair(text: &str) -> Result<Option<(&str, String, &str)>, UrlError> {
    let text = text.trim_start_matches([';', ' ', '\t', '\n']);
    if text.is_empty() {
        return Ok(None);
    }
    let (keyword, rest) = text.split_once('=').ok_or(UrlError::Scheme)?;
    let (keyword, rest) = (keyword.trim(), rest.trim_start());
    let close = match rest.chars().next() {
        Some(quote @ ('"' | '\'')) => quote,
        Some('{') => '}',
        _ => {
            let (value, after) = rest.split_once(';').unwrap_or((rest, ""));
            return Ok(Some((keyword, value.trim().to_string(), after)));
        }
    };
    let mut value = String::new();
    let mut rest = &rest[1..];
    loop {
        let (before, after) = rest.split_once(close).ok_or(UrlError::Quote)?;
        value.push_str(before);
        match after.strip_prefix(close) {
            None => return Ok(Some((keyword, value, after))),
            Some(after) => {
                value.push(close);
                rest = after;
            }
        }
    }
}

fn set(url: &mut SourceUrl, keyword: &str, value: &str) -> Result<(), UrlError> {
    match keyword.to_ascii_lowercase().as_str() {
        "server" | "data source" | "address" | "addr" | "network address" => server(url, value),
        "database" | "initial catalog" => {
            url.database = value.to_string();
            Ok(())
        }
        "user id" | "uid" | "user" | "username" => {
            url.user = value.to_string();
            Ok(())
        }
        "integrated security" | "trusted_connection" => {
            if value.eq_ignore_ascii_case("sspi") || truth("integrated security", value)? {
                url.authentication = Authentication::Integrated;
            }
            Ok(())
        }
        "encrypt" => url.set("encrypt", encryption(value)),
        "trustservercertificate" | "trust server certificate" => url.set("trust_server_certificate", value),
        "hostnameincertificate" | "host name in certificate" => url.set("host_name_in_certificate", value),
        "servercertificate" | "server certificate" => url.set("certificate_authority", value),
        "applicationintent" | "application intent" => url.set("application_intent", value),
        "application name" | "app" => url.set("application_name", value),
        "packet size" => url.set("packet_size", value),
        "connect timeout" | "connection timeout" | "timeout" => url.set("connect_timeout", value),
        password if PASSWORD_NAMES.contains(&password) => Err(UrlError::Password),
        other if PASSED_OVER.contains(&other) => Ok(()),
        _ => Err(unknown(keyword, &KEYWORDS)),
    }
}

/// `tcp:host\instance,port`; `.` and `(local)` are this machine.
fn server(url: &mut SourceUrl, value: &str) -> Result<(), UrlError> {
    let value = value.strip_prefix("tcp:").unwrap_or(value);
    let (host, port) = match value.split_once(',') {
        Some((host, port)) => (host.trim(), Some(port.trim())),
        None => (value, None),
    };
    url.port = DEFAULT_PORT;
    url.set_host(host, port)?;
    if [".", "(local)"].contains(&url.host.as_str()) {
        url.host = "localhost".to_string();
    }
    Ok(())
}

/// ADO's words in ours. `false` still encrypts the login where the server can, as Microsoft's clients do.
fn encryption(value: &str) -> &str {
    match value.to_ascii_lowercase().as_str() {
        "true" | "yes" | "mandatory" => "required",
        "false" | "no" | "optional" => "login",
        _ => value,
    }
}
