//! `client` under [source]: the TDS client that a source is read with.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::diagnostic::did_you_mean;

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SourceClient {
    /// The cheaper one of those that build, URL and server allow.
    #[default]
    Auto,
    /// `tiberius`
    Tiberius,
    /// Microsoft's `mssql-tds`
    MssqlTds,
}

impl SourceClient {
    /// All of them.
    pub const ALL: [SourceClient; 3] = [SourceClient::Auto, SourceClient::Tiberius, SourceClient::MssqlTds];

    /// As it is written in etl.toml.
    pub fn name(self) -> &'static str {
        match self {
            SourceClient::Auto => "auto",
            SourceClient::Tiberius => "tiberius",
            SourceClient::MssqlTds => "mssql-tds",
        }
    }
}

impl fmt::Display for SourceClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no such client: {help}")]
pub struct UnknownClient {
    /// The nearest one.
    pub help: String,
}

impl FromStr for SourceClient {
    type Err = UnknownClient;

    fn from_str(name: &str) -> Result<SourceClient, UnknownClient> {
        SourceClient::ALL
            .into_iter()
            .find(|client| client.name() == name)
            .ok_or_else(|| UnknownClient { help: did_you_mean(name, SourceClient::ALL.map(SourceClient::name)) })
    }
}
