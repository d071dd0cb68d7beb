//! A source to read from: a database, a server over it, and the options of a run.

use std::path::Path;

use etl_extract::run::Extract;
use etl_fixtures::cell::{Cell, OwnedCell};
use etl_fixtures::sqlserver::all_types;
use etl_fixtures::sqlserver::database::{DatabaseDefinition, DatabaseWriter, TableDefinition};
use etl_fixtures::sqlserver::live::LiveWriter;
use etl_fixtures::sqlserver::server::{ServerOptions, SqlServer};
use etl_fixtures::tds::Tls;
use etl_schemas::project::SourceClient;
use etl_schemas::sql_type::SqlType;
use etl_schemas::table::{Column, Key, KeyKind, TableName, TableSchema};
use tempfile::TempDir;

pub(crate) const PASSWORD: &str = "Passw0rd!";

/// Rows of `dbo.Messages`: enough for several blocks.
pub(crate) const MESSAGES: i64 = 20_000;
/// Rows of `dbo.Log`, a heap.
pub(crate) const LOG: i64 = 500;

/// A server over a database, ended when it is dropped.
pub(crate) struct Source {
    pub(crate) server: SqlServer,
    database: String,
    dir: TempDir,
}

impl Source {
    /// Serves the database that `write` fills.
    pub(crate) fn new(definition: &DatabaseDefinition, tls: Tls, write: impl FnOnce(&mut DatabaseWriter)) -> Source {
        Source::served(definition, ServerOptions { tls, ..ServerOptions::default() }, write)
    }

    fn served(
        definition: &DatabaseDefinition,
        options: ServerOptions,
        write: impl FnOnce(&mut DatabaseWriter),
    ) -> Source {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = DatabaseWriter::create(dir.path(), definition).unwrap();
        write(&mut writer);
        writer.finish().unwrap();
        let server = SqlServer::start(dir.path(), options).unwrap();
        Source { server, database: definition.name.clone(), dir }
    }

    /// Every type of SQL Server at its limits, one table each.
    pub(crate) fn types(tls: Tls) -> Source {
        let types = all_types::definition();
        Source::new(&types, tls, |writer| {
            for table in &types.tables {
                let mut rows = writer.table(&table.schema.name).unwrap();
                for row in all_types::rows(&table.schema) {
                    let cells: Vec<Cell<'_>> = row.iter().map(OwnedCell::as_cell).collect();
                    rows.append(&cells).unwrap();
                }
            }
        })
    }

    /// Two small tables: one with a clustered key, one without any.
    pub(crate) fn shop() -> Source {
        Source::shop_with(ServerOptions { tls: Tls::Off, ..ServerOptions::default() })
    }

    /// The same, served otherwise.
    pub(crate) fn shop_with(options: ServerOptions) -> Source {
        let shop = DatabaseDefinition {
            name: "shop".into(),
            collation: "Finnish_Swedish_CI_AS".into(),
            tables: vec![messages(), log()],
        };
        Source::served(&shop, options, |writer| {
            let mut messages = writer.table(&name("Messages")).unwrap();
            for id in 1..=MESSAGES {
                let body = format!("message {id} {}", "å lorem ipsum dolor ".repeat((id % 9) as usize));
                messages.append(&[Cell::Int(id), Cell::Text(&body)]).unwrap();
            }
            drop(messages);
            let mut log = writer.table(&name("Log")).unwrap();
            for id in 1..=LOG {
                log.append(&[Cell::Int(id), Cell::Null]).unwrap();
            }
        })
    }

    /// Writes to the database while it is served.
    pub(crate) fn writer(&self) -> LiveWriter {
        LiveWriter::open(self.dir.path(), &self.database).unwrap()
    }

    /// Somebody drops one of them.
    pub(crate) fn drop_database(&self, name: &str) {
        std::fs::remove_file(self.dir.path().join(format!("{name}.sqlite"))).unwrap();
    }

    /// The databases that the server has, without their endings.
    pub(crate) fn databases(&self) -> Vec<String> {
        let files = self.dir.path().read_dir().unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = files.filter_map(|file| Some(file.strip_suffix(".sqlite")?.to_string())).collect();
        names.sort();
        names
    }

    /// The URL, with parameters to add behind `?`.
    pub(crate) fn url(&self, parameters: &str) -> String {
        format!("mssql://sa@{}/{}?{parameters}", self.server.address(), self.database)
    }

    /// A run into `out` over one connection without TLS.
    pub(crate) fn extract(&self, client: SourceClient, out: &Path) -> Extract {
        options(client, &self.url("encrypt=off"), out)
    }
}

/// A run from `url` into `out`.
pub(crate) fn options(client: SourceClient, url: &str, out: &Path) -> Extract {
    Extract { client, ..Extract::new(url.parse().unwrap(), Some(PASSWORD.to_string().into()), out) }
}

/// A table of schema `dbo`.
pub(crate) fn name(table: &str) -> TableName {
    TableName::new("dbo", table)
}

fn messages() -> TableDefinition {
    let key = Key { name: "PK_Messages".into(), kind: KeyKind::Clustered, unique: true, columns: vec![0] };
    let columns =
        vec![column(1, "Id", SqlType::Int, true), column(2, "Body", SqlType::NVarChar { length: None }, false)];
    TableDefinition::new(TableSchema { name: name("Messages"), message: "Messages".into(), columns, key: Some(key) })
}

fn log() -> TableDefinition {
    let columns =
        vec![column(1, "At", SqlType::BigInt, false), column(2, "Text", SqlType::VarChar { length: Some(40) }, false)];
    TableDefinition::new(TableSchema { name: name("Log"), message: "Log".into(), columns, key: None })
}

fn column(id: u32, name: &str, sql_type: SqlType, identity: bool) -> Column {
    let text = matches!(sql_type, SqlType::NVarChar { .. } | SqlType::VarChar { .. });
    Column {
        id,
        name: name.into(),
        field: name.into(),
        sql_type,
        nullable: !identity,
        collation: text.then(|| "Finnish_Swedish_CI_AS".to_string()),
        identity,
        computed: false,
    }
}
