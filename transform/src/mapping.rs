//! Mappings: from SQL files to a [`Program`].
//!
//! In: `mappings/*.sql`, the tables of a dump, the event types. Out: a program whose every expression has its type,
//! or all that is wrong in all files, each with its place and what would be right. Nothing is run here.

mod assign;
mod compile;
mod data_type;
mod dialect;
mod fingerprint;
mod function;
mod mapper;
mod operator;
mod pattern;
mod program;
mod scope;
mod sharing;
mod source;
mod statement;
mod temporal;
mod text;
mod typed;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use etl_schemas::diagnostic::Diagnostic;
use etl_schemas::event::EventCatalog;
use etl_schemas::project::Project;
use etl_schemas::table::TableSchema;

pub use program::Program;
pub(crate) use program::{FieldAssignment, Join, LookupTable, Mapping, TableScan};
pub(crate) use scope::column_type;
pub(crate) use source::SourceFile;
pub(crate) use text::{ConditionText, MappingText};

use crate::causality;
use crate::derived::{self, DerivedTable};
use crate::error::TransformError;
use crate::zone::Zone;
use mapper::Mapper;

use statement::MappingStatement;

/// The parser and the trees recurse, so they get a stack of their own, whatever thread calls.
const STACK_BYTES: usize = 64 << 20;

/// The mapping files of a project, read but not yet understood.
#[derive(Debug)]
pub struct Mappings {
    files: Vec<SourceFile>,
    /// `derived/*.sql`: path and text.
    derived: Vec<(PathBuf, String)>,
}

impl Mappings {
    /// Reads `mappings/*.sql`, in the order of their names.
    pub fn load(project: &Project) -> Result<Mappings, TransformError> {
        let folder = project.mappings_folder();
        let texts = texts(project, &folder)?;
        if texts.is_empty() {
            return Err(TransformError::NoMappings { folder });
        }
        let derived = project.derived_folder();
        let derived = if derived.exists() { self::texts(project, &derived)? } else { Vec::new() };
        Ok(Mappings::from_texts(texts).with_derived(derived))
    }

    /// Adds texts that make derived tables, as the files in `derived/` do.
    #[must_use]
    pub fn with_derived(mut self, texts: impl IntoIterator<Item = (PathBuf, String)>) -> Mappings {
        self.derived.extend(texts);
        self
    }

    /// From texts that lie in memory, each with the path that messages name.
    pub fn from_texts(texts: impl IntoIterator<Item = (PathBuf, String)>) -> Mappings {
        let files = texts.into_iter().map(|(path, text)| SourceFile::new(path, text)).collect();
        Mappings { files, derived: Vec::new() }
    }

    /// Compiles all files against the dump's tables and the event types. All errors of all files come back together.
    pub fn compile(
        &self,
        project: &Project,
        tables: &[TableSchema],
        catalog: &Arc<EventCatalog>,
    ) -> Result<Program, TransformError> {
        std::thread::scope(|threads| {
            let thread = std::thread::Builder::new().name("compile".to_string()).stack_size(STACK_BYTES);
            let handle = thread
                .spawn_scoped(threads, || self.compile_here(project, tables, catalog))
                .map_err(TransformError::Thread)?;
            handle.join().unwrap_or_else(|_| Err(TransformError::Panicked { at: "compiling mappings".to_string() }))
        })
    }

    fn compile_here(
        &self,
        project: &Project,
        tables: &[TableSchema],
        catalog: &Arc<EventCatalog>,
    ) -> Result<Program, TransformError> {
        let mut errors = Vec::new();
        let derived = self.derived_tables(tables, &mut errors);
        let mut all = tables.to_vec();
        all.extend(derived.iter().map(|table| table.schema.clone()));
        let tables = all.as_slice();
        let mut mapper = Mapper {
            tables,
            catalog,
            namespace: project.namespace,
            zone: project_zone(project)?,
            scans: Vec::new(),
            lookups: Vec::new(),
            mappings: Vec::new(),
            keys: HashMap::new(),
            errors,
        };
        let mut canonical = Vec::new();
        for file in &self.files {
            let statements: Vec<MappingStatement> = statement::statements(file, &mut mapper.errors);
            for statement in statements {
                mapper.add(file, &statement);
                canonical.push(statement.canonical);
            }
        }
        let constraints = causality::compile(&project.after, catalog).unwrap_or_else(|errors| {
            mapper.errors.extend(errors);
            Vec::new()
        });
        if !mapper.errors.is_empty() {
            mapper.errors.sort_by(|left, right| {
                (&left.file, left.line, left.column).cmp(&(&right.file, right.line, right.column))
            });
            return Err(TransformError::Invalid(mapper.errors));
        }
        let fingerprint = fingerprint::fingerprint(&canonical, catalog, mapper.zone.as_deref(), &constraints, &derived);
        for scan in &mut mapper.scans {
            scan.shared = sharing::share(scan, &mut mapper.mappings);
        }
        let read = |table: &&TableSchema| {
            mapper.scans.iter().any(|scan| scan.table.name == table.name)
                || mapper.lookups.iter().any(|lookup| lookup.table.name == table.name)
        };
        let unread = tables.iter().filter(|table| !read(table)).map(|table| table.name.clone()).collect();
        Ok(Program {
            catalog: Arc::clone(catalog),
            mappings: mapper.mappings,
            scans: mapper.scans,
            lookups: mapper.lookups,
            unread,
            constraints,
            derived,
            fingerprint,
        })
    }

    /// The derived tables, each with a name of its own and a query that fits it.
    fn derived_tables(&self, tables: &[TableSchema], errors: &mut Vec<Diagnostic>) -> Vec<DerivedTable> {
        let mut found: Vec<DerivedTable> = Vec::new();
        for (path, text) in &self.derived {
            for table in derived::statements(path, text, errors) {
                let name = &table.schema.name;
                match found.iter().map(|known| &known.schema).chain(tables).any(|known| known.name == *name) {
                    true => errors.push(table.twice()),
                    false => found.push(table),
                }
            }
        }
        errors.extend(derived::check(&found, tables));
        found
    }
}

/// Reads and compiles a project's mappings.
pub fn compile(
    project: &Project,
    tables: &[TableSchema],
    catalog: &Arc<EventCatalog>,
) -> Result<Program, TransformError> {
    Mappings::load(project)?.compile(project, tables, catalog)
}

/// The `.sql` files of a folder, by name: path within the project, and text.
fn texts(project: &Project, folder: &Path) -> Result<Vec<(PathBuf, String)>, TransformError> {
    let failed = |path: &Path, source| TransformError::Mappings { path: path.to_path_buf(), source };
    let mut paths = sql_files(folder).map_err(|source| failed(folder, source))?;
    paths.sort();
    let mut texts = Vec::with_capacity(paths.len());
    for path in paths {
        let text = std::fs::read_to_string(&path).map_err(|source| failed(&path, source))?;
        texts.push((path.strip_prefix(&project.folder).unwrap_or(&path).to_path_buf(), text));
    }
    Ok(texts)
}

fn sql_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            paths.push(path);
        }
    }
    Ok(paths)
}

fn project_zone(project: &Project) -> Result<Option<Arc<Zone>>, TransformError> {
    let Some(name) = project.source.as_ref().and_then(|source| source.time_zone.as_deref()) else { return Ok(None) };
    match Zone::named(name) {
        Ok(zone) => Ok(Some(zone)),
        Err(help) => Err(TransformError::TimeZone { name: name.to_string(), help }),
    }
}

/// Only messages of this kind name their place.
impl TransformError {
    /// The diagnostics of a project that doesn't compile; none for any other error.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        match self {
            TransformError::Invalid(diagnostics) => diagnostics,
            _ => &[],
        }
    }
}
