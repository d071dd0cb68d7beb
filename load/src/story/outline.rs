//! The outline of a project: plain data, from which story, summary and graph are written.

use std::collections::BTreeSet;

use etl_schemas::event::EventCatalog;
use serde::Serialize;

use super::relations::Relations;
use super::sql::mapped;
use crate::module::{Action, Handler, Module};
use crate::usecase::{Expectation, GivenEvent, UseCase};

/// What a project does.
#[derive(Clone, Debug, Serialize)]
pub struct Outline {
    /// In the order of `events.proto`.
    pub events: Vec<EventOutline>,
    /// In the order of their names.
    pub modules: Vec<ModuleOutline>,
}

/// An event type.
#[derive(Clone, Debug, Serialize)]
pub struct EventOutline {
    /// The message's name.
    pub name: String,
    /// The legacy tables whose rows become such events, those that are only looked up in included.
    pub sources: Vec<String>,
    /// Whether a use case of any module covers a handler of it.
    pub covered: bool,
}

/// A module.
#[derive(Clone, Debug, Serialize)]
pub struct ModuleOutline {
    /// Its name.
    pub name: String,
    /// Whether it says `order = "strict"`.
    pub strict: bool,
    /// What it takes, in the order of the event types.
    pub handlers: Vec<HandlerOutline>,
    /// Its tables and then its views, in the order of the scripts.
    pub tables: Vec<TableOutline>,
    /// Its use cases, in the order of their names.
    pub use_cases: Vec<UseCaseOutline>,
}

/// How a module takes events of one type.
#[derive(Clone, Debug, Serialize)]
pub struct HandlerOutline {
    /// The event type.
    pub event: String,
    /// `copy`, `sql` or `call`.
    pub kind: &'static str,
    /// The tables that it writes.
    pub writes: Vec<String>,
    /// Names of the use cases that cover it.
    pub use_cases: Vec<String>,
}

/// A table or a view.
#[derive(Clone, Debug, Serialize)]
pub struct TableOutline {
    /// Its name; `schema.name` outside `public`.
    pub name: String,
    /// Of a view, the tables and views that it reads.
    pub view_of: Option<Vec<String>>,
    /// Names of the use cases that cover it.
    pub use_cases: Vec<String>,
}

/// A use case.
#[derive(Clone, Debug, Serialize)]
pub struct UseCaseOutline {
    /// The file's name without `.toml`.
    pub name: String,
    /// What it shows.
    pub title: String,
    /// The events, in their total order.
    pub given: Vec<GivenOutline>,
    /// What tables hold afterwards.
    pub then: Vec<ThenOutline>,
}

/// An event of a use case.
#[derive(Clone, Debug, Serialize)]
pub struct GivenOutline {
    /// The event type.
    pub event: String,
    /// When it happened, UTC, if the file says so.
    pub occurred_at: Option<String>,
    /// Its fields as they are written.
    pub fields: Vec<Field>,
}

/// What a table holds.
#[derive(Clone, Debug, Serialize)]
pub struct ThenOutline {
    /// The table or view.
    pub table: String,
    /// How many rows.
    pub count: u64,
    /// The rows, if the use case says what is in them: each by the columns that matter.
    pub rows: Option<Vec<Vec<Field>>>,
}

/// A field of an event or a column of a row; `None` is NULL.
#[derive(Clone, Debug, Serialize)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its value as text.
    pub value: Option<String>,
}

impl Outline {
    /// `mappings` are the texts of the mapping files.
    pub fn new<'a>(
        catalog: &EventCatalog,
        modules: &[(Module, Vec<UseCase>)],
        mappings: impl IntoIterator<Item = &'a str>,
    ) -> Outline {
        let modules: Vec<ModuleOutline> =
            modules.iter().map(|(module, cases)| ModuleOutline::new(catalog, module, cases)).collect();
        let mapped: BTreeSet<(String, String)> = mappings.into_iter().flat_map(mapped).collect();
        let event = |name: &str| {
            let handlers = modules.iter().flat_map(|module| &module.handlers);
            EventOutline {
                name: name.to_string(),
                sources: mapped.iter().filter(|(_, event)| event == name).map(|(table, _)| table.clone()).collect(),
                covered: handlers.filter(|handler| handler.event == name).any(|handler| !handler.use_cases.is_empty()),
            }
        };
        Outline { events: catalog.types.iter().map(|event_type| event(&event_type.name)).collect(), modules }
    }
}

impl Outline {
    /// Leaves only modules that are named, and the events that they take. What is covered stays so.
    pub fn keep_modules(&mut self, names: &[String]) {
        self.modules.retain(|module| names.contains(&module.name));
        let modules = &self.modules;
        let is_taken = |event: &EventOutline| {
            modules.iter().flat_map(|module| &module.handlers).any(|handler| handler.event == event.name)
        };
        self.events.retain(is_taken);
    }
}

impl ModuleOutline {
    fn new(catalog: &EventCatalog, module: &Module, cases: &[UseCase]) -> ModuleOutline {
        let relations = Relations::of(module);
        // By use case, all that it looks at: what it names, and what is below that.
        let looked_at: Vec<BTreeSet<String>> = cases
            .iter()
            .map(|case| case.then.iter().flat_map(|table| relations.below(&table.name())).collect())
            .collect();
        let names = |covers: &dyn Fn(&UseCase, &BTreeSet<String>) -> bool| {
            let covering = cases.iter().zip(&looked_at).filter(|(case, tables)| covers(case, tables));
            covering.map(|(case, _)| case.name.clone()).collect::<Vec<String>>()
        };
        let table = |name: &str, view_of: Option<Vec<String>>| TableOutline {
            name: name.to_string(),
            view_of,
            use_cases: names(&|_, tables| tables.contains(name)),
        };
        let handler = |handler: &Handler| {
            let (kind, writes) = match &handler.action {
                Action::Copy(table) => ("copy", relations.written_by_copy(&table.to_string())),
                Action::Sql(script) => ("sql", relations.written_by_script(&script.text)),
                Action::Call(function) => ("call", relations.written_by_function(&function.to_string())),
            };
            let gives = |case: &UseCase| case.given.iter().any(|event| event.rank == handler.rank);
            let use_cases = names(&|case, tables| gives(case) && writes.iter().any(|table| tables.contains(table)));
            HandlerOutline { event: catalog.types[usize::from(handler.rank)].name.clone(), kind, writes, use_cases }
        };
        let views = relations.views.iter().map(|view| table(&view.name, Some(view.reads.clone())));
        ModuleOutline {
            name: module.name.clone(),
            strict: module.strict,
            handlers: module.handlers.iter().map(handler).collect(),
            tables: relations.tables.iter().map(|name| table(name, None)).chain(views).collect(),
            use_cases: cases.iter().map(|case| UseCaseOutline::new(catalog, case)).collect(),
        }
    }
}

impl UseCaseOutline {
    fn new(catalog: &EventCatalog, case: &UseCase) -> UseCaseOutline {
        let given = |event: &GivenEvent| GivenOutline {
            event: catalog.types[usize::from(event.rank)].name.clone(),
            occurred_at: event.is_timed.then(|| format!("{}Z", event.occurred_at)),
            fields: event
                .fields
                .iter()
                .map(|(name, value)| Field { name: name.clone(), value: Some(value.clone()) })
                .collect(),
        };
        let then = case.then.iter().map(|table| match &table.rows {
            Expectation::Count(count) => ThenOutline { table: table.name(), count: *count, rows: None },
            Expectation::Rows(rows) => {
                let column = |column: &crate::usecase::ExpectedColumn| Field {
                    name: column.column.clone(),
                    value: column.value.clone(),
                };
                let cells = rows.iter().map(|row| row.columns.iter().map(column).collect()).collect();
                ThenOutline { table: table.name(), count: rows.len() as u64, rows: Some(cells) }
            }
        });
        UseCaseOutline {
            name: case.name.clone(),
            title: case.title.clone(),
            given: case.given.iter().map(given).collect(),
            then: then.collect(),
        }
    }
}
