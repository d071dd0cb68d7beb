//! What `check`, `events`, `seed` and `demo` have in common: a project and a dump, compiled into a program that runs.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use etl_schemas::dump::Dump;
use etl_schemas::event::EventCatalog;
use etl_schemas::project::Project;
use etl_schemas::table::TableSchema;
use etl_transform::{EventStream, Program, RunOptions, TransformError, compile};

use super::work_folder::WorkFolder;
use crate::arguments::TransformArguments;
use crate::failure::Findings;

/// A project compiled against a dump; nothing of the dump's rows has been read yet.
pub(super) struct Pipeline {
    pub(super) project: Project,
    pub(super) dump: Arc<Dump>,
    pub(super) catalog: Arc<EventCatalog>,
    pub(super) program: Arc<Program>,
}

impl Pipeline {
    /// Opens and compiles; all that is wrong in the mappings is told at once.
    pub(super) fn open(project: &Path, dump: &Path) -> anyhow::Result<Pipeline> {
        let project = Project::open(project)?;
        let catalog = Arc::new(EventCatalog::load(&project.events_file(), project.namespace)?);
        let dump = Arc::new(Dump::open(dump)?);
        let tables: Vec<TableSchema> = dump.tables().iter().map(|table| table.schema.clone()).collect();
        let program = match compile(&project, &tables, &catalog) {
            Ok(program) => Arc::new(program),
            Err(TransformError::Invalid(diagnostics)) => return Err(Findings::error(diagnostics)),
            Err(other) => return Err(other.into()),
        };
        Ok(Pipeline { project, dump, catalog, program })
    }

    /// Starts to read rows. `work` takes rejected rows and temporary files.
    pub(super) fn run(&self, arguments: &TransformArguments, work: &WorkFolder) -> anyhow::Result<EventStream> {
        let options = RunOptions {
            threads: arguments.threads.map_or_else(all_cores, usize::from),
            memory_bytes: arguments.memory,
            work_folder: work.path().to_path_buf(),
            max_rejects: arguments.max_rejects,
        };
        Ok(etl_transform::run(&self.program, &self.dump, &options)?)
    }
}

/// Threads when nobody says how many.
pub(super) fn all_cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
