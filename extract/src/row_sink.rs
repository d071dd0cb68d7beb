//! Between a row source and the dump: each value is checked against its column and written into the block at once.
//!
//! In: values as a TDS client decodes them, column by column, rows ended one by one. Out: full blocks, handed to whoever
//! packs them. A value that isn't what the catalog said ends the part with column and row; nothing is cut, rounded or
//! guessed.

mod decimal;

use std::sync::Arc;
use std::time::{Duration, Instant};

use etl_schemas::dump::{Block, BlockBuilder, RowLayout};
use etl_schemas::sql_type::SqlType;
use etl_schemas::table::{Column, TableSchema};
use etl_schemas::ticks::Ticks;

use crate::error::SourceError;
pub(crate) use decimal::DecimalText;

/// What a column's values must be, worked out once so that no value looks into its [`SqlType`] again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Bool,
    Integer {
        min: i64,
        max: i64,
    },
    Real,
    Float,
    Decimal {
        limit: u128,
        scale: u8,
    },
    /// `wide` text was UTF-16 on the wire, where halves of pairs are replaced.
    Text {
        wide: bool,
    },
    Bytes,
    Guid,
    Date,
    Time,
    Timestamp,
    DateTimeOffset,
    Variant,
    Geometry,
}

/// Takes the full blocks of a part.
pub(crate) trait BlockConsumer: Send {
    /// Takes a block; waits while too many are under way.
    fn consume(&mut self, block: Block) -> Result<(), SourceError>;
}

/// See the module.
pub(crate) struct RowSink<'a> {
    columns: &'a [Column],
    expected: Vec<Expected>,
    builder: BlockBuilder,
    decimal: DecimalText,
    rows: u64,
    replaced: u64,
    /// Of the blocks that were handed over.
    block_bytes: u64,
    blocked: Duration,
    blocks: &'a mut dyn BlockConsumer,
}

impl<'a> RowSink<'a> {
    /// For the rows of one part.
    pub(crate) fn new(
        table: &'a TableSchema,
        layout: Arc<RowLayout>,
        blocks: &'a mut dyn BlockConsumer,
    ) -> RowSink<'a> {
        RowSink {
            columns: &table.columns,
            expected: table.columns.iter().map(expected).collect(),
            builder: BlockBuilder::new(layout),
            decimal: DecimalText::default(),
            rows: 0,
            replaced: 0,
            block_bytes: 0,
            blocked: Duration::ZERO,
            blocks,
        }
    }

    /// Rows that were ended.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Characters U+FFFD in text that was UTF-16: each stands for half a surrogate pair, unless the source held one.
    pub(crate) fn replaced(&self) -> u64 {
        self.replaced
    }

    /// Bytes of all rows so far, as the dump has them before compression.
    pub(crate) fn content_bytes(&self) -> u64 {
        self.block_bytes + self.builder.content_bytes() as u64
    }

    /// How long blocks waited for their consumer: meanwhile the server waited for us.
    pub(crate) fn blocked(&self) -> Duration {
        self.blocked
    }

    /// Ends the row. A full block goes to its consumer, which may wait.
    #[inline]
    pub(crate) fn end_row(&mut self) -> Result<(), SourceError> {
        self.builder.end_row()?;
        self.rows += 1;
        match self.builder.is_full() {
            true => self.hand_over(),
            false => Ok(()),
        }
    }

    fn hand_over(&mut self) -> Result<(), SourceError> {
        let started = Instant::now();
        self.block_bytes += self.builder.content_bytes() as u64;
        let consumed = self.blocks.consume(self.builder.take());
        self.blocked += started.elapsed();
        consumed
    }

    /// Hands the last, partly filled block over.
    pub(crate) fn finish(&mut self) -> Result<(), SourceError> {
        match self.builder.rows() {
            0 => Ok(()),
            _ => self.hand_over(),
        }
    }

    pub(crate) fn put_null(&mut self, column: usize) {
        self.builder.put_null(column);
    }

    pub(crate) fn put_bool(&mut self, column: usize, value: bool) -> Result<(), SourceError> {
        match self.expected[column] {
            Expected::Bool => {
                self.builder.put_bool(column, value);
                Ok(())
            }
            _ => Err(self.unfit(column, "a bit came")),
        }
    }

    pub(crate) fn put_integer(&mut self, column: usize, value: i64) -> Result<(), SourceError> {
        match self.expected[column] {
            Expected::Integer { min, max } if (min..=max).contains(&value) => {
                self.builder.put_integer(column, value);
                Ok(())
            }
            _ => Err(self.unfit(column, &format!("the whole number {value} came"))),
        }
    }

    pub(crate) fn put_float(&mut self, column: usize, value: f32) -> Result<(), SourceError> {
        match self.expected[column] {
            Expected::Real => {
                self.builder.put_float(column, value);
                Ok(())
            }
            // Widening loses nothing.
            Expected::Float => {
                self.builder.put_double(column, f64::from(value));
                Ok(())
            }
            _ => Err(self.unfit(column, "a real came")),
        }
    }

    pub(crate) fn put_double(&mut self, column: usize, value: f64) -> Result<(), SourceError> {
        match self.expected[column] {
            Expected::Float => {
                self.builder.put_double(column, value);
                Ok(())
            }
            _ => Err(self.unfit(column, "a float came")),
        }
    }

    /// A decimal as its digits without the point.
    pub(crate) fn put_decimal(&mut self, column: usize, digits: i128, scale: u8) -> Result<(), SourceError> {
        match self.expected[column] {
            Expected::Decimal { limit, scale: own } if own == scale && digits.unsigned_abs() < limit => {
                self.builder.put_text(column, self.decimal.write(digits, scale));
                Ok(())
            }
            _ => Err(self.unfit(column, &format!("a decimal of scale {scale} came, or one with too many digits"))),
        }
    }

    pub(crate) fn put_text(&mut self, column: usize, value: &str) -> Result<(), SourceError> {
        match self.expected[column] {
            Expected::Text { wide } => {
                if wide {
                    self.count_replaced(value);
                }
                self.builder.put_text(column, value);
                Ok(())
            }
            _ => Err(self.unfit(column, "text came")),
        }
    }

    pub(crate) fn put_bytes(&mut self, column: usize, value: &[u8]) -> Result<(), SourceError> {
        match self.expected[column] {
            Expected::Bytes => {
                self.builder.put_bytes(column, value);
                Ok(())
            }
            _ => Err(self.unfit(column, "bytes came")),
        }
    }

    /// A GUID in the byte order of RFC 4122.
    pub(crate) fn put_guid(&mut self, column: usize, value: &[u8; 16]) -> Result<(), SourceError> {
        match self.expected[column] {
            Expected::Guid => {
                self.builder.put_bytes(column, value);
                Ok(())
            }
            _ => Err(self.unfit(column, "a uniqueidentifier came")),
        }
    }

    /// Days since 1970-01-01; `None` is out of the calendar.
    pub(crate) fn put_date(&mut self, column: usize, days: Option<i32>) -> Result<(), SourceError> {
        match (self.expected[column], days) {
            (Expected::Date, Some(days)) => {
                self.builder.put_integer(column, i64::from(days));
                Ok(())
            }
            _ => Err(self.unfit_time(column, "a date", days.is_some())),
        }
    }

    /// 100 ns steps since midnight; `None` is beyond the day.
    pub(crate) fn put_time(&mut self, column: usize, ticks: Option<i64>) -> Result<(), SourceError> {
        match (self.expected[column], ticks) {
            (Expected::Time, Some(ticks)) => {
                self.builder.put_integer(column, ticks * 100);
                Ok(())
            }
            _ => Err(self.unfit_time(column, "a time", ticks.is_some())),
        }
    }

    /// A wall clock; `None` is out of the calendar.
    pub(crate) fn put_timestamp(&mut self, column: usize, ticks: Option<Ticks>) -> Result<(), SourceError> {
        match (self.expected[column], ticks) {
            (Expected::Timestamp, Some(ticks)) => {
                self.builder.put_timestamp(column, ticks);
                Ok(())
            }
            _ => Err(self.unfit_time(column, "a date and time", ticks.is_some())),
        }
    }

    /// An instant in UTC with its offset in minutes; `None` is out of the calendar.
    pub(crate) fn put_datetime_offset(
        &mut self,
        column: usize,
        utc: Option<Ticks>,
        offset_minutes: i32,
    ) -> Result<(), SourceError> {
        let utc = utc.filter(|_| (-840..=840).contains(&offset_minutes));
        match (self.expected[column], utc) {
            (Expected::DateTimeOffset, Some(utc)) => {
                self.builder.put_datetime_offset(column, utc, offset_minutes);
                Ok(())
            }
            _ => Err(self.unfit_time(column, "a datetimeoffset", utc.is_some())),
        }
    }

    pub(crate) fn put_variant(&mut self, column: usize, base_type: &str, text: &str) -> Result<(), SourceError> {
        match self.expected[column] {
            Expected::Variant => {
                self.count_replaced(text);
                self.builder.put_variant(column, base_type, text);
                Ok(())
            }
            _ => Err(self.unfit(column, "a sql_variant came")),
        }
    }

    pub(crate) fn put_geometry(&mut self, column: usize, srid: i32, wkb: &[u8]) -> Result<(), SourceError> {
        match self.expected[column] {
            Expected::Geometry => {
                self.builder.put_geometry(column, srid, wkb);
                Ok(())
            }
            _ => Err(self.unfit(column, "a geometry came")),
        }
    }

    #[inline]
    fn count_replaced(&mut self, text: &str) {
        if text.contains(char::REPLACEMENT_CHARACTER) {
            self.replaced += text.matches(char::REPLACEMENT_CHARACTER).count() as u64;
        }
    }

    /// The error for a value that doesn't fit its column.
    #[cold]
    pub(crate) fn unfit(&self, column: usize, reason: &str) -> SourceError {
        let Column { name, sql_type, .. } = &self.columns[column];
        let reason = format!("the catalog says {sql_type}; {reason}");
        SourceError::Value { column: name.clone(), row: self.rows + 1, reason }
    }

    #[cold]
    fn unfit_time(&self, column: usize, what: &str, within_calendar: bool) -> SourceError {
        match within_calendar {
            true => self.unfit(column, &format!("{what} came")),
            false => self.unfit(column, &format!("{what} outside the calendar of years 0001 to 9999 came")),
        }
    }
}

fn expected(column: &Column) -> Expected {
    use Expected as E;
    let integer = |min, max| E::Integer { min, max };
    let decimal = |precision: u8, scale| E::Decimal { limit: 10_u128.pow(u32::from(precision.min(38))), scale };
    match &column.sql_type {
        SqlType::Bit => E::Bool,
        SqlType::TinyInt => integer(0, 255),
        SqlType::SmallInt => integer(i64::from(i16::MIN), i64::from(i16::MAX)),
        SqlType::Int => integer(i64::from(i32::MIN), i64::from(i32::MAX)),
        SqlType::BigInt => integer(i64::MIN, i64::MAX),
        SqlType::Decimal { precision, scale } => decimal(*precision, *scale),
        // The SELECT casts them.
        SqlType::Money => decimal(19, 4),
        SqlType::SmallMoney => decimal(10, 4),
        SqlType::Real => E::Real,
        SqlType::Float => E::Float,
        SqlType::Char { .. } | SqlType::VarChar { .. } | SqlType::Text => {
            // What isn't asked for as it is, the server converts to UTF-16.
            let asked = column.sql_type.select_expressions("c", column.collation.as_deref());
            E::Text { wide: asked != ["c"] }
        }
        SqlType::NChar { .. } | SqlType::NVarChar { .. } | SqlType::NText => E::Text { wide: true },
        SqlType::Xml | SqlType::Json | SqlType::HierarchyId => E::Text { wide: true },
        SqlType::Binary { .. } | SqlType::VarBinary { .. } | SqlType::Image => E::Bytes,
        SqlType::RowVersion | SqlType::Clr { .. } => E::Bytes,
        SqlType::UniqueIdentifier => E::Guid,
        SqlType::Date => E::Date,
        SqlType::Time { .. } => E::Time,
        SqlType::DateTime | SqlType::SmallDateTime | SqlType::DateTime2 { .. } => E::Timestamp,
        SqlType::DateTimeOffset { .. } => E::DateTimeOffset,
        SqlType::SqlVariant => E::Variant,
        SqlType::Geometry | SqlType::Geography => E::Geometry,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use etl_schemas::table::{TableName, field_names};

    /// Keeps the blocks.
    struct Kept(Vec<Block>);

    impl BlockConsumer for Kept {
        fn consume(&mut self, block: Block) -> Result<(), SourceError> {
            self.0.push(block);
            Ok(())
        }
    }

    fn table(types: &[SqlType]) -> TableSchema {
        let fields = field_names((1..).zip(types.iter().map(|_| "c")));
        let column = |(index, field): (usize, String)| Column {
            id: index as u32 + 1,
            name: format!("C{}", index + 1),
            field,
            sql_type: types[index].clone(),
            nullable: true,
            collation: None,
            identity: false,
            computed: false,
        };
        let columns = fields.into_iter().enumerate().map(column).collect();
        TableSchema { name: TableName::new("dbo", "T"), message: "T".into(), columns, key: None }
    }

    /// The error of putting one value into a table's only column.
    fn refused(sql_type: SqlType, put: impl Fn(&mut RowSink<'_>) -> Result<(), SourceError>) -> String {
        let table = table(&[sql_type]);
        let mut kept = Kept(Vec::new());
        let mut sink = RowSink::new(&table, Arc::new(RowLayout::new(&table)), &mut kept);
        sink.put_null(0);
        sink.end_row().unwrap();
        put(&mut sink).unwrap_err().to_string()
    }

    #[test]
    fn a_value_that_does_not_fit_names_column_row_and_type() {
        let shown = refused(SqlType::TinyInt, |sink| sink.put_integer(0, 256));
        assert_eq!(shown, "column C1, row 2: the catalog says tinyint; the whole number 256 came");
        let decimal = SqlType::Decimal { precision: 5, scale: 2 };
        assert!(refused(decimal.clone(), |sink| sink.put_decimal(0, 100_000, 2)).contains("too many digits"));
        assert!(refused(decimal, |sink| sink.put_decimal(0, 1, 3)).contains("scale 3"));
        assert!(refused(SqlType::Date, |sink| sink.put_date(0, None)).contains("calendar"));
        let offset = SqlType::DateTimeOffset { scale: 7 };
        assert!(refused(offset, |sink| sink.put_datetime_offset(0, Some(Ticks(0)), 841)).contains("calendar"));
        assert!(refused(SqlType::Int, |sink| sink.put_text(0, "1")).contains("text came"));
        assert!(refused(SqlType::Image, |sink| sink.put_guid(0, &[0; 16])).contains("uniqueidentifier"));
    }

    #[test]
    fn replaced_characters_are_counted_where_text_was_wide() {
        let table = table(&[SqlType::NText, SqlType::Text]);
        let mut kept = Kept(Vec::new());
        let mut sink = RowSink::new(&table, Arc::new(RowLayout::new(&table)), &mut kept);
        sink.put_text(0, "a\u{fffd}b\u{fffd}").unwrap();
        sink.put_text(1, "\u{fffd}").unwrap();
        sink.end_row().unwrap();
        assert_eq!((sink.rows(), sink.replaced()), (1, 2));
    }

    #[test]
    fn full_blocks_go_on_and_the_last_one_follows() {
        let table = table(&[SqlType::VarBinary { length: None }]);
        let mut kept = Kept(Vec::new());
        let mut sink = RowSink::new(&table, Arc::new(RowLayout::new(&table)), &mut kept);
        for _ in 0..3 {
            sink.put_bytes(0, &[7; 600_000]).unwrap();
            sink.end_row().unwrap();
        }
        sink.finish().unwrap();
        sink.finish().unwrap();
        assert_eq!(kept.0.iter().map(Block::rows).collect::<Vec<_>>(), [2, 1]);
    }
}
