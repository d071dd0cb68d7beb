//! The server of a target: `postgres://user@host:port`, without a database, because each module has its own.
//!
//! In: a URL and, apart from it, a password. Out: a [`PostgresTarget`]. A password within the URL is refused, so that no
//! URL is a secret, and no part of a URL that could hold one stands in an error. So are settings that would leave it open
//! whether a connection is encrypted, or by whom.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use etl_schemas::diagnostic::did_you_mean;
use secrecy::SecretString;

use super::encryption::Encryption;
use crate::LoadError;
use crate::tls::Name;
use crate::url::{PASSWORD_HELP, Parts, decoded, refuse};

const PORT: u16 = 5432;
const FORM: &str = "write postgres://user@host:port";
/// The word of `sslrootcert` for the system's certificates, as libpq has it.
const SYSTEM: &str = "system";

/// A server to load into. Its `Display` is the URL; neither it nor `Debug` shows the password.
#[derive(Clone, Debug)]
pub struct PostgresTarget {
    pub(super) user: String,
    /// A name, an address, or a folder with a Unix socket.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) password: Option<SecretString>,
    /// Plain text when there is none.
    pub(super) encryption: Option<Encryption>,
    /// Shared with all that this target is handed to.
    answered: Arc<AtomicBool>,
}

impl PostgresTarget {
    /// Parses a URL. A host that begins with `/` (written as `%2F`) is a folder with a Unix socket. `?sslmode=verify-full`
    /// encrypts connections and checks the server's certificate, `&sslrootcert=PATH` names the certificates that are
    /// trusted.
    ///
    /// # Errors
    /// What is wrong with the URL, and how it is written.
    pub fn parse(url: &str, password: Option<SecretString>) -> Result<PostgresTarget, LoadError> {
        let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"));
        let Some(rest) = rest else { return refuse("the target's URL doesn't begin with `postgres://`", FORM) };
        let Parts { user, host, port, path: database, settings } = Parts::of(rest, PORT, FORM)?;
        if !database.is_empty() {
            return refuse("the target's URL names a database", "leave it out: each module has a database of its own");
        }
        let encryption = encryption(&settings)?;
        if encryption.is_some() && host.starts_with('/') {
            return refuse("Postgres speaks no TLS over a Unix socket, which no network carries", "leave sslmode out");
        }
        Ok(PostgresTarget { user, host, port, password, encryption, answered: Arc::default() })
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

fn encryption(settings: &[(&str, &str)]) -> Result<Option<Encryption>, LoadError> {
    let (mut mode, mut certificates) = (None, None);
    for (key, value) in settings {
        match (*key, decoded(value, FORM)?) {
            ("sslmode", _) if mode.is_some() => return refuse("`sslmode` is there twice", "leave one of them out"),
            ("sslmode", value) => mode = Some(value),
            ("sslrootcert", path) if path.is_empty() => {
                return refuse("`sslrootcert` names no file", "write sslrootcert=/path/to/ca.pem");
            }
            ("sslrootcert", path) => certificates = Some(path),
            ("password", _) => return refuse("the target's URL holds a password", PASSWORD_HELP),
            (key, _) => {
                let problem = format!("the target's URL has an unknown setting `{key}`");
                return refuse(problem, did_you_mean(key, ["sslmode", "sslrootcert"]));
            }
        }
    }
    let name = mode.map_or(Ok(None), |mode| checked_name(&mode))?;
    if name.is_none() && certificates.is_some() {
        let help = "write sslmode=verify-full beside it, or leave it out";
        return refuse("`sslrootcert` is for encrypted connections, and this one is plain text", help);
    }
    let certificates = certificates.filter(|path| path != SYSTEM).map(PathBuf::from);
    if name == Some(Name::Any) && certificates.is_none() {
        return refuse(
            "sslmode=verify-ca with the system's certificates would take any server for the right one that has a \
             certificate of a public authority",
            "name the authority of yours: sslmode=verify-ca&sslrootcert=/path/to/ca.pem, or write sslmode=verify-full",
        );
    }
    Ok(name.map(|name| Encryption { name, certificates }))
}

/// What of a certificate's name is checked; nothing for plain text.
fn checked_name(mode: &str) -> Result<Option<Name>, LoadError> {
    match mode {
        "disable" => Ok(None),
        "require" | "verify-full" => Ok(Some(Name::Checked)),
        "verify-ca" => Ok(Some(Name::Any)),
        "allow" | "prefer" => refuse(
            format!("sslmode={mode} would go on in plain text, without a word, where the server has no TLS"),
            "write sslmode=verify-full, or sslmode=disable where the network is trusted",
        ),
        _ => refuse("this `sslmode` isn't known", "write sslmode=verify-full, verify-ca, require or disable"),
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
        assert_eq!(parsed("postgres://etl@%2Fvar%2Frun?sslmode=disable"), "postgres://etl@/var/run:5432");
        assert_eq!(parsed("postgres://etl@h?sslmode=verify-full&sslrootcert=/ca.pem"), "postgres://etl@h:5432");
    }

    #[test]
    fn connections_are_encrypted_as_the_url_says() {
        let encrypted = |settings: &str| {
            let target = PostgresTarget::parse(&format!("postgres://etl@h{settings}"), None).unwrap();
            target.encryption.map(|Encryption { name, certificates }| (name, certificates))
        };
        let file = |path: &str| Some(PathBuf::from(path));
        assert_eq!(encrypted(""), None);
        assert_eq!(encrypted("?sslmode=disable"), None);
        assert_eq!(encrypted("?sslmode=require"), Some((Name::Checked, None)));
        assert_eq!(encrypted("?sslmode=verify-full"), Some((Name::Checked, None)));
        assert_eq!(encrypted("?sslmode=verify-full&sslrootcert=system"), Some((Name::Checked, None)));
        assert_eq!(encrypted("?sslrootcert=/a%20b&sslmode=verify-full"), Some((Name::Checked, file("/a b"))));
        assert_eq!(encrypted("?sslmode=verify-ca&sslrootcert=ca.pem"), Some((Name::Any, file("ca.pem"))));
    }

    #[test]
    fn what_would_not_protect_is_refused_with_what_to_write() {
        for (url, expected) in [
            ("postgres://u@h?sslmode=prefer", "plain text, without a word"),
            ("postgres://u@h?sslmode=allow", "write sslmode=verify-full, or sslmode=disable"),
            ("postgres://u@h?sslmode=on", "write sslmode=verify-full, verify-ca, require or disable"),
            ("postgres://u@h?sslmode=verify-full&sslmode=disable", "twice"),
            ("postgres://u@h?sslrootcert=/ca.pem", "write sslmode=verify-full beside it"),
            ("postgres://u@h?sslmode=disable&sslrootcert=/ca.pem", "write sslmode=verify-full beside it"),
            ("postgres://u@h?sslmode=verify-full&sslrootcert=", "names no file"),
            ("postgres://u@h?sslmode=verify-ca", "sslmode=verify-ca&sslrootcert=/path/to/ca.pem"),
            ("postgres://u@h?sslmode=verify-ca&sslrootcert=system", "a public authority"),
            ("postgres://u@%2Frun?sslmode=require", "no TLS over a Unix socket"),
            ("postgres://u@h?sslmode=verify-full&sslrootcert=%2", "hexadecimal"),
        ] {
            let shown = parsed(url);
            assert!(shown.contains(expected), "{shown}");
        }
    }

    #[test]
    fn a_refused_url_never_shows_a_secret() {
        for url in [
            "postgres://etl:s3cret@h",
            "postgres://etl:s3/cr@et@h:1",
            "postgres://etl@h?password=s3cret",
            "postgres://etl@h?sslmode=s3cret",
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
    fn what_is_wrong_is_said() {
        assert!(parsed("postgres://u@h/chat").contains("names a database"));
        assert!(parsed("postgres://u@h?sslmod=disable").contains("did you mean `sslmode`?"));
        assert!(parsed("postgres://u@h?sslrootcet=/ca.pem").contains("did you mean `sslrootcert`?"));
        assert!(parsed("postgres://u@h:0").contains("1 to 65535"));
        assert!(parsed("postgres://u@[::1").contains("never closed"));
        assert!(parsed("postgres://u%@h").contains("hexadecimal"));
    }
}
