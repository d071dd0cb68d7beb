//! A server for databases that live for a moment: the one that is named, or one that is started for them.

use anyhow::Context;
use etl_fixtures::postgres::PrivatePostgres;
use etl_load::postgres::PostgresTarget;
use etl_schemas::project::Project;

use super::target;

/// A server with the right to create databases on it.
pub(super) struct Server {
    pub(super) target: PostgresTarget,
    /// Ends with the value.
    _private: Option<PrivatePostgres>,
}

impl Server {
    /// The server that `on` names, as a URL or as a target of the project; without it, a private one from the
    /// machine's own Postgres, which vanishes with the value.
    pub(super) fn open(project: &Project, on: Option<&str>) -> anyhow::Result<Server> {
        if let Some(on) = on {
            return Server::named(project, on);
        }
        let private = PrivatePostgres::temporary()
            .context("start a Postgres for the use cases; or name a running one with --on")?;
        let target = PostgresTarget::parse(&private.url(), None)?;
        Ok(Server { target, _private: Some(private) })
    }

    /// The server that `--on` names.
    pub(super) fn named(project: &Project, on: &str) -> anyhow::Result<Server> {
        let (target, _) = target::postgres(project, "--on", on)?;
        Ok(Server { target, _private: None })
    }
}
