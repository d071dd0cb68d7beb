//! Before the first row: the catalog, the plan, and the ranges of large tables.
//!
//! In: a source and what to read of it. Out: [`Prepared`]. What keeps a run from its work as a whole shows here.

use etl_schemas::project::Tables;
use secrecy::SecretString;

use super::backoff::Backoff;
use super::options::Gentleness;
use crate::catalog::{self, ServerInfo};
use crate::connect::connect;
use crate::error::{Action, ExtractError, SourceError};
use crate::plan::ranges::{self, PartSize, parts_wanted};
use crate::plan::{Plan, TablePlan};
use crate::report::SourceLoad;
use crate::row_source::tiberius::Tiberius;
use crate::url::SourceUrl;

/// A source, and how to treat it.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) url: &'a SourceUrl,
    pub(super) password: Option<&'a SecretString>,
    pub(super) gentleness: Gentleness,
}

/// All that a run needs to know.
pub(super) struct Prepared {
    pub(super) server: ServerInfo,
    pub(super) plan: Plan,
    /// The queries that were needed to find ranges.
    pub(super) load: SourceLoad,
}

impl Source<'_> {
    pub(super) async fn connect(self) -> Result<Tiberius, SourceError> {
        let lock_timeout = self.gentleness.longest_query;
        Ok(Tiberius::new(connect(self.url, self.password, lock_timeout).await?))
    }

    pub(super) async fn catalog(self) -> Result<catalog::SourceCatalog, ExtractError> {
        let mut client = connect(self.url, self.password, self.gentleness.longest_query).await?;
        catalog::read(self.url, &mut client).await
    }

    /// Plans; takes the ranges of an earlier plan where it has them.
    pub(super) async fn prepare(
        self,
        tables: &Tables,
        part_size: PartSize,
        earlier: Option<&str>,
    ) -> Result<Prepared, ExtractError> {
        let catalog = self.catalog().await?;
        let server = catalog.server.clone();
        let mut plan = Plan::new(self.url, catalog, tables)?;
        let mut load = SourceLoad::default();
        let mut connection = None;
        for place in plan.take_over(earlier) {
            let table = &mut plan.tables[place];
            let wanted = parts_wanted(table, part_size);
            if wanted > 1 {
                self.cut(&mut connection, table, wanted, &mut load).await.map_err(|source| ExtractError::Ranges {
                    url: Box::new(self.url.clone()),
                    table: table.name().clone(),
                    source: Box::new(source),
                })?;
            }
        }
        Ok(Prepared { server, plan, load })
    }

    /// Finds a table's parts; what passes by itself is tried again.
    async fn cut(
        self,
        connection: &mut Option<Tiberius>,
        table: &mut TablePlan,
        wanted: u64,
        load: &mut SourceLoad,
    ) -> Result<(), SourceError> {
        let mut backoff = Backoff::default();
        loop {
            let error = match self.try_to_cut(connection, table, wanted, load).await {
                // A key that can't be sent back can't be an end either: the table stays in one part.
                Ok(()) | Err(SourceError::InexactKey) => return Ok(()),
                Err(error) => error,
            };
            match (error.action(), backoff.next()) {
                (Action::Retry, Some(pause)) => tokio::time::sleep(pause).await,
                _ => return Err(error),
            }
            load.retries += 1;
        }
    }

    async fn try_to_cut(
        self,
        connection: &mut Option<Tiberius>,
        table: &mut TablePlan,
        wanted: u64,
        load: &mut SourceLoad,
    ) -> Result<(), SourceError> {
        let mut source = match connection.take() {
            Some(source) => source,
            None => self.connect().await?,
        };
        table.parts = ranges::find(&mut source, table, wanted, &mut || load.queries += 1).await?;
        *connection = Some(source);
        Ok(())
    }
}
