//! Rows cost no allocation on their way from the client into blocks, parts and files, but those that the client makes.
//!
//! The stand-in for SQL Server allocates as it likes, so it runs in a process of its own: this binary once more.

#![allow(clippy::unwrap_used, reason = "what the tests build on fails a test by panicking")]

use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::AtomicBool;

use etl_extract::report::Outcome;
use etl_extract::run::{Extract, extract};
use etl_fixtures::allocations::{COUNTING, Counting, PER_ROW_MAX, alone, per_row};
use etl_fixtures::happypancake;
use etl_fixtures::sqlserver::server::{ServerOptions, SqlServer};
use etl_schemas::dump::{Dump, DumpTable};
use etl_schemas::project::{SourceClient, Tables};

#[path = "../examples/drain.rs"]
#[allow(dead_code, reason = "its main is what a person runs")]
mod drain;

#[global_allocator]
static ALLOCATOR: &Counting = &COUNTING;

const TABLE: &str = "Messages";

#[test]
fn rows_cost_no_allocation_beyond_those_of_mssql_tds() {
    check(SourceClient::MssqlTds, "mssql-tds");
}

#[test]
fn rows_cost_no_allocation_beyond_those_of_tiberius() {
    check(SourceClient::Tiberius, "tiberius");
}

/// Extracts few rows and many, and has the client alone read them and forget them.
fn check(client: SourceClient, name: &str) {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let few = Served::start(&folder.path().join("few"), 0.01);
    let many = Served::start(&folder.path().join("many"), 0.05);
    let dumped = |served: &Served, out: &str| dumped(&options(client, &served.url, &folder.path().join(out)));
    // What is made once in a process isn't the rows'.
    dumped(&few, "first-dump");
    let ours = per_row(|| dumped(&few, "few-dump"), || dumped(&many, "many-dump"));
    let drained = |served: &Served| drain::drain(name, &served.url.parse().unwrap(), &password(), &query()).unwrap();
    let clients = per_row(|| drained(&few), || drained(&many));
    assert!(ours - clients < PER_ROW_MAX, "{ours:.4} allocations a row, of which {clients:.4} are the client's own");
}

/// All columns of the table.
fn query() -> String {
    let tables = happypancake::definition().tables;
    let table = tables.into_iter().find(|table| table.schema.name.name == TABLE).unwrap();
    let columns: Vec<&str> = table.schema.columns.iter().map(|column| column.name.as_str()).collect();
    format!("SELECT {} FROM dbo.{TABLE}", columns.join(", "))
}

fn password() -> String {
    ServerOptions::default().password
}

fn dumped(options: &Extract) -> u64 {
    let report = extract(options, &(), &AtomicBool::new(false)).unwrap();
    assert_eq!(report.outcome, Outcome::Complete);
    Dump::open(&options.out).unwrap().tables().iter().map(DumpTable::rows).sum()
}

fn options(client: SourceClient, url: &str, out: &Path) -> Extract {
    let tables = Tables { include: vec![format!("dbo.{TABLE}")], exclude: Vec::new() };
    Extract { client, tables, ..Extract::new(url.parse().unwrap(), Some(password().into()), out) }
}

const FOLDER: &str = "ETL_TEST_SERVE_FOLDER";

/// The sample's legacy database, served by another process until this is dropped.
struct Served {
    process: Child,
    _stdout: BufReader<ChildStdout>,
    url: String,
}

impl Served {
    fn start(folder: &Path, scale: f64) -> Served {
        happypancake::generate_tables(folder, scale, 1, &|name| name == TABLE, &mut |_, _, _| ()).unwrap();
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "serve_for_the_other_tests", "--nocapture"])
            .env(FOLDER, folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("mssql://") {
            line.clear();
            assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "the server says where it is");
        }
        let url = line[line.find("mssql://").unwrap()..].trim().to_string();
        Served { process, _stdout: stdout, url }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        self.process.wait().unwrap();
    }
}

/// What the other process does: it serves until its stdin ends. In a usual run of the tests there is nothing to do.
#[test]
fn serve_for_the_other_tests() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let server = SqlServer::start(Path::new(&folder), ServerOptions::default()).unwrap();
    println!("mssql://sa@{}/HappyPancake?encrypt=off&trust_server_certificate=true", server.address());
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}
