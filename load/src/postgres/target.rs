//! The server of a target: `postgres://user@host:port`, without a database, because each module has its own.
//!
//! In: a URL and, apart from it, a password. Out: a [`PostgresTarget`]. A password within the URL is refused, so that no
//! URL is a secret, and no part of a URL that could hold one stands in an error.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use etl_schemas::diagnostic::did_you_mean;
use secrecy::SecretString;

use crate::LoadError;
use crate::url::{PASSWORD_HELP, Parts, refuse};

const PORT: u16 = 5432;
const FORM: &str = "write postgres://user@host:port";

/// A server to load into. Its `Display` is the URL; neither it nor `Debug` shows the password.
#[derive(Clone, Debug)]
pub struct PostgresTarget {
    pub(super) user: String,
    /// A name, an address, or a folder with a Unix socket.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) password: Option<SecretString>,
    /// Shared with all that this target is handed to.
    answered: Arc<AtomicBool>,
}

impl PostgresTarget {
    /// Parses a URL. A host that begins with `/` (written as `%2F`) is a folder with a Unix socket.
    pub fn parse(url: &str, password: Option<SecretString>) -> Result<PostgresTarget, LoadError> {
        let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"));
        let Some(rest) = rest else { return refuse("the target's URL doesn't begin with `postgres://`", FORM) };
        let Parts { user, host, port, path: database, settings } = Parts::of(rest, PORT, FORM)?;
        if !database.is_empty() {
            return refuse("the target's URL names a database", "leave it out: each module has a database of its own");
        }
        settings.into_iter().try_for_each(check_setting)?;
        Ok(PostgresTarget { user, host, port, password, answered: Arc::default() })
    }

    /// Somebody was let in.
    pub(super) fn has_let_in(&self) {
        self.answered.store(true, Ordering::Relaxed);
    }

    /// Whether anybody was ever let in: URL and password are right, so faults from then on may pass.
    pub(super) fn has_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }
}

impl fmt::Display for PostgresTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PostgresTarget { user, host, port, .. } = self;
        match host.contains(':') {
            true => write!(f, "postgres://{user}@[{host}]:{port}"),
            false => write!(f, "postgres://{user}@{host}:{port}"),
        }
    }
}

fn check_setting((key, value): (&str, &str)) -> Result<(), LoadError> {
    match (key, value) {
        ("sslmode", "disable") => Ok(()),
        ("sslmode", "allow" | "prefer" | "require" | "verify-ca" | "verify-full") => refuse(
            format!("sslmode={value} isn't supported yet: connections to Postgres are not encrypted"),
            "write sslmode=disable, and go through a tunnel where the network isn't trusted",
        ),
        ("sslmode", _) => refuse("this `sslmode` isn't known", "sslmode=disable is supported"),
        ("password", _) => refuse("the target's URL holds a password", PASSWORD_HELP),
        _ => refuse(format!("the target's URL has an unknown setting `{key}`"), did_you_mean(key, ["sslmode"])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> String {
        match PostgresTarget::parse(url, None) {
            Ok(target) => target.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn urls_are_read() {
        assert_eq!(parsed("postgres://etl@db.example"), "postgres://etl@db.example:5432");
        assert_eq!(parsed("postgresql://a%40b@[::1]:6432/?sslmode=disable"), "postgres://a@b@[::1]:6432");
        assert_eq!(parsed("postgres://etl@%2Fvar%2Frun:1"), "postgres://etl@/var/run:1");
    }

    #[test]
    fn a_refused_url_never_shows_a_secret() {
        for url in [
            "postgres://etl:s3cret@h",
            "postgres://etl:s3/cr@et@h:1",
            "postgres://etl@h?password=s3cret",
            "postgres://etl@h:s3cret",
            "s3cret",
            "postgres://s3cret",
        ] {
            let shown = parsed(url);
            assert!(!shown.contains("s3"), "{shown}");
            assert!(shown.contains("write") || shown.contains("beside the URL"), "{shown}");
        }
    }

    #[test]
    fn what_cannot_be_done_yet_is_said() {
        assert!(parsed("postgres://u@h?sslmode=require").contains("sslmode=require isn't supported yet"));
        assert!(parsed("postgres://u@h/chat").contains("names a database"));
        assert!(parsed("postgres://u@h?sslmod=disable").contains("did you mean `sslmode`?"));
        assert!(parsed("postgres://u@h:0").contains("1 to 65535"));
        assert!(parsed("postgres://u@[::1").contains("never closed"));
        assert!(parsed("postgres://u%@h").contains("hexadecimal"));
    }
}
