//! What a run is told to do.

use std::path::PathBuf;
use std::time::Duration;

use etl_schemas::dump::Level;
use etl_schemas::project::{Cast, Consistency, SourceClient, Tables};
use secrecy::SecretString;

use super::source::Source;
use crate::pace::Limits;
use crate::plan::ranges::PartSize;
use crate::url::SourceUrl;

/// What to read, and where to put it.
#[derive(Debug)]
pub struct Extract {
    /// The source.
    pub url: SourceUrl,
    /// Its password or access token.
    pub password: Option<SecretString>,
    /// The client to read it with.
    pub client: SourceClient,
    /// Which tables.
    pub tables: Tables,
    /// Columns that the server converts.
    pub casts: Vec<Cast>,
    /// How much of a single moment the dump shows.
    pub consistency: Consistency,
    /// Connections to read with at the same time; at least one is used.
    pub jobs: usize,
    /// The dump's directory. An unfinished dump of the same plan is gone on with.
    pub out: PathBuf,
    /// How hard blocks are compressed.
    pub level: Level,
    /// Whether an unfinished dump in the directory is thrown away first.
    pub restart: bool,
    /// Into what parts large tables are cut. An unfinished dump keeps the parts that it was begun with.
    pub part_size: PartSize,
    /// How the source is treated.
    pub gentleness: Gentleness,
}

/// How a source is treated while it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gentleness {
    /// How long a query should last at most; also how long one waits for a lock.
    pub longest_query: Duration,
    /// How fast the run reads.
    pub limits: Limits,
}

/// Queries of up to two seconds, no limit to the rate.
impl Default for Gentleness {
    fn default() -> Gentleness {
        Gentleness { longest_query: Duration::from_secs(2), limits: Limits::default() }
    }
}

/// What to look at.
#[derive(Debug)]
pub struct Inspect {
    /// The source.
    pub url: SourceUrl,
    /// Its password or access token.
    pub password: Option<SecretString>,
    /// The client to read it with.
    pub client: SourceClient,
    /// Columns that the server converts.
    pub casts: Vec<Cast>,
    /// How the source is treated.
    pub gentleness: Gentleness,
}

impl Inspect {
    pub(super) fn source(&self) -> Source {
        Source::new(&self.url, self.password.as_ref(), self.client, self.gentleness, Consistency::default())
    }
}

impl Extract {
    /// All tables of a source into a directory, over one connection and with the usual settings.
    pub fn new(url: SourceUrl, password: Option<SecretString>, out: impl Into<PathBuf>) -> Extract {
        Extract {
            url,
            password,
            client: SourceClient::default(),
            tables: Tables::default(),
            casts: Vec::new(),
            consistency: Consistency::default(),
            jobs: 1,
            out: out.into(),
            level: Level::default(),
            restart: false,
            part_size: PartSize::default(),
            gentleness: Gentleness::default(),
        }
    }

    pub(super) fn source(&self) -> Source {
        Source::new(&self.url, self.password.as_ref(), self.client, self.gentleness, self.consistency)
    }
}
