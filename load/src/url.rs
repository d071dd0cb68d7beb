//! What the URLs of all servers have in common: `user@host:port/path?settings`. A password in one is refused, so that no
//! URL is a secret, and no part of a URL that could hold one stands in an error.

use etl_schemas::percent;

use crate::LoadError;

/// Beside which a password stands, instead of within the URL.
pub(crate) const PASSWORD_HELP: &str = "give it as `password = \"${VARIABLE}\"` beside the URL";

/// The URL can't be used.
pub(crate) fn refuse<T>(problem: impl Into<String>, help: impl Into<String>) -> Result<T, LoadError> {
    Err(LoadError::Target { problem: problem.into(), help: help.into() })
}

/// A URL behind its scheme, taken apart.
pub(crate) struct Parts<'a> {
    pub(crate) user: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Behind the first `/`, as it is written.
    pub(crate) path: &'a str,
    /// Behind the `?`: key and value of each, as they are written.
    pub(crate) settings: Vec<(&'a str, &'a str)>,
}

impl<'a> Parts<'a> {
    /// `form` shows how such a URL is written, `port` is that of a URL without one.
    pub(crate) fn of(rest: &'a str, port: u16, form: &str) -> Result<Parts<'a>, LoadError> {
        // The last `@`, so that a password that holds one can't pass for a host and be shown as such.
        let Some((user, rest)) = rest.rsplit_once('@') else {
            return refuse("the target's URL names no user", form);
        };
        if user.contains(':') {
            return refuse("the target's URL holds a password", PASSWORD_HELP);
        }
        let (rest, settings) = rest.split_once('?').unwrap_or((rest, ""));
        let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = split_port(address, port, form)?;
        let (user, host) = (decoded(user, form)?, decoded(host, form)?);
        if user.is_empty() || host.is_empty() {
            return refuse("the target's URL names no user or no host", form);
        }
        let settings = settings.split('&').filter(|setting| !setting.is_empty());
        let settings = settings.map(|setting| setting.split_once('=').unwrap_or((setting, ""))).collect();
        Ok(Parts { user, host, port, path, settings })
    }
}

/// Percent-decoded.
pub(crate) fn decoded(text: &str, form: &str) -> Result<String, LoadError> {
    match percent::decoded(text) {
        Some(text) => Ok(text),
        None => refuse("the target's URL has a `%` that isn't followed by two hexadecimal digits", form),
    }
}

/// `host`, `host:port` or `[address]:port`; `form` shows how the URL is written.
fn split_port<'a>(address: &'a str, default: u16, form: &str) -> Result<(&'a str, u16), LoadError> {
    let (host, port) = match address.strip_prefix('[') {
        Some(inner) => match inner.split_once(']') {
            Some((host, "")) => (host, None),
            Some((host, after)) => (host, after.strip_prefix(':').or(Some(""))),
            None => return refuse("the target's URL has a `[` that is never closed", form),
        },
        None => match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    match port.map(str::parse) {
        None => Ok((host, default)),
        Some(Ok(port @ 1..)) => Ok((host, port)),
        Some(_) => refuse("the target's port is no number from 1 to 65535", form),
    }
}
