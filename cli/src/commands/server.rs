//! Servers for databases that live for a moment: those that are named, or one that is started for them.

use anyhow::Context;
use etl_fixtures::postgres::PrivatePostgres;
use etl_load::postgres::PostgresTarget;
use etl_schemas::project::Project;

use super::servers::Servers;
use super::target;

/// Servers with the right to create databases on them.
pub(super) struct Server {
    pub(super) servers: Servers,
    /// Ends with the value.
    _private: Option<PrivatePostgres>,
}

impl Server {
    /// The servers that `on` names, as a URL or as a target of the project; without it, a private one from the
    /// machine's own Postgres, which vanishes with the value.
    pub(super) fn open(project: &Project, on: Option<&str>) -> anyhow::Result<Server> {
        if let Some(on) = on {
            return Server::named(project, on);
        }
        let private = PrivatePostgres::temporary()
            .context("start a Postgres for the use cases; or name a running one with --on")?;
        let target = PostgresTarget::parse(&private.url(), None)?;
        let servers = Servers::all_on(target, "the private server".to_string());
        Ok(Server { servers, _private: Some(private) })
    }

    /// The servers that `--on` names.
    pub(super) fn named(project: &Project, on: &str) -> anyhow::Result<Server> {
        Ok(Server { servers: target::postgres(project, "--on", on)?, _private: None })
    }
}
