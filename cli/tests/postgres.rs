//! What tests ask of a Postgres server.

use tokio_postgres::{Client, NoTls};

/// A connection with the runtime that drives it.
pub(crate) struct Database {
    runtime: tokio::runtime::Runtime,
    client: Client,
}

impl Database {
    pub(crate) fn connect(url: &str, name: &str) -> Database {
        Database::try_connect(url, name).unwrap()
    }

    pub(crate) fn try_connect(url: &str, name: &str) -> Result<Database, tokio_postgres::Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let url = format!("{}/{name}", url.trim_end_matches('/'));
        let (client, connection) = runtime.block_on(tokio_postgres::connect(&url, NoTls))?;
        runtime.spawn(connection);
        Ok(Database { runtime, client })
    }

    /// Every table of schema `public`, partitions with the one they belong to, with its number of rows and a checksum over
    /// its ordered rows.
    pub(crate) fn checksums(&self) -> Vec<(String, i64, String)> {
        let names = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
                     AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1";
        let tables = self.runtime.block_on(self.client.query(names, &[])).unwrap();
        tables
            .iter()
            .map(|row| {
                let table: String = row.get(0);
                let sql = format!(
                    "SELECT count(*), coalesce(md5(string_agg(t::text, E'\\n' ORDER BY t::text COLLATE \"C\")), '') \
                     FROM \"{table}\" t"
                );
                let row = self.runtime.block_on(self.client.query_one(&sql, &[])).unwrap();
                (table, row.get(0), row.get(1))
            })
            .collect()
    }

    /// The one number that a query gives.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        let text = format!("SELECT (x.n)::bigint FROM ({sql}) AS x (n)");
        self.runtime.block_on(self.client.query_one(&text, &[])).unwrap().get(0)
    }

    /// Runs what may fail.
    pub(crate) fn try_run(&self, sql: &str) -> bool {
        self.runtime.block_on(self.client.batch_execute(sql)).is_ok()
    }

    pub(crate) fn run(&self, sql: &str) {
        self.runtime.block_on(self.client.batch_execute(sql)).unwrap();
    }
}

/// Drops the databases that earlier runs of a test have left.
pub(crate) fn drop_databases(url: &str, prefix: &str, modules: &[&str]) {
    let server = Database::connect(url, "postgres");
    for module in modules {
        server.run(&format!("DROP DATABASE IF EXISTS \"{prefix}_{module}\" WITH (FORCE)"));
    }
}
