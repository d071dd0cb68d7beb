//! A Postgres server, and the databases that a test made on it, dropped at its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use etl_fixtures::postgres::{PrivatePostgres, TestPostgres};
use etl_load::LoadError;
use etl_load::module::Module;
use etl_load::postgres::{IfExists, PostgresOptions, PostgresSink, PostgresTarget};
use etl_load::sink::{Sink, SinkReport};
use etl_schemas::event::{EventBatch, EventCatalog};
use tokio_postgres::{NoTls, SimpleQueryMessage};

use crate::stream::fingerprint;

const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) struct Server {
    postgres: TestPostgres,
    prefix: String,
}

impl Server {
    /// A server on which `test` has its own databases.
    pub(crate) fn start(test: &str) -> Server {
        let postgres = TestPostgres::start().unwrap();
        let server = Server { postgres, prefix: format!("etl_test_{}_{test}_", std::process::id()) };
        server.drop_databases();
        server
    }

    /// A private server, which a test may treat as it likes.
    pub(crate) fn private(test: &str) -> (Server, PrivatePostgres) {
        let private = PrivatePostgres::temporary().unwrap();
        (Server::of(&private, test), private)
    }

    pub(crate) fn of(private: &PrivatePostgres, test: &str) -> Server {
        Server { postgres: TestPostgres::Running(private.url()), prefix: format!("etl_test_{test}_") }
    }

    pub(crate) fn target(&self) -> PostgresTarget {
        PostgresTarget::parse(&self.postgres.url(), None).unwrap()
    }

    pub(crate) fn options(&self, if_exists: IfExists) -> PostgresOptions {
        PostgresOptions { if_exists, database_prefix: self.prefix.clone(), ..PostgresOptions::default() }
    }

    pub(crate) fn database(&self, module: &str) -> String {
        format!("{}{module}", self.prefix)
    }

    pub(crate) fn open(&self, module: &Module, catalog: &Arc<EventCatalog>) -> Result<PostgresSink, LoadError> {
        let options = self.options(IfExists::Resume);
        PostgresSink::open(&self.target(), module, catalog, &fingerprint(), &options)
    }

    /// Loads a whole stream.
    pub(crate) fn load(
        &self,
        module: &Module,
        catalog: &Arc<EventCatalog>,
        batches: &[Arc<EventBatch>],
    ) -> Result<SinkReport, LoadError> {
        let mut sink = self.open(module, catalog)?;
        for batch in batches {
            sink.write(batch)?;
        }
        sink.finish()
    }

    /// Runs SQL in a module's database and gives back its rows, columns joined by `|`, NULL as `-`.
    pub(crate) fn query(&self, module: &str, sql: &str) -> Vec<String> {
        self.query_database(&self.database(module), sql)
    }

    /// Waits until a count is no longer zero. A test that waits longer than any machine needs fails instead of hanging.
    pub(crate) fn wait_for_any(&self, module: &str, count: &str) {
        let begun = Instant::now();
        while self.query(module, count) == ["0"] {
            assert!(begun.elapsed() < PATIENCE, "nothing in {} s: {count}", PATIENCE.as_secs());
        }
    }

    /// Counts the databases of a module: one or none.
    pub(crate) fn existing(&self, module: &str) -> String {
        format!("SELECT count(*) FROM pg_database WHERE datname = '{}'", self.database(module))
    }

    pub(crate) fn query_database(&self, database: &str, sql: &str) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let config = format!("{}/{database}", self.postgres.url());
            let (client, connection) = tokio_postgres::connect(&config, NoTls).await.unwrap();
            tokio::spawn(connection);
            let messages = client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
            let mut rows = Vec::new();
            for message in messages {
                if let SimpleQueryMessage::Row(row) = message {
                    let cells: Vec<&str> = (0..row.len()).map(|index| row.get(index).unwrap_or("-")).collect();
                    rows.push(cells.join("|"));
                }
            }
            rows
        })
    }

    fn drop_databases(&self) {
        let like = format!("SELECT datname FROM pg_database WHERE starts_with(datname, '{}')", self.prefix);
        for database in self.query_database("postgres", &like) {
            self.query_database("postgres", &format!("DROP DATABASE \"{database}\" WITH (FORCE)"));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.drop_databases();
        }
    }
}
