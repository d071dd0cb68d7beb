//! A source to read from: a database, a server over it, and the options of a run.

use std::path::Path;

use etl_extract::run::{Extract, Gentleness, PartSize};
use etl_fixtures::cell::{Cell, OwnedCell};
use etl_fixtures::sqlserver::all_types;
use etl_fixtures::sqlserver::database::{DatabaseDefinition, DatabaseWriter, TableDefinition};
use etl_fixtures::sqlserver::server::{ServerOptions, SqlServer};
use etl_fixtures::tds::Tls;
use etl_schemas::dump::Level;
use etl_schemas::project::Tables;
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
    _dir: TempDir,
}

impl Source {
    /// Serves the database that `write` fills.
    pub(crate) fn new(definition: &DatabaseDefinition, tls: Tls, write: impl FnOnce(&mut DatabaseWriter)) -> Source {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = DatabaseWriter::create(dir.path(), definition).unwrap();
        write(&mut writer);
        writer.finish().unwrap();
        let server = SqlServer::start(dir.path(), ServerOptions { tls, ..ServerOptions::default() }).unwrap();
        Source { server, database: definition.name.clone(), _dir: dir }
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
        let shop = DatabaseDefinition {
            name: "shop".into(),
            collation: "Finnish_Swedish_CI_AS".into(),
            tables: vec![messages(), log()],
        };
        Source::new(&shop, Tls::Off, |writer| {
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

    /// The URL, with parameters to add behind `?`.
    pub(crate) fn url(&self, parameters: &str) -> String {
        format!("mssql://sa@{}/{}?{parameters}", self.server.address(), self.database)
    }

    /// A run into `out` over one connection without TLS.
    pub(crate) fn extract(&self, out: &Path) -> Extract {
        options(&self.url("encrypt=off"), out)
    }
}

/// A run from `url` into `out`.
pub(crate) fn options(url: &str, out: &Path) -> Extract {
    Extract {
        url: url.parse().unwrap(),
        password: Some(PASSWORD.to_string().into()),
        tables: Tables::default(),
        jobs: 1,
        out: out.to_path_buf(),
        level: Level::default(),
        restart: false,
        part_size: PartSize::default(),
        gentleness: Gentleness::default(),
    }
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
