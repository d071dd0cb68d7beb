//! A source as a run uses it: connections set to the consistency that is wanted, and the database snapshot behind them.

use std::time::Duration;

use etl_schemas::project::{Consistency, SourceClient};
use secrecy::SecretString;

use super::backoff::Backoff;
use super::options::Gentleness;
use crate::begun::Begun;
use crate::browser;
use crate::catalog::{self, ServerInfo, SourceCatalog};
use crate::connect::{Client, ConnectError, connect, connect_by_choice};
use crate::database_snapshot;
use crate::error::{ExtractError, SourceError};
use crate::progress::Progress;
use crate::row_source::{Connection, RowSource};
use crate::url::SourceUrl;

/// See the module.
#[derive(Clone)]
pub(super) struct Source {
    /// The database itself, whatever is read.
    pub(super) url: SourceUrl,
    pub(super) password: Option<SecretString>,
    pub(super) client: SourceClient,
    /// The client that it became, once it is known.
    pub(super) used: Option<Client>,
    pub(super) gentleness: Gentleness,
    pub(super) consistency: Consistency,
    /// The database snapshot that is read in its place.
    pub(super) snapshot: Option<String>,
}

impl Source {
    pub(super) fn new(
        url: &SourceUrl,
        password: Option<&SecretString>,
        client: SourceClient,
        gentleness: Gentleness,
        consistency: Consistency,
    ) -> Source {
        let (url, password) = (url.clone(), password.cloned());
        Source { url, password, client, used: None, gentleness, consistency, snapshot: None }
    }

    /// A connection for rows.
    pub(super) async fn connect(&self) -> Result<Connection, SourceError> {
        let (mut source, _) = self.connection(self.read_url()).await?;
        source.ask(isolation(self.consistency)).await?;
        Ok(source)
    }

    /// What is read: the database or its snapshot.
    pub(super) async fn catalog(&self) -> Result<SourceCatalog, ExtractError> {
        let (mut source, client) = self.connection(self.read_url()).await?;
        catalog::read(&self.url, client, &mut source).await
    }

    pub(super) fn snapshot(&self) -> Option<&str> {
        self.snapshot.as_deref()
    }

    fn read_url(&self) -> SourceUrl {
        let database = self.snapshot.clone().unwrap_or_else(|| self.url.database.clone());
        SourceUrl { database, ..self.url.clone() }
    }

    /// A connection to the database itself.
    pub(super) async fn live(&self) -> Result<Connection, ExtractError> {
        Ok(self.connection(self.url.clone()).await?.0)
    }

    /// By the client that read the catalog, or by choice where none has yet.
    async fn connection(&self, url: SourceUrl) -> Result<(Connection, Client), ConnectError> {
        let url = browser::resolve(&url).await?;
        let (password, lock_timeout) = (self.password.as_ref(), self.gentleness.longest_query);
        match self.used {
            Some(client) => Ok((connect(&url, password, client, lock_timeout).await?, client)),
            None => connect_by_choice(&url, password, self.client, lock_timeout).await,
        }
    }

    /// The source with what its consistency needs: snapshot isolation that is allowed, or the database snapshot that it is
    /// to be read from, and whether that was made just now. A dump that was begun on a database snapshot goes on with it,
    /// or not at all.
    pub(super) async fn with_snapshot(
        mut self,
        server: &ServerInfo,
        earlier: Option<&Begun>,
        progress: &dyn Progress,
    ) -> Result<(Source, bool), ExtractError> {
        let failed = |source| ExtractError::Snapshot { database: server.database.clone(), source };
        let mut client = match self.consistency {
            Consistency::ReadCommitted | Consistency::NoLock => return Ok((self, false)),
            _ => self.live().await?,
        };
        if self.consistency != Consistency::DatabaseSnapshot {
            return match database_snapshot::isolation_is_allowed(&mut client).await.map_err(failed)? {
                true => Ok((self, false)),
                false => Err(ExtractError::NoSnapshotIsolation { database: server.database.clone() }),
            };
        }
        let existing = database_snapshot::existing(&mut client).await.map_err(failed)?;
        if let Some(name) = earlier.and_then(|begun| begun.snapshot.clone()) {
            if !existing.contains(&name) {
                return Err(ExtractError::SnapshotGone { name });
            }
            self.snapshot = Some(name);
            return Ok((self, false));
        }
        for name in existing {
            progress.note(&format!(
                "an earlier run left the database snapshot {name}; unless another run reads it, drop it with {}",
                database_snapshot::drop_statement(&name)
            ));
        }
        let name = database_snapshot::create(&mut client, &server.database, server.clock).await.map_err(failed)?;
        self.snapshot = Some(name);
        Ok((self, true))
    }

    /// Drops the snapshot. Sessions that have just ended may hold it for a moment.
    pub(super) async fn drop_snapshot(&self) -> Result<(), ExtractError> {
        let Some(name) = &self.snapshot else { return Ok(()) };
        let failed = |source| ExtractError::Snapshot { database: self.url.database.clone(), source };
        let mut backoff = Backoff::default();
        loop {
            let mut client = self.live().await?;
            let error = match database_snapshot::drop(&mut client, name).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            match backoff.next().filter(|pause| *pause < DROP_PAUSE_MAX) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(failed(error)),
            }
        }
    }
}

/// A snapshot that is in use for longer than moments is in use by somebody else.
const DROP_PAUSE_MAX: Duration = Duration::from_secs(4);

/// What a session sees of other people's work.
fn isolation(consistency: Consistency) -> &'static str {
    match consistency {
        Consistency::ReadCommitted | Consistency::DatabaseSnapshot => "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
        Consistency::Snapshot | Consistency::TableSnapshot => "SET TRANSACTION ISOLATION LEVEL SNAPSHOT",
        Consistency::NoLock => "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED",
    }
}
