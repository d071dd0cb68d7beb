//! What is read, and how: the tables, each as a list of parts, each part a contiguous range of the table's key.
//!
//! In: the catalog and the project's selection of tables. Out: a [`Plan`], or the list of every column that can't be
//! carried: nothing is read before all of it can be. The plan is fixed before the first row, and its text tells a resumed
//! run whether its parts still fit. Ranges are found once, by [`ranges`]; a resumed run takes them over.

pub(crate) mod casts;
pub(crate) mod ranges;

use std::sync::Arc;

use etl_schemas::dump::{KeyRange, RowLayout};
use etl_schemas::project::Consistency;
use etl_schemas::sql_type::Select;
use etl_schemas::table::{Column, TableName, TableSchema, quote};

use crate::begun::Begun;
use crate::catalog::{SourceCatalog, SourceTable};
use crate::error::ExtractError;
use crate::key::{self, KeyValue};
use crate::progress::PlannedTable;
use crate::row_source::Parts;
use crate::run::Extract;
use crate::seek::key_columns;
use crate::url::SourceUrl;

/// What a run reads.
#[derive(Debug)]
pub(crate) struct Plan {
    /// By name, as the dump lists them.
    pub(crate) tables: Vec<TablePlan>,
    /// Whether the server tells how many rows a query had.
    pub(crate) counted: bool,
    /// What the dump was begun with.
    pub(crate) begun: Begun,
    consistency: Consistency,
}

/// One table.
#[derive(Debug)]
pub(crate) struct TablePlan {
    pub(crate) schema: TableSchema,
    pub(crate) layout: Arc<RowLayout>,
    /// What is asked for, in the order of the columns.
    pub(crate) expressions: Vec<String>,
    /// How many of the expressions make each column's value.
    pub(crate) columns: Vec<Parts>,
    /// Ids of the columns that the project wants converted.
    pub(crate) casts: Vec<u32>,
    /// Why it can't be read by seeks on its key, and takes a single pass.
    pub(crate) obstacle: Option<String>,
    /// Estimates.
    pub(crate) rows: u64,
    pub(crate) bytes: Option<u64>,
    /// In the order of their key ranges; at least one.
    pub(crate) parts: Vec<PartPlan>,
}

/// One contiguous range of a table's key, read into one file. Its ends are values of the key's first column: all rows
/// that share such a value lie in one part.
#[derive(Debug)]
pub(crate) struct PartPlan {
    pub(crate) number: u32,
    /// The last value before the part; `None` is open.
    pub(crate) after: Option<KeyValue>,
    /// The last value of the part; `None` is open.
    pub(crate) through: Option<KeyValue>,
}

impl Plan {
    /// The plan for the selected tables, each in one part.
    pub(crate) fn new(
        url: &SourceUrl,
        mut catalog: SourceCatalog,
        Extract { tables: selection, casts, consistency, .. }: &Extract,
        begun: Begun,
    ) -> Result<Plan, ExtractError> {
        let found = catalog.tables.len();
        casts::apply(casts, &mut catalog.tables)?;
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
                let tables = selected.into_iter().map(TablePlan::new).collect();
                Ok(Plan { tables, counted: catalog.server.counts_rows, begun, consistency: *consistency })
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
        let consistency = self.consistency;
        let mut text = format!("database {database}\nconsistency {consistency}\n{}", self.begun.describe());
        for table in &self.tables {
            let name = table.name();
            for expression in &table.expressions {
                text.push_str(&format!("{name} reads {expression}\n"));
            }
            let order = order(&table.schema);
            for part in &table.parts {
                text.push_str(&format!("{}: {order}\n", ranges::describe(name, part)));
            }
        }
        text
    }
}

impl TablePlan {
    pub(crate) fn new(table: SourceTable) -> TablePlan {
        let SourceTable { schema, casts, rows, bytes, .. } = table;
        let mut expressions = Vec::with_capacity(schema.columns.len());
        let mut columns = Vec::with_capacity(schema.columns.len());
        for column in &schema.columns {
            let asked = asked(column, &casts);
            expressions.extend(column.sql_type.select_expressions(&asked, column.collation.as_deref()));
            columns.push(match column.sql_type.carried().select {
                Select::Pair(..) => Parts::Two,
                Select::Triple(..) => Parts::Three,
                Select::Plain | Select::As(_) => Parts::One,
            });
        }
        let parts = vec![PartPlan { number: 0, after: None, through: None }];
        let obstacle = key::obstacle(&schema).or_else(|| cast_key(&schema, &casts));
        let layout = Arc::new(RowLayout::new(&schema));
        TablePlan { layout, schema, expressions, columns, casts, obstacle, rows, bytes, parts }
    }

    pub(crate) fn name(&self) -> &TableName {
        &self.schema.name
    }

    pub(crate) fn announced(&self) -> PlannedTable {
        PlannedTable { name: self.schema.name.clone(), rows: self.rows, bytes: self.bytes }
    }

    /// Bytes of a row in the source, as far as estimates go.
    pub(crate) fn row_bytes(&self) -> Option<u64> {
        self.bytes.filter(|_| self.rows > 0).map(|bytes| bytes / self.rows)
    }

    /// Where the key's columns stand among the expressions of a row.
    pub(crate) fn key_places(&self) -> Vec<usize> {
        let places = self.schema.key.iter().flat_map(|key| &key.columns);
        places.map(|column| self.columns[..*column].iter().map(|parts| parts.width()).sum()).collect()
    }
}

/// What stands for a column in the SELECT, before what its type needs is put around it.
pub(crate) fn asked(column: &Column, casts: &[u32]) -> String {
    let quoted = quote(&column.name);
    match casts.contains(&column.id) {
        true => format!("CAST({quoted} AS {})", column.sql_type),
        false => quoted,
    }
}

/// Keys are compared as they lie in the index, and a converted column doesn't show that.
fn cast_key(schema: &TableSchema, casts: &[u32]) -> Option<String> {
    let converted = key_columns(schema).into_iter().find(|column| casts.contains(&column.id))?;
    Some(format!("{} of its key is converted by [casts]", converted.name))
}

impl PartPlan {
    /// As the manifest has it.
    pub(crate) fn range(&self) -> KeyRange {
        let text = |value: &Option<KeyValue>| value.iter().map(ToString::to_string).collect();
        KeyRange { after: text(&self.after), through: text(&self.through) }
    }
}

/// The order of the table's key: a clustered index is walked as it lies. A table without a key is read in whatever order
/// the server likes.
fn order(table: &TableSchema) -> String {
    let names: Vec<String> = key_columns(table).iter().map(|column| quote(&column.name)).collect();
    match names.is_empty() {
        true => "in the server's order".to_string(),
        false => format!("ORDER BY {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::ServerInfo;
    use crate::connect::Client;
    use crate::error::UnsupportedColumn;
    use crate::seek::Cursor;
    use etl_schemas::project::{Cast, Tables};
    use etl_schemas::sql_type::SqlType;
    use etl_schemas::table::{Column, Key, KeyKind};
    use etl_schemas::ticks::Ticks;
    use std::collections::BTreeMap;

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
        SourceTable { schema, unsupported: Vec::new(), casts: Vec::new(), rows: 1, bytes: Some(bytes) }
    }

    fn plan(tables: Vec<SourceTable>) -> Result<Plan, ExtractError> {
        plan_with(tables, Vec::new())
    }

    fn plan_with(tables: Vec<SourceTable>, casts: Vec<Cast>) -> Result<Plan, ExtractError> {
        let server = ServerInfo {
            version: String::new(),
            edition: String::new(),
            collation: String::new(),
            database: "d".into(),
            database_collation: String::new(),
            clock: Ticks(0),
            client: Client::ANY,
            counts_rows: true,
        };
        let url = "mssql://u@h/d".parse().unwrap();
        let selection = Tables { include: Vec::new(), exclude: vec!["dbo.Old*".into()] };
        let options = Extract { tables: selection, casts, ..Extract::new(url, None, "") };
        let begun = Begun { at: Ticks(0), snapshot: None, rows: BTreeMap::new() };
        Plan::new(&options.url, SourceCatalog { server, tables }, &options, begun)
    }

    #[test]
    fn a_query_casts_what_clients_misread_and_walks_the_key() {
        let columns = vec![
            column(1, "Id", SqlType::Int),
            column(2, "Price]", SqlType::Money),
            column(3, "Note", SqlType::VarChar { length: Some(9) }),
            column(4, "Place", SqlType::Geography),
            column(5, "At", SqlType::Date),
        ];
        let plan = plan(vec![table("Orders", columns, &[4, 0], 0)]).unwrap();
        let table = &plan.tables[0];
        let request = Cursor::new(table, &table.parts[0], false).request(9).unwrap();
        assert_eq!(
            request.sql,
            "SELECT [Id], CAST([Price]]] AS decimal(19,4)), CAST([Note] AS nvarchar(max)), [Place].STSrid, \
             [Place].STAsBinary(), [At] FROM [dbo].[Orders] ORDER BY [At], [Id]"
        );
        assert_eq!((table.columns.len(), table.key_places()), (5, vec![5, 0]));
    }

    #[test]
    fn a_changed_column_shows_in_the_plan_with_its_table() {
        let before = plan(vec![table("T", vec![column(1, "Id", SqlType::Int)], &[], 0)]).unwrap().describe("d");
        let after = plan(vec![table("T", vec![column(1, "Id", SqlType::Money)], &[], 0)]).unwrap().describe("d");
        assert_eq!(before.lines().nth(3), Some("dbo.T reads [Id]"));
        assert_eq!(after.lines().nth(3), Some("dbo.T reads CAST([Id] AS decimal(19,4))"));
    }

    #[test]
    fn large_tables_come_first() {
        let columns = || vec![column(1, "Id", SqlType::Int)];
        let tables = vec![table("A", columns(), &[], 1), table("B", columns(), &[], 3), table("C", columns(), &[], 2)];
        assert_eq!(plan(tables).unwrap().by_size(), [1, 2, 0]);
    }

    #[test]
    fn a_cast_carries_what_could_not_be_and_keys_stay_where_they_are() {
        let cast = |name: &str, sql_type: SqlType| Cast { table: "DBO.docs".into(), column: name.into(), sql_type };
        let docs = || {
            let columns = vec![column(2, "Id", SqlType::Int), column(3, "Price", SqlType::Money)];
            let mut table = table("Docs", columns, &[0], 1);
            let (name, sql_type) = ("Embedding".to_string(), "vector".to_string());
            let table_name = table.schema.name.clone();
            table.unsupported.push(UnsupportedColumn {
                table: table_name,
                column: name,
                sql_type,
                id: 1,
                nullable: true,
            });
            table
        };
        let casts = vec![cast("embedding", SqlType::NVarChar { length: None }), cast("Price", SqlType::Float)];
        let planned = &plan_with(vec![docs()], casts).unwrap().tables[0];
        let asked = ["CAST([Embedding] AS nvarchar(max))", "[Id]", "CAST([Price] AS float)"];
        assert_eq!(planned.expressions, asked);
        assert_eq!((planned.schema.columns[0].field.as_str(), planned.key_places()), ("Embedding", vec![1]));
        assert_eq!(planned.obstacle, None);

        let key = vec![cast("Embedding", SqlType::NVarChar { length: None }), cast("Id", SqlType::BigInt)];
        let planned = &plan_with(vec![docs()], key).unwrap().tables[0];
        assert_eq!(planned.obstacle.as_deref(), Some("Id of its key is converted by [casts]"));

        let error = plan_with(vec![docs()], vec![cast("Prize", SqlType::Float)]).unwrap_err().to_string();
        assert!(error.contains("DBO.docs.Prize") && error.contains("did you mean `Price`?"), "{error}");
    }

    #[test]
    fn what_cannot_be_carried_stops_the_plan_unless_it_is_excluded() {
        let unsupported = |name: &str| {
            let mut table = table(name, vec![column(1, "Id", SqlType::Int)], &[], 1);
            let (column, sql_type) = ("V".to_string(), "vector".to_string());
            let (table_name, id, nullable) = (table.schema.name.clone(), 9, true);
            table.unsupported.push(UnsupportedColumn { table: table_name, column, sql_type, id, nullable });
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
