//! From one statement to a [`Mapping`]: tables and event are found by name, joins are taken apart, every field gets its
//! expression.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use etl_schemas::diagnostic::{Diagnostic, did_you_mean};
use etl_schemas::event::{EventCatalog, EventType};
use etl_schemas::table::TableSchema;
use sqlparser::ast::{BinaryOperator, Expr as Ast, Ident, Spanned};
use sqlparser::tokenizer::Span;
use uuid::Uuid;

use super::compile::{Compiler, Reported};
use super::program::{FieldAssignment, Join, LookupTable, Mapping, TableScan};
use super::scope::{Relation, Scope, column_type};
use super::source::SourceFile;
use super::statement::{JoinReference, MappingStatement, TableReference};
use super::text::MappingText;
use super::typed::{Typed, coerce};
use crate::expression::{Expr, Type};
use crate::zone::Zone;

/// The columns that are the engine's in every mapping.
const ENGINE_COLUMNS: [&str; 3] = ["occurred_at", "key", "stream"];

/// Compiles statement after statement into scans, lookups and mappings.
pub(super) struct Mapper<'a> {
    pub tables: &'a [TableSchema],
    pub catalog: &'a EventCatalog,
    pub namespace: Uuid,
    pub zone: Option<Arc<Zone>>,
    pub scans: Vec<TableScan>,
    pub lookups: Vec<LookupTable>,
    pub mappings: Vec<Mapping>,
    /// What the key of an event type is, and which mapping said so first.
    pub keys: HashMap<u16, (Type, String)>,
    pub errors: Vec<Diagnostic>,
}

/// The three columns of the engine, compiled.
struct Envelope {
    occurred_at: Expr,
    key: Expr,
    stream: Expr,
}

impl<'a> Mapper<'a> {
    /// Compiles one statement; its errors are collected.
    pub(super) fn add(&mut self, file: &SourceFile, statement: &MappingStatement) {
        // What is left out of the mapping has been reported.
        let _ = self.compile(file, statement);
    }

    fn compile(&mut self, file: &SourceFile, statement: &MappingStatement) -> Result<(), Reported> {
        let event = self.event(file, &statement.event);
        let driving = self.table(file, &statement.from);
        let joined: Vec<_> = statement.joins.iter().map(|join| self.table(file, &join.table)).collect();
        let (event, driving) = (event?, driving?);
        let joined = joined.into_iter().collect::<Result<Vec<_>, _>>()?;

        let mut relations = vec![relation(&statement.from, driving, None)];
        for (place, (join, table)) in statement.joins.iter().zip(&joined).enumerate() {
            relations.push(relation(&join.table, table, Some(place)));
        }
        let scan = self.scans.iter().position(|scan| scan.table.name == driving.name);
        let row_columns = scan.map_or_else(Vec::new, |scan| self.scans[scan].columns.clone());
        let scope = Scope { relations, row_columns, joined_columns: Vec::new() };
        let (namespace, zone) = (self.namespace, self.zone.clone());
        let mut compiler = Compiler { file, scope, namespace, zone, errors: &mut self.errors, depth: 0 };

        let keys: Vec<_> = statement
            .joins
            .iter()
            .zip(&joined)
            .enumerate()
            .map(|(place, (join, table))| join_key(&mut compiler, place, join, table))
            .collect();
        let condition = statement.condition.as_ref().map(|ast| compiler.condition(ast)).transpose();
        let envelope = envelope(&mut compiler, statement, event, &mut self.keys);
        let fields = fields(&mut compiler, statement, event);
        let (envelope, fields, condition) = (envelope?, fields?, condition?);
        let keys = keys.into_iter().collect::<Result<Vec<_>, _>>()?;
        let Scope { row_columns, joined_columns, .. } = compiler.scope;

        let scan = scan.unwrap_or_else(|| {
            self.scans.push(TableScan { table: driving.clone(), columns: Vec::new(), mappings: Vec::new(), shared: 0 });
            self.scans.len() - 1
        });
        self.scans[scan].columns = row_columns;
        self.scans[scan].mappings.push(self.mappings.len());
        let mut joins = Vec::with_capacity(keys.len());
        for (place, (key, key_column)) in keys.into_iter().enumerate() {
            let slots = joined_columns.iter().enumerate().filter(|(_, (join, _))| *join == place);
            let columns: Vec<_> = slots.map(|(slot, (_, column))| (*column, slot)).collect();
            let lookup = self.lookup(joined[place], key_column, &columns);
            joins.push(Join { lookup, key, keeps_all: statement.joins[place].keeps_all, columns });
        }
        let place = file.error(statement.event.span, "");
        let path: PathBuf = place.file;
        self.mappings.push(Mapping {
            name: format!("{}:{} {}", path.display(), place.line, event.name),
            rank: event.rank,
            scan,
            joins,
            condition: condition.map(|condition| condition.expr),
            occurred_at: envelope.occurred_at,
            key: envelope.key,
            stream: envelope.stream,
            fields,
            text: MappingText::of(statement),
        });
        Ok(())
    }

    fn event(&mut self, file: &SourceFile, name: &Ident) -> Result<&'a EventType, Reported> {
        let catalog = self.catalog;
        catalog.event_type(&name.value).ok_or_else(|| {
            let known = catalog.types.iter().map(|known| known.name.as_str());
            let message = format!("events.proto has no message `{}`", name.value);
            self.errors.push(file.error(name.span, message).help(did_you_mean(&name.value, known)));
            Reported
        })
    }

    fn table(&mut self, file: &SourceFile, reference: &TableReference) -> Result<&'a TableSchema, Reported> {
        let schema = reference.schema.as_ref().map_or("dbo", |schema| schema.value.as_str());
        let tables = self.tables;
        let found = tables.iter().find(|table| {
            table.name.schema.eq_ignore_ascii_case(schema)
                && table.name.name.to_lowercase() == reference.table.value.to_lowercase()
        });
        found.ok_or_else(|| {
            let name = format!("{schema}.{}", reference.table.value);
            let known: Vec<String> = tables.iter().map(|table| table.name.to_string()).collect();
            let help = did_you_mean(&name, known.iter().map(String::as_str));
            self.errors.push(file.error(reference.span, format!("the dump has no table {name}")).help(help));
            Reported
        })
    }

    /// The lookup of a table, with the columns that this mapping adds to it.
    fn lookup(&mut self, table: &TableSchema, key: usize, columns: &[(usize, usize)]) -> usize {
        let place = self.lookups.iter().position(|lookup| lookup.table.name == table.name);
        let place = place.unwrap_or_else(|| {
            self.lookups.push(LookupTable { table: table.clone(), key, columns: Vec::new() });
            self.lookups.len() - 1
        });
        for (column, _) in columns {
            if !self.lookups[place].columns.contains(column) {
                self.lookups[place].columns.push(*column);
            }
        }
        place
    }
}

fn relation<'a>(reference: &TableReference, table: &'a TableSchema, join: Option<usize>) -> Relation<'a> {
    let name = reference.alias.as_ref().unwrap_or(&reference.table).value.clone();
    Relation { name, table, join }
}

/// Takes `ON lookup.key = expression` apart, either way round; gives the expression, of the key's type, and the key's
/// column.
fn join_key(
    compiler: &mut Compiler<'_>,
    place: usize,
    join: &JoinReference,
    table: &TableSchema,
) -> Result<(Expr, usize), Reported> {
    let key = match &table.key {
        Some(key) if key.unique && key.columns.len() == 1 => key.columns[0],
        _ => {
            let message = format!("{} can't be looked up: it has no unique key of a single column", table.name);
            return compiler.fail(join.table.span, message, "only tables with such a key can be joined");
        }
    };
    let key_column = &table.columns[key];
    let help = format!("write ON {}.{} = <expression of the other tables>", relation_name(join), key_column.name);
    let mut on = &join.on;
    while let Ast::Nested(inner) = on {
        on = inner;
    }
    let Ast::BinaryOp { left, op: BinaryOperator::Eq, right } = on else {
        return compiler.fail(join.on.span(), "a join goes by equality with the lookup's key", help);
    };
    let is_key = |compiler: &mut Compiler<'_>, side: &Ast| {
        let name = match side {
            Ast::Identifier(name) => std::slice::from_ref(name),
            Ast::CompoundIdentifier(parts) => parts.as_slice(),
            _ => return false,
        };
        compiler.scope.names(name, place, key)
    };
    let other = match (is_key(compiler, left), is_key(compiler, right)) {
        (true, false) => right,
        (false, true) => left,
        _ => return compiler.fail(on.span(), format!("neither side alone is {}'s key", table.name), help),
    };
    // Only tables that stand before this one can be used: a join is looked up from left to right.
    let hidden = compiler.scope.relations.split_off(place + 1);
    let typed = compiler.expression(other);
    compiler.scope.relations.extend(hidden);
    let typed = typed?;
    let wanted = column_type(key_column);
    if !matches!(wanted, Type::Integer | Type::Text | Type::Uuid) {
        let message = format!("{}'s key is a {wanted}", table.name);
        return compiler.fail(join.table.span, message, "lookups go by integers, text and uuids");
    }
    let (found, span) = (typed.ty, typed.span);
    match found == wanted || found == Type::Null || typed.literal_text().is_some() {
        true => Ok((compiler.convert(typed, |typed| coerce(typed, wanted, None))?.expr, key)),
        false => {
            let message = format!("{}'s key is a {wanted}, this is a {found}", table.name);
            compiler.fail(span, message, format!("CAST it AS {wanted}"))
        }
    }
}

fn relation_name(join: &JoinReference) -> &str {
    &join.table.alias.as_ref().unwrap_or(&join.table.table).value
}

fn envelope(
    compiler: &mut Compiler<'_>,
    statement: &MappingStatement,
    event: &EventType,
    keys: &mut HashMap<u16, (Type, String)>,
) -> Result<Envelope, Reported> {
    let occurred_at = engine_column(compiler, statement, "occurred_at").and_then(|typed| {
        let zone = compiler.zone.clone();
        let typed = compiler.convert(typed, |typed| typed.into_instant(zone.as_ref()))?;
        expect_type(compiler, typed, "occurred_at", &[Type::Instant], "a time AT TIME ZONE '<zone>'")
    });
    let key = engine_column(compiler, statement, "key").and_then(|typed| {
        let help = "an integer, text or a uuid; CAST it AS text";
        let typed = expect_type(compiler, typed, "key", &[Type::Integer, Type::Text, Type::Uuid], help)?;
        let here = compiler.file.path.display().to_string();
        let (first, place) = keys.entry(event.rank).or_insert((typed.ty, here)).clone();
        match first == typed.ty {
            true => Ok(typed),
            false => {
                let message = format!("the key of {} is a {first} in {place} and a {} here", event.name, typed.ty);
                compiler.fail(typed.span, message, "all mappings of an event type agree on the key's type")
            }
        }
    });
    let stream = engine_column(compiler, statement, "stream")
        .and_then(|typed| expect_type(compiler, typed, "stream", &[Type::Text], "text, like concat('member/', Id)"));
    Ok(Envelope { occurred_at: occurred_at?.expr, key: key?.expr, stream: stream?.expr })
}

fn engine_column(compiler: &mut Compiler<'_>, statement: &MappingStatement, name: &str) -> Result<Typed, Reported> {
    match statement.fields.iter().find(|(field, _)| field.value.eq_ignore_ascii_case(name)) {
        Some((_, ast)) => compiler.expression(ast),
        None => {
            let help = format!("every mapping gives the engine's columns: {}", ENGINE_COLUMNS.join(", "));
            compiler.fail(statement.event.span, format!("this mapping has no column `{name}`"), help)
        }
    }
}

fn expect_type(
    compiler: &mut Compiler<'_>,
    typed: Typed,
    name: &str,
    wanted: &[Type],
    help: &str,
) -> Result<Typed, Reported> {
    match wanted.contains(&typed.ty) {
        true => Ok(typed),
        false => compiler.fail(typed.span, format!("`{name}` can't be a {}", typed.ty), help),
    }
}

fn fields(
    compiler: &mut Compiler<'_>,
    statement: &MappingStatement,
    event: &EventType,
) -> Result<Vec<FieldAssignment>, Reported> {
    let mut assigned: Vec<Result<FieldAssignment, Reported>> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for (name, ast) in &statement.fields {
        if seen.iter().any(|seen| seen.eq_ignore_ascii_case(&name.value)) {
            let message = format!("`{}` is given twice", name.value);
            assigned.push(compiler.fail(span_of(name, ast), message, "remove one of them"));
            continue;
        }
        seen.push(&name.value);
        if ENGINE_COLUMNS.iter().any(|engine| engine.eq_ignore_ascii_case(&name.value)) {
            continue;
        }
        let field = event.field(&name.value);
        assigned.push(match field {
            Some(field) => compiler.field(field, ast),
            None => {
                let known: Vec<&str> = event.fields.iter().map(|field| field.name.as_str()).collect();
                let message = format!("{} has no field `{}`", event.name, name.value);
                compiler.fail(span_of(name, ast), message, did_you_mean(&name.value, known))
            }
        });
    }
    for field in event.fields.iter().filter(|field| !field.optional && !seen.contains(&field.name.as_str())) {
        let help = format!("add <expression> AS {}, or declare it `optional` in events.proto", field.name);
        let message = format!("{}.{} gets no value", event.name, field.name);
        assigned.push(compiler.fail(statement.event.span, message, help));
    }
    let mut fields = assigned.into_iter().collect::<Result<Vec<_>, _>>()?;
    fields.sort_by_key(|field| field.number);
    Ok(fields)
}

/// A name that the user wrote, else the place of the expression.
fn span_of(name: &Ident, ast: &Ast) -> Span {
    if name.span == Span::empty() { ast.span() } else { name.span }
}
