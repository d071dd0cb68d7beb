//! Before the first row: the catalog, the plan, and the ranges of large tables.
//!
//! In: what to read, and what an unfinished dump was begun with. Out: [`Prepared`]. What keeps a run from its work as a
//! whole shows here.

use super::backoff::Backoff;
use super::options::Extract;
use super::source::Source;
use crate::begun::Begun;
use crate::catalog::ServerInfo;
use crate::error::{Action, ExtractError, SourceError};
use crate::plan::ranges::{self, parts_wanted};
use crate::plan::{Plan, TablePlan};
use crate::progress::Progress;
use crate::report::SourceLoad;
use crate::row_source::Connection;

/// All that a run needs to know.
pub(super) struct Prepared {
    pub(super) source: Source,
    pub(super) server: ServerInfo,
    pub(super) plan: Plan,
    /// The queries that were needed to find ranges.
    pub(super) load: SourceLoad,
    /// Whether a database snapshot was made for it just now.
    pub(super) made_snapshot: bool,
}

/// Plans, and changes nothing at the source. The ranges of an earlier plan are taken over where it has them.
pub(super) async fn survey(options: &Extract, earlier: Option<&str>) -> Result<Prepared, ExtractError> {
    let mut source = options.source();
    let catalog = source.catalog().await?;
    let server = catalog.server.clone();
    source.used = Some(server.client);
    let begun = Begun::now(&server, &catalog.tables, None);
    let plan = Plan::new(&source.url, catalog, options, begun)?;
    let mut prepared = Prepared { source, server, plan, load: SourceLoad::default(), made_snapshot: false };
    prepared.find_ranges(options, earlier).await?;
    Ok(prepared)
}

/// As [`survey`], with the database snapshot from which all is read, where one is wanted.
pub(super) async fn prepare(
    options: &Extract,
    earlier: Option<&str>,
    progress: &dyn Progress,
) -> Result<Prepared, ExtractError> {
    let mut source = options.source();
    // What can't be read is found out before the source has to bear a snapshot.
    let live = source.catalog().await?;
    let mut server = live.server.clone();
    source.used = Some(server.client);
    let earlier_begun = earlier.and_then(Begun::read);
    let now = Begun::now(&server, &live.tables, None);
    let tables = live.tables.clone();
    let plan = Plan::new(&source.url, live, options, earlier_begun.clone().unwrap_or(now))?;
    let (source, made_snapshot) = source.with_snapshot(&server, earlier_begun.as_ref(), progress).await?;
    let plan = match source.snapshot() {
        None => plan,
        Some(snapshot) => {
            let snapshot = Some(snapshot.to_string());
            let catalog = source.catalog().await?;
            server.clock = catalog.server.clock;
            let begun = earlier_begun.unwrap_or_else(|| Begun::now(&server, &tables, snapshot));
            Plan::new(&source.url, catalog, options, begun)?
        }
    };
    let mut prepared = Prepared { source, server, plan, load: SourceLoad::default(), made_snapshot };
    prepared.find_ranges(options, earlier).await?;
    Ok(prepared)
}

impl Prepared {
    async fn find_ranges(&mut self, options: &Extract, earlier: Option<&str>) -> Result<(), ExtractError> {
        let mut connection = None;
        for place in self.plan.take_over(earlier) {
            let table = &mut self.plan.tables[place];
            let wanted = match options.consistency.reads_tables_whole() {
                true => 1,
                false => parts_wanted(table, options.part_size),
            };
            if wanted > 1 {
                cut(&self.source, &mut connection, table, wanted, &mut self.load).await.map_err(|source| {
                    let url = Box::new(options.url.clone());
                    ExtractError::Ranges { url, table: table.name().clone(), source: Box::new(source) }
                })?;
            }
        }
        Ok(())
    }
}

/// Finds a table's parts; what passes by itself is tried again.
async fn cut(
    source: &Source,
    connection: &mut Option<Connection>,
    table: &mut TablePlan,
    wanted: u64,
    load: &mut SourceLoad,
) -> Result<(), SourceError> {
    let mut backoff = Backoff::default();
    loop {
        let error = match try_to_cut(source, connection, table, wanted, load).await {
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
    source: &Source,
    connection: &mut Option<Connection>,
    table: &mut TablePlan,
    wanted: u64,
    load: &mut SourceLoad,
) -> Result<(), SourceError> {
    let mut client = match connection.take() {
        Some(client) => client,
        None => source.connect().await?,
    };
    table.parts = ranges::find(&mut client, table, wanted, &mut || load.queries += 1).await?;
    *connection = Some(client);
    Ok(())
}
