//! What is read, and how: the tables, each as a list of parts, each part with the query that reads it.
//!
//! In: the catalog and the project's selection of tables. Out: a [`Plan`], or the list of every column that can't be
//! carried: nothing is read before all of it can be. The plan is fixed before the first row, and its text tells a resumed
//! run whether its parts still fit.

use std::sync::Arc;

use etl_schemas::dump::{KeyRange, RowLayout};
use etl_schemas::project::Tables;
use etl_schemas::sql_type::Select;
use etl_schemas::table::{TableName, TableSchema, quote};

use crate::catalog::{SourceCatalog, SourceTable};
use crate::error::ExtractError;
use crate::progress::PlannedTable;
use crate::row_source::{Parts, Query};
use crate::url::SourceUrl;

/// What a run reads.
#[derive(Debug)]
pub(crate) struct Plan {
    /// By name, as the dump lists them.
    pub(crate) tables: Vec<TablePlan>,
}

/// One table.
#[derive(Debug)]
pub(crate) struct TablePlan {
    pub(crate) schema: TableSchema,
    pub(crate) layout: Arc<RowLayout>,
    /// What is asked for, in the order of the columns.
    expressions: Vec<String>,
    /// Estimates.
    rows: u64,
    bytes: Option<u64>,
    /// In the order of their key ranges.
    pub(crate) parts: Vec<PartPlan>,
}

/// One contiguous range of a table's key, read into one file.
#[derive(Debug)]
pub(crate) struct PartPlan {
    pub(crate) number: u32,
    pub(crate) range: KeyRange,
    pub(crate) query: Query,
}

impl Plan {
    /// The plan for the selected tables.
    pub(crate) fn new(url: &SourceUrl, catalog: SourceCatalog, selection: &Tables) -> Result<Plan, ExtractError> {
        let found = catalog.tables.len();
        let selected: Vec<SourceTable> = catalog
            .tables
            .into_iter()
            .filter(|table| selection.selects(&table.schema.name.to_string()))
            // A table whose every column was dropped or hidden has nothing to carry.
            .filter(|table| !table.schema.columns.is_empty() || !table.unsupported.is_empty())
            .collect();
        if selected.is_empty() {
            return Err(ExtractError::NoTables { url: Box::new(url.clone()), found });
        }
        let unsupported: Vec<_> = selected.iter().flat_map(|table| table.unsupported.clone()).collect();
        match unsupported.is_empty() {
            true => {
                let table = |table| TablePlan::new(table, catalog.server.counts_rows);
                Ok(Plan { tables: selected.into_iter().map(table).collect() })
            }
            false => Err(ExtractError::Unsupported(unsupported)),
        }
    }

    /// The tables for those who watch, the largest first.
    pub(crate) fn by_size(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.tables.len()).collect();
        order.sort_by_key(|place| {
            let table = &self.tables[*place];
            std::cmp::Reverse((table.bytes.unwrap_or(0), table.rows))
        });
        order
    }

    /// The plan as text, one thing a line and each with its table, so that the first line that differs names what
    /// changed. Two plans of equal text read the same rows into the same files.
    pub(crate) fn describe(&self, database: &str) -> String {
        let mut text = format!("database {database}\n");
        for table in &self.tables {
            let name = table.name();
            for expression in &table.expressions {
                text.push_str(&format!("{name} reads {expression}\n"));
            }
            for part in &table.parts {
                text.push_str(&format!("{name} part {}: {}\n", part.number, order(&table.schema)));
            }
        }
        text
    }
}

impl TablePlan {
    fn new(table: SourceTable, counted: bool) -> TablePlan {
        let SourceTable { schema, rows, bytes, .. } = table;
        let mut expressions = Vec::with_capacity(schema.columns.len());
        let mut columns = Vec::with_capacity(schema.columns.len());
        for column in &schema.columns {
            expressions.extend(column.sql_type.select_expressions(&quote(&column.name), column.collation.as_deref()));
            columns.push(match column.sql_type.carried().select {
                Select::Pair(..) => Parts::Two,
                Select::Plain | Select::As(_) => Parts::One,
            });
        }
        let sql = format!("SELECT {} FROM {} {}", expressions.join(", "), schema.name.quoted(), order(&schema));
        let query = Query { sql: sql.trim_end().to_string(), columns, counted };
        let parts = vec![PartPlan { number: 0, range: KeyRange::default(), query }];
        TablePlan { layout: Arc::new(RowLayout::new(&schema)), schema, rows, bytes, expressions, parts }
    }

    pub(crate) fn name(&self) -> &TableName {
        &self.schema.name
    }

    pub(crate) fn announced(&self) -> PlannedTable {
        PlannedTable { name: self.schema.name.clone(), rows: self.rows, bytes: self.bytes }
    }
}

/// The order of the table's key: a clustered index is walked as it lies. A table without a key is read in whatever order
/// the server likes, in a single pass.
fn order(table: &TableSchema) -> String {
    let Some(key) = &table.key else { return String::new() };
    let names: Vec<String> = key.columns.iter().map(|place| quote(&table.columns[*place].name)).collect();
    format!("ORDER BY {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::ServerInfo;
    use crate::error::UnsupportedColumn;
    use etl_schemas::sql_type::SqlType;
    use etl_schemas::table::{Column, Key, KeyKind};
    use etl_schemas::ticks::Ticks;

    fn column(id: u32, name: &str, sql_type: SqlType) -> Column {
        let collation = matches!(sql_type, SqlType::VarChar { .. }).then(|| "Latin1_General_100_CI_AS_SC_UTF8".into());
        Column {
            id,
            name: name.into(),
            field: name.into(),
            sql_type,
            nullable: false,
            collation,
            identity: false,
            computed: false,
        }
    }

    fn table(name: &str, columns: Vec<Column>, key: &[usize], bytes: u64) -> SourceTable {
        let key = (!key.is_empty()).then(|| Key {
            name: "pk".into(),
            kind: KeyKind::Clustered,
            unique: true,
            columns: key.to_vec(),
        });
        let schema = TableSchema { name: TableName::new("dbo", name), message: name.into(), columns, key };
        SourceTable { schema, unsupported: Vec::new(), rows: 1, bytes: Some(bytes) }
    }

    fn plan(tables: Vec<SourceTable>) -> Result<Plan, ExtractError> {
        let server = ServerInfo {
            version: String::new(),
            edition: String::new(),
            collation: String::new(),
            database: "d".into(),
            database_collation: String::new(),
            clock: Ticks(0),
            counts_rows: true,
        };
        let url = "mssql://u@h/d".parse().unwrap();
        let selection = Tables { include: Vec::new(), exclude: vec!["dbo.Old*".into()] };
        Plan::new(&url, SourceCatalog { server, tables }, &selection)
    }

    #[test]
    fn a_query_casts_what_clients_misread_and_walks_the_key() {
        let columns = vec![
            column(1, "Id", SqlType::Int),
            column(2, "Price]", SqlType::Money),
            column(3, "Note", SqlType::VarChar { length: Some(9) }),
            column(4, "Place", SqlType::Geography),
        ];
        let plan = plan(vec![table("Orders", columns, &[2, 0], 0)]).unwrap();
        let query = &plan.tables[0].parts[0].query;
        assert_eq!(
            query.sql,
            "SELECT [Id], CAST([Price]]] AS decimal(19,4)), CAST([Note] AS nvarchar(max)), [Place].STSrid, \
             [Place].STAsBinary() FROM [dbo].[Orders] ORDER BY [Note], [Id]"
        );
        assert_eq!((query.columns.len(), query.expressions()), (4, 5));
    }

    #[test]
    fn a_changed_column_shows_in_the_plan_with_its_table() {
        let before = plan(vec![table("T", vec![column(1, "Id", SqlType::Int)], &[], 0)]).unwrap().describe("d");
        let after = plan(vec![table("T", vec![column(1, "Id", SqlType::Money)], &[], 0)]).unwrap().describe("d");
        assert_eq!(before.lines().nth(1), Some("dbo.T reads [Id]"));
        assert_eq!(after.lines().nth(1), Some("dbo.T reads CAST([Id] AS decimal(19,4))"));
    }

    #[test]
    fn large_tables_come_first() {
        let columns = || vec![column(1, "Id", SqlType::Int)];
        let tables = vec![table("A", columns(), &[], 1), table("B", columns(), &[], 3), table("C", columns(), &[], 2)];
        assert_eq!(plan(tables).unwrap().by_size(), [1, 2, 0]);
    }

    #[test]
    fn what_cannot_be_carried_stops_the_plan_unless_it_is_excluded() {
        let unsupported = |name: &str| {
            let mut table = table(name, vec![column(1, "Id", SqlType::Int)], &[], 1);
            let (column, sql_type) = ("V".to_string(), "vector".to_string());
            table.unsupported.push(UnsupportedColumn { table: table.schema.name.clone(), column, sql_type });
            table
        };
        let good = table("Good", vec![column(1, "Id", SqlType::Int)], &[], 1);
        assert_eq!(plan(vec![unsupported("OldDocs"), good.clone()]).unwrap().tables.len(), 1);
        assert!(
            matches!(plan(vec![unsupported("Docs"), good]), Err(ExtractError::Unsupported(columns)) if columns.len() == 1)
        );
        assert!(matches!(plan(vec![unsupported("OldDocs")]), Err(ExtractError::NoTables { found: 1, .. })));
    }
}
