//! `[targets.<name>]`: where events go, and modules that lie on a server of their own.
//!
//! ```toml
//! [targets.staging]
//! url = "${ETL_STAGING_URL}"
//! password = "${ETL_STAGING_PASSWORD}"
//!
//! [targets.staging.modules.chat]      # chat alone lies elsewhere
//! url = "${ETL_CHAT_URL}"
//! password = "${ETL_CHAT_PASSWORD}"
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_spanned::Spanned;

use super::{QueueKind, Setting};
use crate::diagnostic::{Diagnostic, did_you_mean};

/// Where events go.
#[derive(Clone, Debug)]
pub struct Target {
    /// Of all modules that have none of their own.
    pub server: Server,
    /// Of modules that lie elsewhere, by the module's name.
    pub modules: BTreeMap<String, Server>,
    /// Put before each module's name to make its database's, so that environments share a server: `staging_`.
    pub database_prefix: String,
    /// What kind of queue a module gets that says none itself.
    pub queue: QueueKind,
}

/// A server or a broker, and how to be let in.
#[derive(Clone, Debug)]
pub struct Server {
    /// `postgres://user@host:port`, without a database: each module has its own; or `amqp://user@host:port/virtual-host`.
    pub url: Setting,
    /// The password, most often `${...}`. One server is never told that of another.
    pub password: Option<Setting>,
}

impl Target {
    /// What is wrong with the names of its modules, when the project has these.
    pub fn unknown_modules(&self, known: &[&str]) -> Vec<Diagnostic> {
        let unknown = self.modules.iter().filter(|(name, _)| !known.contains(&name.as_str()));
        let told = |(name, server): (&String, &Server)| {
            let help = did_you_mean(name, known.iter().copied());
            *server.url.diagnostic(format!("this is a server for module `{name}`, and there is no such module"), help)
        };
        unknown.map(told).collect()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileTarget {
    url: Spanned<String>,
    password: Option<Spanned<String>>,
    #[serde(default)]
    database_prefix: String,
    queue: Option<Spanned<String>>,
    #[serde(default)]
    modules: BTreeMap<String, FileServer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileServer {
    url: Spanned<String>,
    password: Option<Spanned<String>>,
}

impl FileTarget {
    pub(super) fn checked(&self, path: &Path, text: &str) -> Result<Target, Box<Diagnostic>> {
        let server = |url: &Spanned<String>, password: &Option<Spanned<String>>| {
            let password = password.as_ref().map(|value| Setting::secret(path, text, "password", value)).transpose()?;
            Ok::<_, Box<Diagnostic>>(Server { url: Setting::new(path, text, url)?, password })
        };
        let of_module = |(name, own): (&String, &FileServer)| Ok((name.clone(), server(&own.url, &own.password)?));
        let queue = self.queue.as_ref().map(|kind| QueueKind::checked(path, text, kind)).transpose()?;
        Ok(Target {
            server: server(&self.url, &self.password)?,
            modules: self.modules.iter().map(of_module).collect::<Result<_, Box<Diagnostic>>>()?,
            database_prefix: self.database_prefix.clone(),
            queue: queue.unwrap_or_default(),
        })
    }
}
