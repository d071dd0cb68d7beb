//! Postgres, with the rows in a table `t`.

use etl_fixtures::postgres::TestPostgres;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use super::{Answer, rows};

/// A session of its own, whose table goes with it.
pub(super) struct Oracle {
    runtime: Runtime,
    client: Client,
    _server: TestPostgres,
}

impl Oracle {
    pub(super) fn start() -> Oracle {
        let server = TestPostgres::start().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = runtime.block_on(async {
            let config = format!("{}/postgres", server.url());
            let (client, connection) = tokio_postgres::connect(&config, NoTls).await.unwrap();
            tokio::spawn(connection);
            client.batch_execute(&format!("SET TIME ZONE 'UTC'; {}", rows::as_sql())).await.unwrap();
            client
        });
        Oracle { runtime, client, _server: server }
    }

    /// The text of an expression for a row.
    pub(super) fn ask(&self, expression: &str, row: usize) -> Answer {
        let query = format!("SELECT ({expression})::text FROM t WHERE id = {row}");
        match self.runtime.block_on(self.client.simple_query(&query)) {
            Err(error) => {
                let refusal = error.as_db_error().unwrap_or_else(|| panic!("{query}: {error}"));
                Answer::Refused(refusal.message().to_string())
            }
            Ok(messages) => {
                let row = messages.iter().find_map(|message| match message {
                    SimpleQueryMessage::Row(row) => Some(row),
                    _ => None,
                });
                let cell = row.unwrap_or_else(|| panic!("{query} gives a row")).get(0);
                cell.map_or(Answer::Null, |text| Answer::Text(text.to_string()))
            }
        }
    }
}
