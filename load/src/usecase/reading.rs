//! Reads the file of a use case.
//!
//! In: TOML with `title`, `[[given]]` and `[then]`. Out: a [`UseCase`], or everything that is wrong with it.

use std::ops::Range;

use etl_schemas::diagnostic::{Diagnostic, did_you_mean};
use etl_schemas::event::EventCatalog;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{UseCase, given, then};
use crate::module::Script;

/// Gathers what is wrong, so that a file's errors are shown all at once.
pub(super) struct Reading<'a> {
    pub(super) file: &'a Script,
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl Reading<'_> {
    pub(super) fn refuse(&mut self, span: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.diagnostics.push(self.file.diagnostic(span, message).help(help));
    }
}

pub(super) fn read(file: Script, catalog: &EventCatalog) -> Result<UseCase, Vec<Diagnostic>> {
    let table = DeTable::parse(&file.text)
        .map_err(|error| vec![file.diagnostic(error.span().unwrap_or(0..0), error.message().trim_end())])?;
    let mut reading = Reading { file: &file, diagnostics: Vec::new() };
    let (mut title, mut given_events, mut expected) = (None, Vec::new(), Vec::new());
    for (key, value) in table.get_ref() {
        match key.get_ref().as_ref() {
            "title" => title = reading.title(value),
            "given" => given_events = given::read(&mut reading, value, catalog),
            "then" => expected = then::read(&mut reading, value),
            other => {
                let help = did_you_mean(other, ["title", "given", "then"]);
                reading.refuse(key.span(), format!("unknown key `{other}`"), help);
            }
        }
    }
    if title.is_none() && reading.diagnostics.is_empty() {
        reading.refuse(0..1, "the use case has no title", "write title = \"what it shows, in a sentence\"");
    }
    if expected.is_empty() && reading.diagnostics.is_empty() {
        let help = "write [[then.TABLE]] with the columns of each row, or [then] with TABLE = number of rows";
        reading.refuse(0..1, "the use case expects nothing", help);
    }
    let mut diagnostics = reading.diagnostics;
    diagnostics.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
    match (title, diagnostics.is_empty()) {
        (Some(title), true) => {
            let name = file.path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
            Ok(UseCase { name, title, given: given_events, then: expected, file })
        }
        _ => Err(diagnostics),
    }
}

impl Reading<'_> {
    fn title(&mut self, value: &Spanned<DeValue<'_>>) -> Option<String> {
        match value.get_ref() {
            DeValue::String(text) if !text.trim().is_empty() => Some(text.trim().to_string()),
            _ => {
                self.refuse(value.span(), "a title is a text", "say in a sentence what the use case shows");
                None
            }
        }
    }

    /// The tables of an array of tables, such as `[[given]]`.
    pub(super) fn tables<'v, 'i>(
        &mut self,
        value: &'v Spanned<DeValue<'i>>,
        help: &str,
    ) -> Vec<(Range<usize>, &'v DeTable<'i>)> {
        let mut tables = Vec::new();
        let DeValue::Array(values) = value.get_ref() else {
            self.refuse(value.span(), format!("this is {}, and no list", value.get_ref().type_str()), help);
            return tables;
        };
        for value in values.iter() {
            match value.get_ref() {
                DeValue::Table(table) => tables.push((self.first_line(value.span()), table)),
                other => self.refuse(value.span(), format!("this is {}, and no table", other.type_str()), help),
            }
        }
        tables
    }

    /// A table's span may reach over many lines; an error points to where it begins.
    fn first_line(&self, span: Range<usize>) -> Range<usize> {
        let text = &self.file.text[span.clone()];
        span.start..span.start + text.find('\n').unwrap_or(text.len())
    }
}
