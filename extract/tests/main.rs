//! The extractor against a server that speaks SQL Server's protocol over a real SQL engine.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

/// Runs each test by each client of this build, so that a client that fails is named.
macro_rules! by_each_client {
    ($($test:ident),* $(,)?) => {$(
        mod $test {
            #[cfg(feature = "tiberius")]
            #[test]
            fn tiberius() {
                super::$test(etl_schemas::project::SourceClient::Tiberius);
            }

            #[cfg(feature = "mssql-tds")]
            #[test]
            fn mssql_tds() {
                super::$test(etl_schemas::project::SourceClient::MssqlTds);
            }
        }
    )*};
}

mod catalog;
#[cfg(all(feature = "tiberius", feature = "mssql-tds"))]
mod clients;
mod connection;
mod consistency;
mod dumped;
mod faults;
mod gentleness;
mod ranges;
mod resume;
mod source;
mod types;
