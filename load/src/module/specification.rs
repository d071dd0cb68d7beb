//! `module.toml` as it is written, and its check against the event types.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use etl_schemas::diagnostic::{Diagnostic, did_you_mean};
use etl_schemas::event::{ENGINE_FIELDS, EventCatalog, EventType};
use etl_schemas::project::{QueueKind, parse_toml};
use serde::Deserialize;
use toml::Spanned;

use super::{Action, ColumnSource, Handler, ObjectName, Script, is_engine_field};
use crate::LoadError;

/// Postgres cuts longer names in silence.
const NAME_BYTES_MAX: usize = 63;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Specification {
    name: Spanned<String>,
    order: Option<Spanned<String>>,
    queue: Option<Spanned<String>>,
    #[serde(default)]
    on: BTreeMap<Spanned<String>, FileHandler>,
}

/// What a specification says, checked.
pub(super) struct Checked {
    pub(super) name: String,
    pub(super) name_span: Range<usize>,
    pub(super) strict: bool,
    pub(super) queue: Option<QueueKind>,
    pub(super) handlers: Vec<Handler>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileHandler {
    copy: Option<Spanned<String>>,
    #[serde(default)]
    columns: BTreeMap<Spanned<String>, Spanned<String>>,
    sql: Option<Spanned<String>>,
    call: Option<Spanned<String>>,
}

/// Gathers what is wrong, so that a file's errors are shown all at once.
struct Check<'a> {
    file: &'a Script,
    folder: &'a Path,
    diagnostics: Vec<Diagnostic>,
}

impl Specification {
    pub(super) fn parse(file: &Script) -> Result<Specification, LoadError> {
        parse_toml(&file.path, &file.text).map_err(|diagnostic| LoadError::Invalid(vec![*diagnostic]))
    }

    /// What the file says, or everything that is wrong with it.
    pub(super) fn check(
        self,
        file: &Script,
        folder: &Path,
        catalog: &EventCatalog,
    ) -> Result<Checked, Vec<Diagnostic>> {
        let mut check = Check { file, folder, diagnostics: Vec::new() };
        check.name(&self.name);
        if let Some(order) = self.order.as_ref().filter(|order| order.get_ref() != "strict") {
            let help = "write order = \"strict\", or leave it out: the order within each stream is kept anyway";
            check.refuse(order.span(), "there is no such order", help);
        }
        let queue = self.queue.as_ref().map(|written| QueueKind::checked(&file.path, &file.text, written)).transpose();
        let queue = queue.unwrap_or_else(|wrong| {
            check.diagnostics.push(*wrong);
            None
        });
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
            true => {
                let (name_span, name) = (self.name.span(), self.name.into_inner());
                Ok(Checked { name, name_span, strict: self.order.is_some(), queue, handlers })
            }
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

    fn handler(&mut self, span: Range<usize>, event_type: &EventType, written: &FileHandler) -> Option<Handler> {
        let (value, action) = match (&written.copy, &written.sql, &written.call) {
            (Some(copy), None, None) => (copy, Action::Copy(self.object(copy, "table")?)),
            (None, Some(sql), None) => (sql, Action::Sql(self.script(sql)?)),
            (None, None, Some(call)) => (call, Action::Call(self.object(call, "function")?)),
            (None, None, None) => {
                let help = "add `copy = \"table\"`, `sql = \"handlers/file.sql\"` or `call = \"function\"`";
                self.refuse(span, format!("nothing says what to do with `{}`", event_type.name), help);
                return None;
            }
            _ => {
                let help = "keep one of `copy`, `sql` and `call`; a handler in SQL may write several tables";
                self.refuse(span, format!("`{}` is handled twice", event_type.name), help);
                return None;
            }
        };
        if let Some((column, _)) = written.columns.iter().next().filter(|_| written.copy.is_none()) {
            self.refuse(column.span(), "only `copy` fills columns", "name the event's fields in the SQL instead");
        }
        let columns = written.columns.iter().map(|(column, field)| self.column(event_type, column, field)).collect();
        Some(Handler { rank: event_type.rank, action, columns, span: value.span() })
    }

    fn object(&mut self, written: &Spanned<String>, kind: &str) -> Option<ObjectName> {
        let (schema, name) = written.get_ref().split_once('.').unwrap_or(("public", written.get_ref()));
        if schema.is_empty() || name.is_empty() || name.contains('.') {
            self.refuse(
                written.span(),
                format!("this is no {kind}'s name"),
                format!("write `{kind}` or `schema.{kind}`"),
            );
            return None;
        }
        if schema == "etl" {
            let help = format!("put the {kind} into another schema");
            self.refuse(written.span(), "the schema `etl` holds the checkpoint", help);
            return None;
        }
        Some(ObjectName { schema: schema.to_string(), name: name.to_string() })
    }

    fn script(&mut self, written: &Spanned<String>) -> Option<Script> {
        let path = self.folder.join(written.get_ref());
        match Script::read(path) {
            Ok(script) if !script.text.trim().is_empty() => Some(script),
            Ok(_) => {
                self.refuse(written.span(), "this file is empty", "write the handler's SQL into it");
                None
            }
            Err(error) => {
                let help = "the file is looked for in the module's folder";
                self.refuse(written.span(), format!("this file can't be read: {error}"), help);
                None
            }
        }
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
