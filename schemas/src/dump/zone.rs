//! Zone maps: what a block says of a column's values without being opened.

/// Smallest and largest value of one column in one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// The column's place in [`TableSchema::columns`](crate::table::TableSchema::columns).
    pub column: usize,
    /// Minimum and maximum of the values that aren't NULL; `None` when all are NULL. What the integers mean says
    /// [`FieldKind::has_zone`](crate::sql_type::FieldKind::has_zone).
    pub range: Option<(i64, i64)>,
    /// Rows in which the column is NULL.
    pub nulls: u32,
    /// Whether the values never fall from one row to the next, NULLs left aside.
    pub ascending: bool,
}

/// A zone while its block grows.
#[derive(Clone, Debug)]
pub(crate) struct ZoneBuilder {
    min: i64,
    max: i64,
    last: i64,
    values: u32,
    ascending: bool,
}

impl ZoneBuilder {
    pub(crate) fn new() -> ZoneBuilder {
        ZoneBuilder { min: i64::MAX, max: i64::MIN, last: i64::MIN, values: 0, ascending: true }
    }

    #[inline]
    pub(crate) fn add(&mut self, value: i64) {
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.ascending &= value >= self.last;
        self.last = value;
        self.values += 1;
    }

    /// The zone of a block of `rows` rows.
    pub(crate) fn build(&self, column: usize, rows: u32) -> Zone {
        let range = (self.values > 0).then_some((self.min, self.max));
        Zone { column, range, nulls: rows - self.values, ascending: self.ascending }
    }
}
