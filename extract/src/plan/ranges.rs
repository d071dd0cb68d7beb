//! Cuts large tables into parts: contiguous ranges of the key's first column.
//!
//! In: tables with their estimates, and what a part should hold. Out: each table's parts. The server is asked for single
//! keys only, each found by one seek: the smallest and the largest, between which numbers, dates, GUIDs and bytes are cut
//! evenly; for text, where only the server knows the order, the first key behind each guess. So parts may be uneven, and
//! never overlap. A resumed run takes over the ranges that its dump was begun with, since the keys have moved on.

use etl_schemas::table::TableName;

use super::{PartPlan, Plan, TablePlan};
use crate::error::SourceError;
use crate::key::{KeyValue, between};
use crate::row_source::RowSource;
use crate::seek::{key_columns, key_request};

/// Files of one table at most.
const PARTS_MAX: u64 = 1_000;

/// What a part should hold, as estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartSize {
    /// Rows.
    pub rows: u64,
    /// Bytes in the source.
    pub bytes: u64,
}

/// Two million rows, or 256 MiB.
impl Default for PartSize {
    fn default() -> PartSize {
        PartSize { rows: 2_000_000, bytes: 256 << 20 }
    }
}

/// Parts that a table should have.
pub(crate) fn parts_wanted(table: &TablePlan, size: PartSize) -> u64 {
    if table.obstacle.is_some() {
        return 1;
    }
    let by_rows = table.rows.div_ceil(size.rows.max(1));
    let by_bytes = table.bytes.unwrap_or(0).div_ceil(size.bytes.max(1));
    // A part has a row at least.
    by_rows.max(by_bytes).min(table.rows).clamp(1, PARTS_MAX)
}

impl Plan {
    /// Takes over the ranges of the plan that an unfinished dump was begun with. Gives the places of the tables that it
    /// doesn't have.
    pub(crate) fn take_over(&mut self, earlier: Option<&str>) -> Vec<usize> {
        let mut without = Vec::new();
        for (place, table) in self.tables.iter_mut().enumerate() {
            match earlier.and_then(|earlier| read(table, earlier)) {
                Some(parts) => table.parts = parts,
                None => without.push(place),
            }
        }
        without
    }
}

/// Asks the server where to cut a table. `asked` is told of each question.
pub(crate) async fn find(
    source: &mut impl RowSource,
    table: &TablePlan,
    parts: u64,
    asked: &mut impl FnMut(),
) -> Result<Vec<PartPlan>, SourceError> {
    asked();
    let low = source.key(&key_request(table, false, &[])).await?;
    asked();
    let high = source.key(&key_request(table, true, &[])).await?;
    let mut cuts: Vec<KeyValue> = Vec::new();
    if let (Some(low), Some(high)) = (low, high) {
        for step in 1..parts {
            let Some(guess) = between(&low, &high, step, parts) else { break };
            let cut = match guess {
                KeyValue::Text(_) => text_cut(source, table, &guess, cuts.last(), asked).await?,
                number => Some(number),
            };
            // Nothing would lie behind the last key.
            cuts.extend(cut.filter(|cut| *cut != high && cuts.last() != Some(cut)));
        }
    }
    Ok(cut_at(&cuts))
}

/// The first key behind a guess, if the server puts it behind the cut before: that cuts rise is its word, not ours.
async fn text_cut(
    source: &mut impl RowSource,
    table: &TablePlan,
    guess: &KeyValue,
    before: Option<&KeyValue>,
    asked: &mut impl FnMut(),
) -> Result<Option<KeyValue>, SourceError> {
    asked();
    let next = source.key(&key_request(table, false, &[guess])).await?;
    let (Some(before), Some(_)) = (before, &next) else { return Ok(next) };
    asked();
    let behind_both = source.key(&key_request(table, false, &[guess, before])).await?;
    Ok(next.filter(|next| Some(next) == behind_both.as_ref()))
}

/// Parts between the cuts, the first and the last one open: rows that come meanwhile find their place.
fn cut_at(cuts: &[KeyValue]) -> Vec<PartPlan> {
    let ends = cuts.iter().cloned().map(Some).chain([None]);
    let beginnings = [None].into_iter().chain(cuts.iter().cloned().map(Some));
    let parts = beginnings.zip(ends).enumerate();
    parts.map(|(number, (after, through))| PartPlan { number: number as u32, after, through }).collect()
}

/// A part in the plan's text, without its order.
pub(super) fn describe(table: &TableName, part: &PartPlan) -> String {
    let word = |value: &Option<KeyValue>| value.as_ref().map_or_else(|| OPEN.to_string(), KeyValue::record);
    format!("{} after {} through {}", prefix(table, part.number as usize), word(&part.after), word(&part.through))
}

/// An open end in the plan's text.
const OPEN: &str = "*";

fn prefix(table: &TableName, number: usize) -> String {
    format!("{table} part {number}")
}

/// The parts of a table in a plan's text, if all are there and fit together.
fn read(table: &TablePlan, plan: &str) -> Option<Vec<PartPlan>> {
    let mut cuts = Vec::new();
    for number in 0..=PARTS_MAX as usize {
        let start = format!("{} after ", prefix(table.name(), number));
        let line = plan.lines().find_map(|line| line.strip_prefix(start.as_str()))?;
        let (_, rest) = line.split_once(" through ")?;
        let (word, _) = rest.split_once(": ")?;
        if word == OPEN {
            let parts = cut_at(&cuts);
            let same =
                parts.iter().all(|part| plan.lines().any(|line| line.starts_with(&describe(table.name(), part))));
            return same.then_some(parts);
        }
        let first = *key_columns(&table.schema).first()?;
        cuts.push(KeyValue::from_record(&first.sql_type, word)?);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::begun::Begun;
    use crate::catalog::SourceTable;
    use etl_schemas::project::Consistency;
    use etl_schemas::sql_type::SqlType;
    use etl_schemas::table::{Column, Key, KeyKind, TableSchema};
    use etl_schemas::ticks::Ticks;
    use std::collections::BTreeMap;

    fn table(sql_type: SqlType, rows: u64, bytes: Option<u64>) -> TablePlan {
        let column = Column {
            id: 1,
            name: "Id".into(),
            field: "Id".into(),
            sql_type,
            nullable: false,
            collation: None,
            identity: false,
            computed: false,
        };
        let key = Key { name: "PK".into(), kind: KeyKind::Clustered, unique: true, columns: vec![0] };
        let name = TableName::new("dbo", "T");
        let schema = TableSchema { name, message: "T".into(), columns: vec![column], key: Some(key) };
        TablePlan::new(SourceTable { schema, unsupported: Vec::new(), casts: Vec::new(), rows, bytes })
    }

    fn plan(table: TablePlan) -> Plan {
        let begun = Begun { at: Ticks(0), snapshot: None, rows: BTreeMap::new() };
        Plan { tables: vec![table], counted: true, begun, consistency: Consistency::default() }
    }

    #[test]
    fn rows_and_bytes_both_make_parts() {
        let size = PartSize { rows: 1000, bytes: 1 << 20 };
        assert_eq!(parts_wanted(&table(SqlType::Int, 1000, Some(1 << 20)), size), 1);
        assert_eq!(parts_wanted(&table(SqlType::Int, 1001, None), size), 2);
        assert_eq!(parts_wanted(&table(SqlType::Int, 500, Some(9 << 20)), size), 9);
        assert_eq!(parts_wanted(&table(SqlType::Int, 3, Some(9 << 20)), size), 3);
        assert_eq!(parts_wanted(&table(SqlType::Int, u64::MAX, None), size), PARTS_MAX);
        assert_eq!(parts_wanted(&table(SqlType::Xml, 5000, None), size), 1, "no key to seek by");
    }

    #[test]
    fn a_resumed_run_takes_its_ranges_over_and_refuses_what_does_not_fit() {
        let begun = || {
            let mut table = table(SqlType::Int, 5000, None);
            table.parts = cut_at(&[KeyValue::Integer(-7), KeyValue::Integer(1000)]);
            plan(table)
        };
        let text = begun().describe("d");
        assert!(text.contains("dbo.T part 1 after -7 through 1000: ORDER BY [Id]"), "{text}");
        let mut again = plan(table(SqlType::Int, 9000, None));
        assert_eq!(again.take_over(Some(&text)), [] as [usize; 0]);
        assert_eq!(again.describe("d"), text);

        for damaged in [text.replace("after 1000", "after 999"), text.replace("part 1", "part 4"), String::new()] {
            assert_eq!(again.take_over(Some(&damaged)), [0], "{damaged}");
        }
        assert_eq!(again.take_over(None), [0]);
    }
}
