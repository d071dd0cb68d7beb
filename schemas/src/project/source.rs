//! `[source]`: where the legacy database is, and how it is treated.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use serde_spanned::Spanned;

use super::Setting;
use super::client::{SourceClient, UnknownClient};
use crate::diagnostic::{Diagnostic, did_you_mean};

/// Where the legacy database is, and how it is treated.
#[derive(Clone, Debug)]
pub struct Source {
    /// `mssql://user@host:port/database?encrypt=login`, or an ADO connection string.
    pub url: Setting,
    /// The password, most often `${ETL_SOURCE_PASSWORD}`.
    pub password: Option<Setting>,
    /// An access token of Microsoft Entra ID (Azure AD), in the place of user and password.
    pub access_token: Option<Setting>,
    /// The zone of the legacy clock, an IANA name, for values that carry none.
    pub time_zone: Option<String>,
    /// Connections to read with at the same time.
    pub jobs: Option<usize>,
    /// The client to read it with.
    pub client: SourceClient,
    /// How much of a single moment the dump shows.
    pub consistency: Option<Consistency>,
    /// How long a query should last at most.
    pub longest_query: Option<Duration>,
    /// Rows a second over all connections.
    pub max_rows_per_second: Option<u64>,
    /// Bytes of rows a second over all connections.
    pub max_bytes_per_second: Option<u64>,
}

/// How much of a single moment a dump shows, and what the source has to bear for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Consistency {
    /// Each query sees rows that were committed when it came to them, and waits for locks.
    #[default]
    ReadCommitted,
    /// Each query sees a moment of its own, and waits for no lock. The database must allow snapshot isolation.
    Snapshot,
    /// Each table as of one moment, in one transaction over all of it, which makes the server keep old versions of rows
    /// until it ends. The database must allow snapshot isolation.
    TableSnapshot,
    /// All tables as of one moment, read from a database snapshot that is made for it and dropped in the end.
    DatabaseSnapshot,
    /// Rows that were never committed, rows twice, rows left out: only where nobody writes.
    NoLock,
}

impl Consistency {
    /// All of them, in the order in which help texts list them.
    pub const ALL: [Consistency; 5] = [
        Consistency::ReadCommitted,
        Consistency::Snapshot,
        Consistency::TableSnapshot,
        Consistency::DatabaseSnapshot,
        Consistency::NoLock,
    ];

    /// Whether a table is one transaction, and so one part.
    pub fn reads_tables_whole(self) -> bool {
        self == Consistency::TableSnapshot
    }

    /// As settings, manifests and the command line write it.
    pub fn name(self) -> &'static str {
        match self {
            Consistency::ReadCommitted => "read-committed",
            Consistency::Snapshot => "snapshot",
            Consistency::TableSnapshot => "table-snapshot",
            Consistency::DatabaseSnapshot => "database-snapshot",
            Consistency::NoLock => "nolock",
        }
    }
}

impl fmt::Display for Consistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Consistency {
    type Err = String;

    fn from_str(text: &str) -> Result<Consistency, String> {
        let named = Consistency::ALL.into_iter().find(|one| one.name() == text);
        named.ok_or_else(|| did_you_mean(text, Consistency::ALL.map(Consistency::name)))
    }
}

/// As it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileSource {
    url: Spanned<String>,
    password: Option<Spanned<String>>,
    access_token: Option<Spanned<String>>,
    time_zone: Option<String>,
    jobs: Option<Spanned<i64>>,
    client: Option<Spanned<String>>,
    consistency: Option<Spanned<String>>,
    longest_query: Option<Spanned<f64>>,
    max_rows_per_second: Option<Spanned<i64>>,
    max_bytes_per_second: Option<Spanned<i64>>,
}

impl FileSource {
    /// Every value checked, or the place of one that can't be.
    pub(super) fn checked(&self, path: &Path, text: &str) -> Result<Source, Box<Diagnostic>> {
        let setting = |value: &Spanned<String>| Setting::new(path, text, value);
        let secret = |value: &Option<Spanned<String>>, name| {
            value.as_ref().map(|value| Setting::secret(path, text, name, value)).transpose()
        };
        let whole = |value: &Spanned<i64>, name: &str, most: i64| match *value.get_ref() {
            number if (1..=most).contains(&number) => Ok(number as u64),
            _ => {
                let message = format!("`{name}` is a number from 1 to {most}");
                Err(Box::new(Diagnostic::at(path, text, value.span(), message)))
            }
        };
        let rate = |value: &Option<Spanned<i64>>, name| value.as_ref().map(|v| whole(v, name, i64::MAX)).transpose();
        Ok(Source {
            url: setting(&self.url)?,
            password: secret(&self.password, "password")?,
            access_token: secret(&self.access_token, "access_token")?,
            time_zone: self.time_zone.clone(),
            jobs: self.jobs.as_ref().map(|jobs| whole(jobs, "jobs", 256)).transpose()?.map(|jobs| jobs as usize),
            client: self.client.as_ref().map(|value| client(path, text, value)).transpose()?.unwrap_or_default(),
            consistency: self.consistency.as_ref().map(|value| consistency(path, text, value)).transpose()?,
            longest_query: self.longest_query.as_ref().map(|value| seconds(path, text, value)).transpose()?,
            max_rows_per_second: rate(&self.max_rows_per_second, "max_rows_per_second")?,
            max_bytes_per_second: rate(&self.max_bytes_per_second, "max_bytes_per_second")?,
        })
    }
}

fn client(path: &Path, text: &str, value: &Spanned<String>) -> Result<SourceClient, Box<Diagnostic>> {
    value.get_ref().parse().map_err(|UnknownClient { help }| {
        Box::new(Diagnostic::at(path, text, value.span(), "no such client").help(help))
    })
}

fn consistency(path: &Path, text: &str, value: &Spanned<String>) -> Result<Consistency, Box<Diagnostic>> {
    value.get_ref().parse().map_err(|help: String| {
        let message = format!("no consistency is called `{}`", value.get_ref());
        Box::new(Diagnostic::at(path, text, value.span(), message).help(help))
    })
}

fn seconds(path: &Path, text: &str, value: &Spanned<f64>) -> Result<Duration, Box<Diagnostic>> {
    let number = *value.get_ref();
    match (0.05..=86_400.0).contains(&number) {
        true => Ok(Duration::from_secs_f64(number)),
        false => {
            let message = "`longest_query` is seconds from 0.05 to 86400";
            Err(Box::new(Diagnostic::at(path, text, value.span(), message)))
        }
    }
}
