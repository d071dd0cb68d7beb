//! `module.toml` as it is written, and its check against the event types.

use std::collections::BTreeMap;
use std::ops::Range;

use etl_schemas::diagnostic::{Diagnostic, did_you_mean};
use etl_schemas::event::{ENGINE_FIELDS, EventCatalog, EventType};
use etl_schemas::project::parse_toml;
use serde::Deserialize;
use toml::Spanned;

use super::{ColumnSource, CopyHandler, Script, is_engine_field};
use crate::LoadError;

/// Postgres cuts longer names in silence.
const NAME_BYTES_MAX: usize = 63;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Specification {
    name: Spanned<String>,
    order: Option<Spanned<String>>,
    #[serde(default)]
    on: BTreeMap<Spanned<String>, Handler>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Handler {
    copy: Option<Spanned<String>>,
    #[serde(default)]
    columns: BTreeMap<Spanned<String>, Spanned<String>>,
    sql: Option<Spanned<String>>,
    call: Option<Spanned<String>>,
}

/// Gathers what is wrong, so that a file's errors are shown all at once.
struct Check<'a> {
    file: &'a Script,
    diagnostics: Vec<Diagnostic>,
}

impl Specification {
    pub(super) fn parse(file: &Script) -> Result<Specification, LoadError> {
        parse_toml(&file.path, &file.text).map_err(|diagnostic| LoadError::Invalid(vec![*diagnostic]))
    }

    /// The module's name and handlers, or everything that is wrong with them.
    pub(super) fn check(
        self,
        file: &Script,
        catalog: &EventCatalog,
    ) -> Result<(String, Vec<CopyHandler>), Vec<Diagnostic>> {
        let mut check = Check { file, diagnostics: Vec::new() };
        check.name(&self.name);
        if let Some(order) = &self.order {
            check.refuse(order.span(), "`order` can't be chosen yet", "leave it out: copied rows need no order");
        }
        let mut handlers = Vec::new();
        for (name, handler) in &self.on {
            let Some(event_type) = catalog.event_type(name.get_ref()) else {
                let help = did_you_mean(name.get_ref(), catalog.types.iter().map(|known| known.name.as_str()));
                check.refuse(name.span(), format!("no event type is called `{}`", name.get_ref()), help);
                continue;
            };
            handlers.extend(check.handler(name.span(), event_type, handler));
        }
        handlers.sort_by_key(|handler| handler.rank);
        match check.diagnostics.is_empty() {
            true => Ok((self.name.into_inner(), handlers)),
            false => {
                check.diagnostics.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
                Err(check.diagnostics)
            }
        }
    }
}

impl Check<'_> {
    fn refuse(&mut self, span: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.diagnostics.push(self.file.diagnostic(span, message).help(help));
    }

    /// The name becomes a database's, so it must be one that nobody has to quote.
    fn name(&mut self, name: &Spanned<String>) {
        let text = name.get_ref();
        let simple = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if !text.starts_with(|c: char| c.is_ascii_lowercase()) || !text.chars().all(simple) {
            let help = "begin with a lower-case letter and go on with lower-case letters, digits and `_`";
            self.refuse(name.span(), "a module's name can't be written like this", help);
        } else if text.len() > NAME_BYTES_MAX {
            self.refuse(name.span(), format!("a module's name has at most {NAME_BYTES_MAX} letters"), "shorten it");
        } else if ["postgres", "template0", "template1"].contains(&text.as_str()) {
            self.refuse(name.span(), "this database is Postgres's own", "choose another name");
        }
    }

    fn handler(&mut self, span: Range<usize>, event_type: &EventType, handler: &Handler) -> Option<CopyHandler> {
        for (key, value) in [("sql", &handler.sql), ("call", &handler.call)] {
            if let Some(value) = value {
                let message = format!("`{key}` handlers can't be run yet");
                self.refuse(value.span(), message, "`copy = \"table\"` is what this version can do with an event");
            }
        }
        let Some(copy) = &handler.copy else {
            if handler.sql.is_none() && handler.call.is_none() {
                let message = format!("nothing says what to do with `{}`", event_type.name);
                self.refuse(span, message, "add `copy = \"table\"`");
            }
            return None;
        };
        let (schema, table) = copy.get_ref().split_once('.').unwrap_or(("public", copy.get_ref()));
        if schema.is_empty() || table.is_empty() || table.contains('.') {
            self.refuse(copy.span(), "this is no table's name", "write `table` or `schema.table`");
            return None;
        }
        if schema == "etl" {
            self.refuse(copy.span(), "the schema `etl` holds the checkpoint", "put the table into another schema");
            return None;
        }
        let columns = handler.columns.iter().map(|(column, field)| self.column(event_type, column, field)).collect();
        let (schema, table) = (schema.to_string(), table.to_string());
        Some(CopyHandler { rank: event_type.rank, schema, table, columns, table_span: copy.span() })
    }

    fn column(&mut self, event_type: &EventType, column: &Spanned<String>, field: &Spanned<String>) -> ColumnSource {
        let span = column.span().start..field.span().end;
        let (column, name) = (column.get_ref().clone(), field.get_ref().clone());
        if !is_engine_field(&name) && event_type.field(&name).is_none() {
            let known = event_type.fields.iter().map(|field| field.name.as_str()).chain(ENGINE_FIELDS);
            let help = did_you_mean(&name, known);
            self.refuse(field.span(), format!("`{}` has no field `{name}`", event_type.name), help);
        }
        ColumnSource { column, field: name, span }
    }
}
