//! How fast events come out of a dump, with nothing behind them: what the benchmark measures the transform by.
//!
//! ```text
//! cargo run --release -p etl-transform --example throughput -- <project> <dump> <threads> [memory in MB]
//! cargo run --release -p etl-transform --example throughput -- <project> <dump> inflate
//! ```
//!
//! The second form only reads and inflates the blocks of the tables that drive mappings, on one thread: the floor below
//! which no transform of this dump can be. One line on stdout: events or rows, bytes of rows before compression.

#![allow(clippy::print_stdout, reason = "the figures are the result")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use etl_schemas::dump::{BlockBuffer, Dump, DumpTable};
use etl_schemas::event::EventCatalog;
use etl_schemas::project::Project;
use etl_schemas::table::TableSchema;
use etl_transform::{RunOptions, compile, plan, run, share_one_heap};

fn main() -> Result<(), Box<dyn Error>> {
    share_one_heap();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [project, dump, threads, memory @ ..] = arguments.as_slice() else {
        return Err("usage: throughput <project> <dump> <threads>|inflate [memory in MB]".into());
    };
    let project = Project::open(Path::new(project))?;
    let dump = Arc::new(Dump::open(Path::new(dump))?);
    let catalog = Arc::new(EventCatalog::load(&project.events_file(), project.namespace)?);
    let tables: Vec<TableSchema> = dump.tables().iter().map(|table| table.schema.clone()).collect();
    let program = Arc::new(compile(&project, &tables, &catalog)?);
    let driving: Vec<String> = plan(&program, &dump)?.into_iter().map(|plan| plan.table).collect();
    let driving = || dump.tables().iter().filter(|table| driving.contains(&table.schema.name.to_string()));
    let bytes: u64 = driving().map(DumpTable::content_bytes).sum();
    if threads == "inflate" {
        let mut buffer = BlockBuffer::new();
        for table in driving() {
            for part in 0..table.parts.len() {
                let part = table.open_part(part)?;
                for block in 0..part.blocks().len() {
                    part.read(block, &mut buffer)?;
                }
            }
        }
        println!("{} rows, {bytes} bytes", driving().map(DumpTable::rows).sum::<u64>());
        return Ok(());
    }
    let work = std::env::temp_dir().join(format!("etl-throughput-{}", std::process::id()));
    let mut options = RunOptions { threads: threads.parse()?, ..RunOptions::new(&work) };
    if let Some(memory) = memory.first() {
        options.memory_bytes = memory.parse::<usize>()? << 20;
    }
    let mut events = run(&program, &dump, &options)?;
    let mut count = 0;
    while let Some(batch) = events.next_batch()? {
        count += batch.len();
    }
    let spilled = events.progress().events_spilled;
    let ledger = events.finish()?;
    std::fs::remove_dir_all(&work)?;
    println!("{count} events, {bytes} bytes, {spilled} spilled, {} quarantined", ledger.rows_quarantined());
    Ok(())
}
