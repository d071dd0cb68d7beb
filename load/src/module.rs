//! A module's specification: a folder that says which events the module takes and into which tables.
//!
//! In: `module.toml`, `schema.sql`, and `indexes.sql` where there is one, and the event types of the project. Out: a
//! [`Module`] in which every name of an event type and of a field exists. What can't be known without a database (tables
//! and columns) is checked when the module is opened there, with the places kept here.

mod specification;

use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};

use etl_schemas::diagnostic::Diagnostic;
use etl_schemas::event::{ENGINE_FIELDS, EventCatalog};
use etl_schemas::uuid5::uuid5;
use uuid::Uuid;

use crate::LoadError;
pub use etl_schemas::project::QueueKind;
use specification::{Checked, Specification};

/// The file that makes a folder a module.
pub const MODULE_FILE: &str = "module.toml";

/// A module, as its files say.
#[derive(Clone, Debug)]
pub struct Module {
    /// Its name, which is also its database's.
    pub name: String,
    /// What it takes, in the order of the event types.
    pub handlers: Vec<Handler>,
    /// Whether every event takes effect on its own, in the order of all events: `order = "strict"`.
    pub strict: bool,
    /// What kind of queue it has on a broker; `None` leaves it to the target.
    pub queue: Option<QueueKind>,
    /// Makes the tables, before anything is loaded.
    pub schema: Script,
    /// Makes keys and indexes, after everything is loaded.
    pub indexes: Option<Script>,
    name_span: Range<usize>,
    file: Script,
}

/// Takes events of one type.
#[derive(Clone, Debug)]
pub struct Handler {
    /// The event type's place among [`EventCatalog::types`].
    pub rank: u16,
    /// What is done with the events.
    pub action: Action,
    /// What fills a column whose name isn't the field's.
    pub columns: Vec<ColumnSource>,
    /// Where `module.toml` names the table, the file or the function.
    pub(crate) span: Range<usize>,
}

/// What a handler does.
#[derive(Clone, Debug)]
pub enum Action {
    /// One row an event into a table.
    Copy(ObjectName),
    /// Runs SQL over a set of events, which lie in a table named like the event type.
    Sql(Script),
    /// Calls a function for one event after another.
    Call(ObjectName),
}

/// A table or a function of the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectName {
    /// Its schema.
    pub schema: String,
    /// Its name within the schema.
    pub name: String,
}

impl std::fmt::Display for ObjectName {
    /// As people write it: without the schema `public`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.schema.as_str() {
            "public" => f.write_str(&self.name),
            schema => write!(f, "{schema}.{}", self.name),
        }
    }
}

/// `column = "field"`
#[derive(Clone, Debug)]
pub struct ColumnSource {
    /// The table's column.
    pub column: String,
    /// The event's field, or one of [`ENGINE_FIELDS`].
    pub field: String,
    /// Where `module.toml` says so.
    pub(crate) span: Range<usize>,
}

/// A file that people write, kept with its text so that errors can point into it.
#[derive(Clone, Debug)]
pub struct Script {
    /// The file.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

impl Script {
    /// Reads a file.
    pub(crate) fn read(path: PathBuf) -> Result<Script, LoadError> {
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Script { path, text }),
            Err(source) => Err(LoadError::Read { path, source }),
        }
    }

    /// An error at a place in the text.
    pub(crate) fn diagnostic(&self, span: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic::at(&self.path, &self.text, span, message)
    }
}

impl Module {
    /// Reads the module in `folder`.
    pub fn load(folder: &Path, catalog: &EventCatalog) -> Result<Module, LoadError> {
        let file = Script::read(folder.join(MODULE_FILE))?;
        let checked = Specification::parse(&file)?.check(&file, folder, catalog).map_err(LoadError::Invalid)?;
        let Checked { name, name_span, strict, queue, handlers } = checked;
        let schema = Script::read(folder.join("schema.sql"))?;
        let indexes = folder.join("indexes.sql");
        let indexes = if indexes.exists() { Some(Script::read(indexes)?) } else { None };
        Ok(Module { name, handlers, strict, queue, schema, indexes, name_span, file })
    }

    /// Reads every module under `folder` (the folders with a `module.toml`), in the order of their names; none when there
    /// is no such folder. All that is wrong in any of them is reported at once.
    pub fn load_all(folder: &Path, catalog: &EventCatalog) -> Result<Vec<Module>, LoadError> {
        let mut folders = Vec::new();
        let read_error = |source| LoadError::Read { path: folder.to_path_buf(), source };
        let entries = match std::fs::read_dir(folder) {
            // A project may have mappings only.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(read_error)?,
        };
        for entry in entries {
            let path = entry.map_err(read_error)?.path();
            if path.join(MODULE_FILE).exists() {
                folders.push(path);
            }
        }
        folders.sort();
        let (mut modules, mut diagnostics) = (Vec::<Module>::new(), Vec::new());
        for folder in folders {
            match Module::load(&folder, catalog) {
                Ok(module) => modules.push(module),
                Err(LoadError::Invalid(more)) => diagnostics.extend(more),
                Err(other) => return Err(other),
            }
        }
        diagnostics.extend(doubled_names(&modules));
        match diagnostics.is_empty() {
            true => Ok(modules),
            false => Err(LoadError::Invalid(diagnostics)),
        }
    }

    /// The folder that holds its files.
    pub fn folder(&self) -> &Path {
        self.file.path.parent().expect("the path of module.toml was made by joining it to a folder")
    }

    /// Changes whenever what the module loads would change: a UUIDv5 of `module.toml`, `schema.sql` and the handlers'
    /// SQL. The indexes are left out: they are built at the end in one go, and a seed that failed on them may go on with
    /// a repaired file.
    pub fn fingerprint(&self) -> String {
        let mut fingerprint = uuid5(&Uuid::NAMESPACE_OID, self.file.text.as_bytes());
        fingerprint = uuid5(&fingerprint, self.schema.text.as_bytes());
        for handler in &self.handlers {
            if let Action::Sql(script) = &handler.action {
                fingerprint = uuid5(&fingerprint, script.text.as_bytes());
            }
        }
        fingerprint.to_string()
    }

    /// An error about its name.
    pub(crate) fn at_name(&self, message: impl Into<String>) -> Diagnostic {
        self.file.diagnostic(self.name_span.clone(), message)
    }

    /// An error about what a handler names.
    pub(crate) fn at_handler(&self, handler: &Handler, message: impl Into<String>) -> Diagnostic {
        self.file.diagnostic(handler.span.clone(), message)
    }

    /// An error about a column of a handler: at its own entry if it has one, else where the table is named.
    pub(crate) fn at_column(&self, handler: &Handler, column: &str, message: impl Into<String>) -> Diagnostic {
        let entry = handler.columns.iter().find(|source| source.column == column);
        self.file.diagnostic(entry.map_or(&handler.span, |source| &source.span).clone(), message)
    }
}

/// Two modules of one name would share a database.
fn doubled_names(modules: &[Module]) -> Vec<Diagnostic> {
    let mut doubled = Vec::new();
    for (index, module) in modules.iter().enumerate() {
        if let Some(first) = modules[..index].iter().find(|earlier| earlier.name == module.name) {
            let message = format!("the name `{}` is taken by {} already", module.name, first.file.path.display());
            doubled.push(module.at_name(message));
        }
    }
    doubled
}

/// Whether a name stands for the envelope and not for a field of the event.
pub(crate) fn is_engine_field(name: &str) -> bool {
    ENGINE_FIELDS.contains(&name)
}
