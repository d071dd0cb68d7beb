//! Rows of the sample's legacy database, by the way that all rows take: generated, served by the SQL Server stand-in, and
//! extracted.
//!
//! In: tables and a scale. Out: a folder with their dump, and helpers that bring its blocks into memory. The generator
//! gives the same rows for the same scale and seed, so two runs measure the same work.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use etl_extract::report::Outcome;
use etl_extract::run::{Extract, extract};
use etl_fixtures::happypancake;
use etl_fixtures::sqlserver::server::{ServerOptions, SqlServer};
use etl_schemas::dump::{BlockBuffer, Dump, DumpTable};
use etl_schemas::project::{SourceClient, Tables};
use etl_schemas::table::TableName;
use tempfile::TempDir;

/// The seed of `etl demo`.
const SEED: u64 = 1;

/// Messages are by far the largest table of the sample: 1.2 million at scale 1.
pub const MESSAGES: &str = "Messages";

/// A dump, and the folder that it lies in, which goes away with it.
pub struct Sample {
    /// The dump.
    pub dump: Arc<Dump>,
    /// Room for other files of the benchmark; the dump is its `dump`.
    pub folder: TempDir,
}

impl Sample {
    /// Makes a dump of some tables of schema `dbo`.
    pub fn of(tables: &[&str], scale: f64) -> Sample {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let legacy = folder.path().join("legacy");
        happypancake::generate_tables(&legacy, scale, SEED, &|table| tables.contains(&table), &mut |_, _, _| ())
            .expect("the generator writes into a new folder");
        let server = SqlServer::start(&legacy, ServerOptions::default()).expect("a free port of 127.0.0.1");
        let options = options(&server, tables, &folder.path().join("dump"));
        let report = extract(&options, &(), &AtomicBool::new(false)).expect("the stand-in answers");
        assert_eq!(report.outcome, Outcome::Complete, "every table was read");
        let dump = Dump::open(&options.out).expect("a complete dump opens");
        Sample { dump: Arc::new(dump), folder }
    }

    /// A table of schema `dbo`.
    pub fn table(&self, name: &str) -> &DumpTable {
        table(&self.dump, name)
    }
}

fn options(server: &SqlServer, tables: &[&str], out: &Path) -> Extract {
    let url = format!("mssql://sa@{}/HappyPancake?encrypt=off", server.address());
    let include = tables.iter().map(|table| format!("dbo.{table}")).collect();
    let (url, password) = (url.parse().expect("a well-formed URL"), ServerOptions::default().password);
    let tables = Tables { include, exclude: Vec::new() };
    Extract { client: SourceClient::Tiberius, tables, ..Extract::new(url, Some(password.into()), out) }
}

/// A table of a dump, of schema `dbo`.
pub fn table<'d>(dump: &'d Dump, name: &str) -> &'d DumpTable {
    dump.table(&TableName::new("dbo", name)).expect("the dump was made with this table")
}

/// All blocks of a table, inflated, each in a buffer of its own.
pub fn blocks(table: &DumpTable) -> Vec<BlockBuffer> {
    let mut blocks = Vec::new();
    for part in 0..table.parts.len() {
        let part = table.open_part(part).expect("the part was just written");
        for block in 0..part.blocks().len() {
            let mut buffer = BlockBuffer::new();
            part.read(block, &mut buffer).expect("the block was just written");
            blocks.push(buffer);
        }
    }
    blocks
}
