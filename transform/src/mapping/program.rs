//! What mappings are compiled to.

use std::sync::Arc;

use etl_schemas::event::{EventCatalog, EventFieldKind};
use etl_schemas::table::{TableName, TableSchema};

use super::MappingText;
use crate::causality::Constraint;
use crate::derived::DerivedTable;
use crate::expression::Expr;

/// The compiled mappings of a project: what `run` needs beside a dump.
#[derive(Debug)]
pub struct Program {
    pub(crate) catalog: Arc<EventCatalog>,
    pub(crate) mappings: Vec<Mapping>,
    /// Tables that drive mappings, by name.
    pub(crate) scans: Vec<TableScan>,
    /// Tables that mappings join.
    pub(crate) lookups: Vec<LookupTable>,
    /// Tables that no mapping reads.
    pub(crate) unread: Vec<TableName>,
    /// Which events follow from which.
    pub(crate) constraints: Vec<Constraint>,
    /// Tables that SQL over the dump makes.
    pub(crate) derived: Vec<DerivedTable>,
    pub(crate) fingerprint: String,
}

/// One mapping: rows of one table to events of one type.
#[derive(Debug)]
pub(crate) struct Mapping {
    /// File, line and event, as messages name it.
    pub name: String,
    /// Place of the event's type in the catalog.
    pub rank: u16,
    /// Place of its driving table in [`Program::scans`].
    pub scan: usize,
    pub joins: Vec<Join>,
    pub condition: Option<Expr>,
    pub occurred_at: Expr,
    pub key: Expr,
    pub stream: Expr,
    /// By rising field number.
    pub fields: Vec<FieldAssignment>,
    /// Its expressions as they are written.
    pub text: MappingText,
}

/// An expression that gives a field its value.
#[derive(Debug)]
pub(crate) struct FieldAssignment {
    pub number: u32,
    pub name: String,
    pub kind: EventFieldKind,
    /// Whether NULL leaves the field out; else it sends the row to quarantine.
    pub optional: bool,
    pub value: Expr,
}

/// A table that drives mappings.
#[derive(Debug)]
pub(crate) struct TableScan {
    pub table: TableSchema,
    /// Places in [`TableSchema::columns`] of what is decoded; a slot is a place in here.
    pub columns: Vec<usize>,
    /// Places in [`Program::mappings`].
    pub mappings: Vec<usize>,
    /// How many values its mappings share.
    pub shared: usize,
}

/// A table that is held in memory by its key.
#[derive(Debug)]
pub(crate) struct LookupTable {
    pub table: TableSchema,
    /// Place of its key in [`TableSchema::columns`].
    pub key: usize,
    /// Places in [`TableSchema::columns`] of what any mapping uses.
    pub columns: Vec<usize>,
}

/// How a mapping reaches a lookup.
#[derive(Debug)]
pub(crate) struct Join {
    /// Place in [`Program::lookups`].
    pub lookup: usize,
    /// What the lookup's key is compared with.
    pub key: Expr,
    /// LEFT JOIN: rows without a match stay, with NULLs.
    pub keeps_all: bool,
    /// What this mapping uses: place in [`TableSchema::columns`], and slot among the mapping's joined columns.
    pub columns: Vec<(usize, usize)>,
}

impl Program {
    /// The event types.
    pub fn catalog(&self) -> &Arc<EventCatalog> {
        &self.catalog
    }

    /// SHA-256 (hex) of all that decides which events a dump gives: mappings, event types, namespace, time zone.
    /// Comments and layout don't change it.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Tables that no mapping reads.
    pub fn unread_tables(&self) -> &[TableName] {
        &self.unread
    }

    /// The project's constraints, a sentence each.
    pub fn constraints(&self) -> impl Iterator<Item = String> {
        self.constraints.iter().map(|constraint| {
            let what = if constraint.repair { "early ones are moved" } else { "early ones are counted" };
            format!("{} comes after {}: {what}", constraint.effect.name, constraint.cause.name)
        })
    }

    /// Whether there are tables that [`materialise`](crate::materialise) must make before a run.
    pub fn has_derived_tables(&self) -> bool {
        !self.derived.is_empty()
    }

    /// Number of mappings.
    pub fn mappings(&self) -> usize {
        self.mappings.len()
    }
}
