//! A project's mappings, compiled against a dump.
//!
//! In: a project of `fixtures/`, a dump, and mappings of the benchmark's own where it has some. Out: a [`Job`] that runs
//! the program as `etl seed` does, batch by batch.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use etl_schemas::dump::Dump;
use etl_schemas::event::EventCatalog;
use etl_schemas::project::Project;
use etl_schemas::table::TableSchema;
use etl_transform::{EventStream, Mappings, Program, RunOptions, run};

/// A program over a dump.
pub struct Job {
    program: Arc<Program>,
    dump: Arc<Dump>,
    work_folder: PathBuf,
}

/// The folder of a project in `fixtures/`.
pub fn project_folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name)
}

impl Job {
    /// Compiles the mappings of the project, or those in `sql`. Runs keep their files under `work_folder`.
    pub fn new(project: &str, sql: Option<&str>, dump: &Arc<Dump>, work_folder: &Path) -> Job {
        let project = Project::open(&project_folder(project)).expect("a project of the repository opens");
        let catalog = EventCatalog::load(&project.events_file(), project.namespace).expect("its events are sound");
        let mappings = match sql {
            Some(sql) => Mappings::from_texts([("mappings/micro.sql".into(), sql.to_string())]),
            None => Mappings::load(&project).expect("its mappings can be read"),
        };
        let tables: Vec<TableSchema> = dump.tables().iter().map(|table| table.schema.clone()).collect();
        let program = mappings.compile(&project, &tables, &Arc::new(catalog));
        // The message names file, line and what is wrong; `expect` would show its Debug form.
        let program = program.unwrap_or_else(|error| panic!("the mappings don't compile: {error}"));
        Job { program: Arc::new(program), dump: Arc::clone(dump), work_folder: work_folder.to_path_buf() }
    }

    /// The types of its events.
    pub fn catalog(&self) -> &Arc<EventCatalog> {
        self.program.catalog()
    }

    /// Starts a run on one thread, so that the machine's number of cores isn't part of a figure; `memory_bytes` as in
    /// [`RunOptions`].
    pub fn run(&self, memory_bytes: usize) -> EventStream {
        let options = RunOptions { threads: 1, memory_bytes, ..RunOptions::new(&self.work_folder) };
        run(&self.program, &self.dump, &options).expect("the program was compiled against this dump")
    }
}
