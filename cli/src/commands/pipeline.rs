//! What `check`, `events`, `seed` and `demo` have in common: a project and a dump, compiled into a program that runs.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use etl_schemas::dump::Dump;
use etl_schemas::event::EventCatalog;
use etl_schemas::project::Project;
use etl_schemas::table::TableSchema;
use etl_transform::{EventStream, KeptTables, Program, RunOptions, TransformError, Window, compile, materialise};

use super::work_folder::{self, WorkFolder};
use crate::arguments::TransformArguments;
use crate::failure::Findings;

/// A project compiled against a dump; nothing of the dump's rows has been read yet.
pub(super) struct Pipeline {
    pub(super) project: Project,
    pub(super) dump: Arc<Dump>,
    pub(super) catalog: Arc<EventCatalog>,
    pub(super) program: Arc<Program>,
    _tables: KeptTables,
}

impl Pipeline {
    /// Opens and compiles, and makes derived tables that aren't there yet.
    pub(super) fn open(project: &Path, arguments: &TransformArguments) -> anyhow::Result<Pipeline> {
        Pipeline::compiled(project, &arguments.from)?.with_derived_tables(&arguments.from, arguments.work.as_deref())
    }

    /// The same with the rows of derived tables, which the first run makes and later ones find in the work folder.
    pub(super) fn with_derived_tables(self, dump: &Path, work: Option<&Path>) -> anyhow::Result<Pipeline> {
        if !self.program.has_derived_tables() {
            return Ok(self);
        }
        let folder = work.map_or_else(|| work_folder::of_project(&self.project), Path::to_path_buf).join("derived");
        match materialise(&self.program, Dump::open(dump)?, &folder) {
            Ok((dump, _tables)) => Ok(Pipeline { dump: Arc::new(dump), _tables, ..self }),
            Err(TransformError::Invalid(diagnostics)) => Err(Findings::error(diagnostics)),
            Err(other) => Err(other.into()),
        }
    }

    /// Opens and compiles; all that is wrong in the mappings is told at once.
    pub(super) fn compiled(project: &Path, dump: &Path) -> anyhow::Result<Pipeline> {
        let project = Project::open(project)?;
        let catalog = Arc::new(EventCatalog::load(&project.events_file(), project.namespace)?);
        let dump = Arc::new(Dump::open(dump)?);
        let tables: Vec<TableSchema> = dump.tables().iter().map(|table| table.schema.clone()).collect();
        let program = match compile(&project, &tables, &catalog) {
            Ok(program) => Arc::new(program),
            Err(TransformError::Invalid(diagnostics)) => return Err(Findings::error(diagnostics)),
            Err(other) => return Err(other.into()),
        };
        Ok(Pipeline { project, dump, catalog, program, _tables: KeptTables::default() })
    }

    /// Starts to read rows. `work` takes rejected rows and temporary files.
    pub(super) fn run(&self, arguments: &TransformArguments, work: &WorkFolder) -> anyhow::Result<EventStream> {
        self.seek(arguments, work, Window::default())
    }

    /// The same within a window of time.
    pub(super) fn seek(
        &self,
        arguments: &TransformArguments,
        work: &WorkFolder,
        window: Window,
    ) -> anyhow::Result<EventStream> {
        Ok(etl_transform::seek(&self.program, &self.dump, &run_options(arguments, work), window)?)
    }
}

/// How the command line has a run carried out.
pub(super) fn run_options(arguments: &TransformArguments, work: &WorkFolder) -> RunOptions {
    RunOptions {
        threads: arguments.threads.map_or_else(all_cores, usize::from),
        memory_bytes: arguments.memory,
        work_folder: work.path().to_path_buf(),
        max_rejects: arguments.max_rejects,
    }
}

/// Threads when nobody says how many.
pub(super) fn all_cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
