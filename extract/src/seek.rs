//! The queries that read one part of a table: a single one, or chunk after chunk, each by one seek on the key.
//!
//! In: a table, a part's range, and after each chunk how many rows came and the key of its last row. Out: [`Request`]s.
//! Rows come in the order of the key, each exactly once, whatever the sizes of the chunks.
//!
//! With a key of several columns `(a, b)`, what follows `(@a, @b)` is read in steps: first `a = @a AND b > @b`, and when
//! that is exhausted `a > @a`. Each is one range of the index. The row comparison written as one condition (`a > @a OR
//! (a = @a AND b > @b)`) means the same, but servers often answer it by scanning and sorting.

use std::time::Duration;

use etl_schemas::table::{Column, TableSchema, quote};

use crate::error::SourceError;
use crate::key::{KeyValue, parameter};
use crate::plan::{PartPlan, TablePlan};

/// What a server is asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    /// Parameters are `@P1`, `@P2` and so on.
    pub(crate) sql: String,
    pub(crate) parameters: Vec<Parameter>,
    /// The rows asked for at most; `None` is all. When so many come, the key of the last one is wanted.
    pub(crate) rows_max: Option<u64>,
    /// When its answer is to be cut short; the key of the last row is wanted then, too. `None` is never.
    pub(crate) time_max: Option<Duration>,
}

/// A typed value, never a literal: the server compiles each statement once.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Parameter {
    Rows(u64),
    Key(KeyValue),
}

/// Where the reading of a part stands.
pub(crate) struct Cursor<'a> {
    table: &'a TablePlan,
    part: &'a PartPlan,
    key: Vec<&'a Column>,
    next: Next,
    /// The key of the last row of the last full chunk.
    last: Vec<KeyValue>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// All of the part by one query.
    Everything,
    /// The first chunk.
    Beginning,
    /// Rows that agree with the last key in all columns before this one, counted from 0, and follow it here.
    Following(usize),
    Nothing,
}

impl<'a> Cursor<'a> {
    /// At the beginning of a part. `by_chunks` may be false for any table, and must be for one that can't be sought.
    pub(crate) fn new(table: &'a TablePlan, part: &'a PartPlan, by_chunks: bool) -> Cursor<'a> {
        let next = if by_chunks { Next::Beginning } else { Next::Everything };
        Cursor { table, part, key: key_columns(&table.schema), next, last: Vec::new() }
    }

    /// The next query, for a chunk of `rows`; `None` at the end of the part.
    pub(crate) fn request(&self, rows: u64) -> Option<Request> {
        let mut builder = Builder::default();
        let (from, rows_max) = match self.next {
            Next::Nothing => return None,
            Next::Everything => {
                self.bounds(&mut builder);
                (0, None)
            }
            Next::Beginning => {
                builder.top(rows);
                self.bounds(&mut builder);
                (0, Some(rows))
            }
            Next::Following(column) => {
                builder.top(rows);
                for (column, value) in self.key.iter().zip(&self.last).take(column) {
                    builder.compare(column, "=", value);
                }
                builder.compare(self.key[column], ">", &self.last[column]);
                // Ranges end between values of the first column, and the others belong to one of these.
                if let (0, Some(through)) = (column, &self.part.through) {
                    builder.compare(self.key[0], "<=", through);
                }
                (column, Some(rows))
            }
        };
        Some(builder.finish(self.table, &self.key[from..], rows_max))
    }

    fn bounds(&self, builder: &mut Builder) {
        if let Some(after) = &self.part.after {
            builder.compare(self.key[0], ">", after);
        }
        if let Some(through) = &self.part.through {
            builder.compare(self.key[0], "<=", through);
        }
    }

    /// Goes on behind an answer: `last` is the key of its last row when more may follow, since as many rows came as were
    /// asked for, or the answer was cut short.
    pub(crate) fn advance(&mut self, last: Option<&mut Vec<KeyValue>>) -> Result<(), SourceError> {
        self.next = match (self.next, last) {
            (_, Some(last)) if *last == self.last => {
                let message = "a chunk ends with the key that it should begin behind".to_string();
                return Err(SourceError::Protocol { message });
            }
            (Next::Everything | Next::Nothing, _) => Next::Nothing,
            (_, Some(last)) => {
                std::mem::swap(&mut self.last, last);
                Next::Following(self.key.len() - 1)
            }
            (Next::Beginning | Next::Following(0), None) => Next::Nothing,
            (Next::Following(column), None) => Next::Following(column - 1),
        };
        Ok(())
    }
}

/// The key's columns, in its order.
pub(crate) fn key_columns(table: &TableSchema) -> Vec<&Column> {
    table.key.iter().flat_map(|key| &key.columns).map(|place| &table.columns[*place]).collect()
}

/// Asks for one value of the key's first column: the smallest, the largest, or the first behind all of `after`.
pub(crate) fn key_request(table: &TablePlan, largest: bool, after: &[&KeyValue]) -> Request {
    let column = key_columns(&table.schema)[0];
    let mut builder = Builder::default();
    for value in after {
        builder.compare(column, ">", value);
    }
    let quoted = quote(&column.name);
    let asked = column.sql_type.select_expressions(&quoted, column.collation.as_deref()).join(", ");
    let (name, conditions) = (table.schema.name.quoted(), builder.conditions());
    let direction = if largest { " DESC" } else { "" };
    let sql = format!("SELECT TOP (1) {asked} FROM {name}{conditions} ORDER BY {quoted}{direction}");
    Request { sql, parameters: builder.parameters, rows_max: Some(1), time_max: None }
}

#[derive(Default)]
struct Builder {
    top: String,
    conditions: Vec<String>,
    parameters: Vec<Parameter>,
}

impl Builder {
    fn top(&mut self, rows: u64) {
        self.parameters.push(Parameter::Rows(rows));
        self.top = format!("TOP (@P{}) ", self.parameters.len());
    }

    fn compare(&mut self, column: &Column, operator: &str, value: &KeyValue) {
        self.parameters.push(Parameter::Key(value.clone()));
        let value = parameter(column, self.parameters.len());
        self.conditions.push(format!("{} {operator} {value}", quote(&column.name)));
    }

    fn conditions(&self) -> String {
        match self.conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", self.conditions.join(" AND ")),
        }
    }

    fn finish(self, table: &TablePlan, order: &[&Column], rows_max: Option<u64>) -> Request {
        let (expressions, name) = (table.expressions.join(", "), table.schema.name.quoted());
        let mut sql = format!("SELECT {}{expressions} FROM {name}{}", self.top, self.conditions());
        if !order.is_empty() {
            let names: Vec<String> = order.iter().map(|column| quote(&column.name)).collect();
            sql.push_str(&format!(" ORDER BY {}", names.join(", ")));
        }
        Request { sql, parameters: self.parameters, rows_max, time_max: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::SourceTable;
    use etl_schemas::sql_type::SqlType;
    use etl_schemas::table::{Key, KeyKind, TableName};

    fn table(columns: usize) -> TablePlan {
        let column = |index: usize| Column {
            id: index as u32 + 1,
            name: ["A", "B", "C"][index].into(),
            field: ["A", "B", "C"][index].into(),
            sql_type: SqlType::Int,
            nullable: false,
            collation: None,
            identity: false,
            computed: false,
        };
        let key = Key { name: "PK".into(), kind: KeyKind::Clustered, unique: true, columns: (0..columns).collect() };
        let name = TableName::new("dbo", "T");
        let columns = (0..columns).map(column).collect();
        let schema = TableSchema { name, message: "T".into(), columns, key: Some(key) };
        TablePlan::new(SourceTable { schema, unsupported: Vec::new(), casts: Vec::new(), rows: 0, bytes: None })
    }

    /// What is asked behind SELECT ... FROM, for a chunk of 10.
    fn asked(cursor: &Cursor<'_>) -> (String, Vec<Parameter>) {
        let Request { sql, parameters, .. } = cursor.request(10).unwrap();
        (sql.split_once("[T]").unwrap().1.trim().to_string(), parameters)
    }

    fn keys(values: &[i64]) -> Vec<KeyValue> {
        values.iter().map(|value| KeyValue::Integer(*value)).collect()
    }

    fn parameters(rows: u64, values: &[i64]) -> Vec<Parameter> {
        let values = keys(values).into_iter().map(Parameter::Key);
        [Parameter::Rows(rows)].into_iter().chain(values).collect()
    }

    #[test]
    fn one_column_is_walked_up_to_the_end_of_the_part() {
        let table = table(1);
        let part = PartPlan { number: 1, after: Some(KeyValue::Integer(5)), through: Some(KeyValue::Integer(99)) };
        let mut cursor = Cursor::new(&table, &part, true);
        let where_clause = "WHERE [A] > CAST(@P2 AS int) AND [A] <= CAST(@P3 AS int) ORDER BY [A]";
        assert_eq!(asked(&cursor), (where_clause.to_string(), parameters(10, &[5, 99])));
        cursor.advance(Some(&mut keys(&[17]))).unwrap();
        assert_eq!(asked(&cursor), (where_clause.to_string(), parameters(10, &[17, 99])));
        assert!(cursor.advance(Some(&mut keys(&[17]))).is_err(), "a server that doesn't move on");
        cursor.advance(None).unwrap();
        assert_eq!(cursor.request(10), None);
    }

    #[test]
    fn several_columns_are_walked_from_the_last_to_the_first() {
        let table = table(3);
        let part = PartPlan { number: 0, after: None, through: Some(KeyValue::Integer(9)) };
        let mut cursor = Cursor::new(&table, &part, true);
        let (first, _) = asked(&cursor);
        assert_eq!(first, "WHERE [A] <= CAST(@P2 AS int) ORDER BY [A], [B], [C]");
        cursor.advance(Some(&mut keys(&[1, 2, 3]))).unwrap();
        let deepest = "WHERE [A] = CAST(@P2 AS int) AND [B] = CAST(@P3 AS int) AND [C] > CAST(@P4 AS int) ORDER BY [C]";
        assert_eq!(asked(&cursor), (deepest.to_string(), parameters(10, &[1, 2, 3])));
        cursor.advance(None).unwrap();
        let middle = "WHERE [A] = CAST(@P2 AS int) AND [B] > CAST(@P3 AS int) ORDER BY [B], [C]";
        assert_eq!(asked(&cursor), (middle.to_string(), parameters(10, &[1, 2])));
        cursor.advance(None).unwrap();
        let last = "WHERE [A] > CAST(@P2 AS int) AND [A] <= CAST(@P3 AS int) ORDER BY [A], [B], [C]";
        assert_eq!(asked(&cursor), (last.to_string(), parameters(10, &[1, 9])));
        cursor.advance(Some(&mut keys(&[4, 4, 4]))).unwrap();
        assert_eq!(asked(&cursor).1, parameters(10, &[4, 4, 4]));
    }

    #[test]
    fn a_single_pass_asks_once_for_all_of_the_part() {
        let table = table(2);
        let part = PartPlan { number: 0, after: None, through: None };
        let mut cursor = Cursor::new(&table, &part, false);
        assert_eq!(asked(&cursor), ("ORDER BY [A], [B]".to_string(), Vec::new()));
        cursor.advance(None).unwrap();
        assert_eq!(cursor.request(10), None);
    }
}
