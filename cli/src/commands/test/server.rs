//! The server on which use cases run: the one that is named, or one that is started for them.

use anyhow::Context;
use etl_fixtures::postgres::PrivatePostgres;
use etl_load::postgres::PostgresTarget;
use etl_schemas::project::Project;

use super::super::seed::Target;

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
        let Some(on) = on else {
            let private = PrivatePostgres::temporary()
                .context("start a Postgres for the use cases; or name a running one with --on")?;
            let target = PostgresTarget::parse(&private.url(), None)?;
            return Ok(Server { target, _private: Some(private) });
        };
        let (target, _) = Target::parse(project, on)?.postgres(&format!("--on {on}"))?;
        Ok(Server { target, _private: None })
    }
}
