//! On which server each module's database lies.
//!
//! In: a target. Out: for a module its server and the name of its database. Settings are read when a module needs them, so
//! variables that only other modules need may be missing. An error says of which module it is and where the URL stands.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fmt;

use anyhow::Context;
use etl_load::LoadError;
use etl_load::module::Module;
use etl_load::postgres::PostgresTarget;
use etl_schemas::project::{self, Setting};
use secrecy::ExposeSecret;

/// The servers of a target's modules.
pub(super) struct Servers {
    /// Put before each module's name to make its database's.
    pub(super) database_prefix: String,
    /// Of modules that have none of their own. Read once, so that all of them know when somebody was let in.
    common: OnceCell<PostgresTarget>,
    /// Where `common` is read from; nothing when it was written out.
    settings: Option<Box<project::Server>>,
    /// From where `common` is known.
    origin: String,
    own: BTreeMap<String, project::Server>,
}

/// The server of a module.
#[derive(Clone, Debug)]
pub(super) struct ModuleServer {
    pub(super) module: String,
    pub(super) target: PostgresTarget,
    /// The module's database.
    pub(super) database: String,
    /// `[targets.staging.modules.chat]`; nothing for who shares the target's server.
    own: Option<String>,
}

impl Servers {
    /// All modules on one server; `origin` is the option that names it.
    pub(super) fn all_on(server: PostgresTarget, origin: String) -> Servers {
        let (common, own) = (OnceCell::from(server), BTreeMap::new());
        Servers { database_prefix: String::new(), common, settings: None, origin, own }
    }

    /// As a target of the project says.
    pub(super) fn of_target(target: &project::Target, name: &str) -> Servers {
        Servers {
            database_prefix: target.database_prefix.clone(),
            common: OnceCell::new(),
            settings: Some(Box::new(target.server.clone())),
            origin: format!("[targets.{name}]"),
            own: target.modules.clone(),
        }
    }

    /// The server of the module with this name.
    pub(super) fn of(&self, module: &str) -> anyhow::Result<ModuleServer> {
        let (target, own) = match self.own.get(module) {
            Some(own) => {
                let origin = format!("{}.modules.{module}]", self.origin.strip_suffix(']').unwrap_or(&self.origin));
                (read(own).with_context(|| origin.clone())?, Some(origin))
            }
            None => (self.common().with_context(|| format!("{}, for module {module}", self.origin))?, None),
        };
        let (module, database) = (module.to_string(), format!("{}{module}", self.database_prefix));
        Ok(ModuleServer { module, target, database, own })
    }

    /// The servers of all these modules, so that what can't be known of one is told before anything is done to another.
    pub(super) fn of_all(&self, modules: &[Module]) -> anyhow::Result<Vec<ModuleServer>> {
        modules.iter().map(|module| self.of(&module.name)).collect()
    }

    fn common(&self) -> anyhow::Result<PostgresTarget> {
        if let (None, Some(settings)) = (self.common.get(), &self.settings) {
            let _ = self.common.set(read(settings)?);
        }
        self.common.get().cloned().context("no server is known")
    }
}

impl ModuleServer {
    /// An error of loading; one of a server of the module's own names the module and where the server's URL stands.
    pub(super) fn failed(&self, error: LoadError) -> anyhow::Error {
        let of_server =
            matches!(error, LoadError::Connect { .. } | LoadError::Database { .. } | LoadError::Postgres { .. });
        let error = anyhow::Error::new(error);
        if self.own.is_some() && of_server { error.context(format!("module {self}")) } else { error }
    }
}

/// The module, with where its server's URL stands if that is a server of its own.
impl fmt::Display for ModuleServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.own {
            Some(origin) => write!(f, "{} ({origin})", self.module),
            None => f.write_str(&self.module),
        }
    }
}

fn read(server: &project::Server) -> anyhow::Result<PostgresTarget> {
    let password = server.password.as_ref().map(Setting::resolve).transpose()?;
    Ok(PostgresTarget::parse(server.url.resolve()?.expose_secret(), password)?)
}
