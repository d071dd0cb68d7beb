//! Use cases: what a module must make of some events, written down as data.
//!
//! In: `usecases/*.toml` of a module, and the event types of the project. Out: [`UseCase`]s whose events exist, have all
//! their fields and stand in the total order of a seed. What is wrong in a file is a diagnostic at its place. A use case
//! is run by [`crate::postgres::try_out`], and what is not run here can be told as a story or drawn.

mod fields;
mod given;
mod reading;
mod then;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use etl_schemas::diagnostic::Diagnostic;
use etl_schemas::event::{EventBatch, EventCatalog};

pub use given::GivenEvent;
pub use then::{Expectation, ExpectedColumn, ExpectedRow, ExpectedTable};

use crate::LoadError;
use crate::module::{Module, Script};

/// The folder of a module's use cases.
pub const USE_CASES: &str = "usecases";

/// Given events, when they are loaded, then rows.
#[derive(Clone, Debug)]
pub struct UseCase {
    /// The file's name without `.toml`.
    pub name: String,
    /// What it shows, in a sentence.
    pub title: String,
    /// The events, in their total order.
    pub given: Vec<GivenEvent>,
    /// What the tables hold afterwards. Tables that aren't named are not looked at.
    pub then: Vec<ExpectedTable>,
    file: Script,
}

impl UseCase {
    /// Reads the use cases of a module, in the order of their names. A module without any has no folder for them.
    /// All that is wrong in any of them is reported at once.
    pub fn load_all(module: &Module, catalog: &EventCatalog) -> Result<Vec<UseCase>, LoadError> {
        let folder = module.folder().join(USE_CASES);
        if !folder.exists() {
            return Ok(Vec::new());
        }
        let read_error = |source| LoadError::Read { path: folder.clone(), source };
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(read_error)? {
            let path = entry.map_err(read_error)?.path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                paths.push(path);
            }
        }
        paths.sort();
        let (mut cases, mut diagnostics) = (Vec::new(), Vec::new());
        for path in paths {
            match reading::read(Script::read(path)?, catalog) {
                Ok(case) => cases.push(case),
                Err(more) => diagnostics.extend(more),
            }
        }
        match diagnostics.is_empty() {
            true => Ok(cases),
            false => Err(LoadError::Invalid(diagnostics)),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// The events as a seed would hand them over: one batch from position 1.
    pub fn batch(&self, catalog: &Arc<EventCatalog>) -> Option<Arc<EventBatch>> {
        given::batch(&self.given, catalog)
    }

    /// An error at a place in the file.
    pub(crate) fn diagnostic(&self, span: Range<usize>, message: impl Into<String>) -> Diagnostic {
        self.file.diagnostic(span, message)
    }
}
