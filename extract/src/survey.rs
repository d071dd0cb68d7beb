//! What a source's tables are like, and how each would be read: what `etl inspect` and `etl extract --plan` show.

mod estimate;

use std::time::Duration;

use etl_schemas::dump::KeyRange;
use etl_schemas::project;
use etl_schemas::table::{Column, TableName, quote};

use crate::catalog::{ServerInfo, SourceCatalog, SourceTable};
use crate::error::{ExtractError, UnsupportedColumn};
use crate::plan::ranges::{PartSize, parts_wanted};
use crate::plan::{Plan, TablePlan, asked, casts};
use crate::run::Extract;
use crate::seek::key_columns;

/// A source and its tables.
#[derive(Clone, Debug)]
pub struct Survey {
    /// The server and the database.
    pub server: ServerInfo,
    /// How long reading all of it may take; only where it was planned.
    pub time: Option<Duration>,
    /// By name.
    pub tables: Vec<TableSurvey>,
}

/// One table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSurvey {
    /// The table.
    pub table: TableName,
    /// Rows, as the server's metadata estimates them.
    pub rows: u64,
    /// Bytes in the server's files, where the login may know.
    pub bytes: Option<u64>,
    /// The columns of the key that it is read by, in the key's order; empty without one.
    pub key: Vec<String>,
    /// How long it may take; only where it was planned.
    pub time: Option<Duration>,
    /// How it is read.
    pub reading: Reading,
    /// Columns that the server converts, so that they arrive exactly.
    pub casts: Vec<Cast>,
    /// Columns that can't be carried. A table with any isn't read: exclude it.
    pub unsupported: Vec<UnsupportedColumn>,
}

/// How a table is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// By short queries along its key, in so many parts; their ranges where they were looked for.
    Chunks {
        /// Parts.
        parts: u64,
        /// Their keys, in order; empty where the source wasn't asked.
        ranges: Vec<KeyRange>,
    },
    /// By one query over all of it.
    SinglePass {
        /// Why.
        reason: String,
    },
}

/// A column that isn't asked for as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cast {
    /// The column.
    pub column: String,
    /// Its type.
    pub sql_type: String,
    /// What is asked for instead.
    pub expressions: Vec<String>,
}

impl Survey {
    /// Of all tables, from the catalog alone.
    pub(crate) fn of_catalog(
        mut catalog: SourceCatalog,
        casts: &[project::Cast],
        part_size: PartSize,
    ) -> Result<Survey, ExtractError> {
        casts::apply(casts, &mut catalog.tables)?;
        let survey = |table: SourceTable| {
            let unsupported = table.unsupported.clone();
            let plan = TablePlan::new(table);
            TableSurvey { unsupported, ..of_table(&plan, parts_wanted(&plan, part_size), Vec::new()) }
        };
        Ok(Survey { server: catalog.server, time: None, tables: catalog.tables.into_iter().map(survey).collect() })
    }

    /// Of a plan with its ranges, and how long it may take.
    pub(crate) fn of_plan(server: ServerInfo, plan: &Plan, options: &Extract) -> Survey {
        let (limits, jobs) = (options.gentleness.limits, options.jobs);
        let survey = |table: &TablePlan| {
            let ranges: Vec<KeyRange> = table.parts.iter().map(super::plan::PartPlan::range).collect();
            let time = Some(estimate::table(table, limits, jobs));
            TableSurvey { time, ..of_table(table, ranges.len() as u64, ranges) }
        };
        let time = Some(estimate::whole(&plan.tables, limits, jobs));
        Survey { server, time, tables: plan.tables.iter().map(survey).collect() }
    }
}

fn of_table(table: &TablePlan, parts: u64, ranges: Vec<KeyRange>) -> TableSurvey {
    let reading = match &table.obstacle {
        Some(reason) => Reading::SinglePass { reason: reason.clone() },
        None => Reading::Chunks { parts, ranges },
    };
    TableSurvey {
        table: table.name().clone(),
        rows: table.rows,
        bytes: table.bytes,
        time: None,
        key: key_columns(&table.schema).iter().map(|column| column.name.clone()).collect(),
        reading,
        casts: table.schema.columns.iter().filter_map(|column| cast(column, &table.casts)).collect(),
        unsupported: Vec::new(),
    }
}

fn cast(column: &Column, casts: &[u32]) -> Option<Cast> {
    let expressions = column.sql_type.select_expressions(&asked(column, casts), column.collation.as_deref());
    (expressions != [quote(&column.name)]).then(|| Cast {
        column: column.name.clone(),
        sql_type: column.sql_type.to_string(),
        expressions,
    })
}
