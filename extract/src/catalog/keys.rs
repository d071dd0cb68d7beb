//! The key by which a table is read: its clustered index, for rows lie in that order; else a unique index that holds
//! every row once; else none.

use std::collections::HashMap;

use etl_schemas::table::{Column, Key, KeyKind};

use crate::error::SourceError;
use crate::row_source::Answer;

/// An index as the catalog describes it.
pub(super) struct Index {
    id: i64,
    name: String,
    clustered: bool,
    unique: bool,
    primary: bool,
    disabled: bool,
    filtered: bool,
    /// `column_id` and whether it descends, in the key's order.
    columns: Vec<(u32, bool)>,
}

/// The indexes of every table by object id, from `sys.indexes` and `sys.index_columns`.
pub(super) fn indexes(rows: &[Answer], columns: &[Answer]) -> Result<HashMap<i64, Vec<Index>>, SourceError> {
    // By table and index: ordinal within the key, column, whether it descends.
    let mut by_index = HashMap::<_, Vec<(i64, u32, bool)>>::new();
    for row in columns {
        let index = (row.integer(0)?, row.integer(1)?);
        by_index.entry(index).or_default().push((row.integer(3)?, row.small(2)?, row.truth(4)?));
    }
    let mut indexes: HashMap<i64, Vec<Index>> = HashMap::new();
    for row in rows {
        let (table, id) = (row.integer(0)?, row.integer(1)?);
        let mut columns = by_index.remove(&(table, id)).unwrap_or_default();
        columns.sort_unstable();
        indexes.entry(table).or_default().push(Index {
            id,
            name: row.text(2)?.unwrap_or_default().to_string(),
            clustered: row.integer(3)? == 1,
            unique: row.truth(4)?,
            primary: row.truth(5)?,
            disabled: row.truth(6)?,
            filtered: row.truth(7)?,
            columns: columns.into_iter().map(|(_, column, descending)| (column, descending)).collect(),
        });
    }
    Ok(indexes)
}

/// The key to read by, of those that serve: the clustered index first, then the primary key, then the one with the
/// fewest columns.
pub(super) fn reading_key(indexes: &[Index], columns: &[Column]) -> Option<Key> {
    let serving = indexes.iter().filter_map(|index| Some((index, places(index, columns)?)));
    let (index, columns) = serving
        .filter(|(index, places)| index.clustered || holds_every_row_once(index, places, columns))
        .min_by_key(|(index, places)| (!index.clustered, !index.primary, places.len(), index.id))?;
    let kind = if index.clustered { KeyKind::Clustered } else { KeyKind::Unique };
    Some(Key { name: index.name.clone(), kind, unique: index.unique, columns })
}

fn holds_every_row_once(index: &Index, places: &[usize], columns: &[Column]) -> bool {
    index.unique && !index.filtered && places.iter().all(|place| !columns[*place].nullable)
}

/// The places of the key's columns, if the index can give an order. One that is switched off can't. One that rises in one
/// column and falls in another can't be walked by `ORDER BY a, b`: the server would sort the table.
fn places(index: &Index, columns: &[Column]) -> Option<Vec<usize>> {
    let one_way = index.columns.iter().all(|(_, descending)| *descending == index.columns[0].1);
    if index.disabled || index.columns.is_empty() || !one_way {
        return None;
    }
    let place = |id: u32| columns.iter().position(|column| column.id == id);
    index.columns.iter().map(|(id, _)| place(*id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use etl_schemas::sql_type::SqlType;

    fn column(id: u32, nullable: bool) -> Column {
        Column {
            id,
            name: format!("c{id}"),
            field: format!("c{id}"),
            sql_type: SqlType::Int,
            nullable,
            collation: None,
            identity: false,
            computed: false,
        }
    }

    fn index(id: i64, columns: &[(u32, bool)]) -> Index {
        Index {
            id,
            name: format!("ix{id}"),
            clustered: false,
            unique: true,
            primary: false,
            disabled: false,
            filtered: false,
            columns: columns.to_vec(),
        }
    }

    fn chosen(indexes: &[Index]) -> Option<(String, KeyKind, Vec<usize>)> {
        let columns = [column(1, false), column(2, false), column(5, true)];
        reading_key(indexes, &columns).map(|key| (key.name, key.kind, key.columns))
    }

    #[test]
    fn the_clustered_index_comes_first_even_when_it_is_not_unique() {
        let clustered = Index { clustered: true, unique: false, ..index(1, &[(5, false)]) };
        let primary = Index { primary: true, ..index(2, &[(1, false)]) };
        assert_eq!(chosen(&[primary, clustered]), Some(("ix1".into(), KeyKind::Clustered, vec![2])));
    }

    #[test]
    fn without_it_the_primary_key_then_the_narrowest_unique_one() {
        let wide = index(2, &[(1, false), (2, false)]);
        let narrow = index(3, &[(2, true)]);
        assert_eq!(chosen(&[wide, narrow]), Some(("ix3".into(), KeyKind::Unique, vec![1])));
        let primary = Index { primary: true, ..index(4, &[(1, false), (2, false)]) };
        assert_eq!(chosen(&[index(3, &[(2, false)]), primary]).map(|key| key.0), Some("ix4".into()));
    }

    #[test]
    fn an_index_that_may_miss_or_repeat_a_row_gives_no_key() {
        assert_eq!(chosen(&[Index { unique: false, ..index(2, &[(1, false)]) }]), None);
        assert_eq!(chosen(&[Index { filtered: true, ..index(2, &[(1, false)]) }]), None);
        assert_eq!(chosen(&[Index { disabled: true, ..index(2, &[(1, false)]) }]), None);
        assert_eq!(chosen(&[index(2, &[(5, false)])]), None);
        assert_eq!(chosen(&[index(2, &[(1, false), (2, true)])]), None);
        assert_eq!(chosen(&[]), None);
    }
}
