//! The broker of a target: `amqp://user@host:port/virtual-host`, or `amqps://` for TLS.
//!
//! In: a URL and, apart from it, a password. Out: a [`RabbitTarget`]. A password within the URL is refused, so that no URL
//! is a secret, and no part of a URL that could hold one stands in an error.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use etl_schemas::diagnostic::did_you_mean;
use etl_schemas::percent;
use secrecy::SecretString;

use crate::LoadError;
use crate::url::{PASSWORD_HELP, Parts, decoded, refuse};

const PORT: u16 = 5672;
const TLS_PORT: u16 = 5671;
const FORM: &str = "write amqp://user@host:port/virtual-host";

/// A broker and a virtual host on it. Its `Display` is the URL; neither it nor `Debug` shows the password.
#[derive(Clone, Debug)]
pub struct RabbitTarget {
    pub(super) tls: bool,
    pub(super) user: String,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) virtual_host: String,
    pub(super) password: Option<SecretString>,
    /// Certificates that the broker's own must be signed by, as PEM; the system's when there is none.
    pub(super) certificates: Option<PathBuf>,
    /// Without an answer for so long, a broker that doesn't block counts as broken.
    pub(super) answer_time_max: Duration,
}

/// The broker itself gives up on most of what it is asked after seconds.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);

/// Whether a text is meant to be such a URL.
pub(crate) fn is_url(text: &str) -> bool {
    text.starts_with("amqp://") || text.starts_with("amqps://")
}

impl RabbitTarget {
    /// The same, but a broker that doesn't block counts as broken without an answer for so long; usually a minute.
    pub fn answering_within(self, answer_time_max: Duration) -> RabbitTarget {
        RabbitTarget { answer_time_max, ..self }
    }

    /// Whether a text is meant to be such a URL.
    pub fn is_url(text: &str) -> bool {
        is_url(text)
    }

    /// Parses a URL. Without a virtual host it is `/`; one that holds a `/` is written with `%2F`.
    /// `?cacertfile=PATH` names the certificates that are trusted.
    ///
    /// # Errors
    /// What is wrong with the URL, and how it is written.
    pub fn parse(url: &str, password: Option<SecretString>) -> Result<RabbitTarget, LoadError> {
        let (tls, rest) = match (url.strip_prefix("amqp://"), url.strip_prefix("amqps://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return refuse("the target's URL begins neither with `amqp://` nor with `amqps://`", FORM),
        };
        let Parts { user, host, port, path, settings } = Parts::of(rest, if tls { TLS_PORT } else { PORT }, FORM)?;
        if path.contains('/') {
            return refuse("the target's URL has a `/` in its virtual host", "write it as `%2F`");
        }
        let virtual_host = if path.is_empty() { "/".to_string() } else { decoded(path, FORM)? };
        let certificates = certificates(&settings, tls)?;
        Ok(RabbitTarget {
            tls,
            user,
            host,
            port,
            virtual_host,
            password,
            certificates,
            answer_time_max: ANSWER_TIME_MAX,
        })
    }
}

fn certificates(settings: &[(&str, &str)], tls: bool) -> Result<Option<PathBuf>, LoadError> {
    let mut certificates = None;
    for (key, value) in settings {
        match (*key, decoded(value, FORM)?) {
            ("cacertfile", path) if tls && !path.is_empty() => certificates = Some(PathBuf::from(path)),
            ("cacertfile", _) if !tls => {
                return refuse("`cacertfile` is for encrypted connections", "write amqps://, or leave it out");
            }
            ("cacertfile", _) => return refuse("`cacertfile` names no file", "write cacertfile=/path/to/ca.pem"),
            ("password", _) => return refuse("the target's URL holds a password", PASSWORD_HELP),
            (key, _) => {
                let problem = format!("the target's URL has an unknown setting `{key}`");
                return refuse(problem, did_you_mean(key, ["cacertfile"]));
            }
        }
    }
    Ok(certificates)
}

impl fmt::Display for RabbitTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RabbitTarget { tls, user, host, port, virtual_host, .. } = self;
        let scheme = if *tls { "amqps" } else { "amqp" };
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let (user, virtual_host) = (percent::encoded(user), percent::encoded(virtual_host));
        write!(f, "{scheme}://{user}@{host}:{port}/{virtual_host}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> String {
        match RabbitTarget::parse(url, None) {
            Ok(target) => target.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn urls_are_read() {
        assert_eq!(parsed("amqp://etl@mq.example"), "amqp://etl@mq.example:5672/%2F");
        assert_eq!(parsed("amqps://a%40b@[::1]/live"), "amqps://a%40b@[::1]:5671/live");
        assert_eq!(parsed("amqps://etl@h:1/x%2Fy?cacertfile=/ca.pem"), "amqps://etl@h:1/x%2Fy");
        assert_eq!(parsed("amqp://etl@h/tv%C3%A5%20100%25"), "amqp://etl@h:5672/tv%C3%A5%20100%25");
    }

    #[test]
    fn a_refused_url_never_shows_a_secret() {
        for url in
            ["amqp://etl:s3cret@h", "amqp://etl:s3/cr@et@h:1", "amqp://etl@h?password=s3cret", "amqp://etl@h:s3c"]
        {
            let shown = parsed(url);
            assert!(!shown.contains("s3"), "{shown}");
            assert!(shown.contains("write") || shown.contains("beside the URL"), "{shown}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert!(parsed("amqp://u@h/a/b").contains("`%2F`"));
        assert!(parsed("amqp://u@h?cacertfile=x").contains("amqps://"));
        assert!(parsed("amqps://u@h?cacertfil=x").contains("did you mean `cacertfile`?"));
        assert!(parsed("amqp://u@h:0").contains("1 to 65535"));
    }
}
