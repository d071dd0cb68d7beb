//! A row as one line of JSON, for people and for `jq`.
//!
//! In: a row's cells. Out: an object with every column under its source name, in the table's order; NULL is `null`.
//! Whole numbers and floats are numbers, decimals and money strings (JSON readers would round them), bytes `0x...` as
//! T-SQL writes them, a `uniqueidentifier` is hyphenated, dates and times are ISO 8601 without a zone, and a
//! `datetimeoffset` is the local time with its offset. A `sql_variant` is `{"type":..,"value":..}`, a geometry
//! `{"srid":..,"wkb":..}`.

use std::io::Write as _;
use std::sync::Arc;

use uuid::Uuid;

use super::layout::RowLayout;
use super::row::{Cell, RowError, RowReader};
use crate::sql_type::SqlType;
use crate::table::TableSchema;
use crate::ticks::{PER_DAY, PER_SECOND, Ticks, civil_from_days};

/// Steps of a minute.
const PER_MINUTE: i64 = 60 * PER_SECOND;
const INFALLIBLE: &str = "a Vec takes all that is written";

/// Writes rows of one table as JSON.
#[derive(Clone, Debug)]
pub struct RowJson {
    reader: RowReader,
    /// The column's name as JSON with its colon, and what its numbers and bytes mean.
    columns: Vec<(Vec<u8>, Meaning)>,
}

/// What a cell's kind doesn't say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Plain,
    Date,
    Time,
    Uuid,
}

impl RowJson {
    /// For the rows of a table; `layout` is that table's.
    pub fn new(table: &TableSchema, layout: &Arc<RowLayout>) -> RowJson {
        let columns = table.columns.iter().map(|column| {
            let mut head = Vec::new();
            put_string(&mut head, &column.name);
            head.push(b':');
            let meaning = match column.sql_type {
                SqlType::Date => Meaning::Date,
                SqlType::Time { .. } => Meaning::Time,
                SqlType::UniqueIdentifier => Meaning::Uuid,
                _ => Meaning::Plain,
            };
            (head, meaning)
        });
        RowJson { columns: columns.collect(), reader: RowReader::all(layout) }
    }

    /// Appends a row's object, without a line end. On an error nothing is appended.
    pub fn write<'a>(&self, row: &'a [u8], cells: &mut Vec<Cell<'a>>, out: &mut Vec<u8>) -> Result<(), RowError> {
        self.reader.read(row, cells)?;
        out.push(b'{');
        for (place, ((head, meaning), cell)) in self.columns.iter().zip(cells.iter()).enumerate() {
            if place > 0 {
                out.push(b',');
            }
            out.extend_from_slice(head);
            put_cell(out, *meaning, *cell);
        }
        out.push(b'}');
        Ok(())
    }
}

fn put_cell(out: &mut Vec<u8>, meaning: Meaning, cell: Cell<'_>) {
    match cell {
        Cell::Null => out.extend_from_slice(b"null"),
        Cell::Bool(value) => write!(out, "{value}").expect(INFALLIBLE),
        Cell::Integer(days) if meaning == Meaning::Date => put_date(out, days),
        Cell::Integer(nanos) if meaning == Meaning::Time => put_time(out, nanos),
        Cell::Integer(value) => write!(out, "{value}").expect(INFALLIBLE),
        // JSON has no infinity and no NaN, and neither has SQL Server; serde_json writes null for them.
        Cell::Float(value) => serde_json::to_writer(&mut *out, &value).expect(INFALLIBLE),
        Cell::Double(value) => serde_json::to_writer(&mut *out, &value).expect(INFALLIBLE),
        Cell::Text(text) => put_string(out, text),
        Cell::Bytes(bytes) => match Uuid::from_slice(bytes) {
            Ok(uuid) if meaning == Meaning::Uuid => write!(out, "\"{uuid}\"").expect(INFALLIBLE),
            _ => put_hex(out, bytes),
        },
        Cell::Timestamp(ticks) => write!(out, "\"{ticks}\"").expect(INFALLIBLE),
        Cell::DateTimeOffset { utc, offset_minutes } => put_datetime_offset(out, utc, offset_minutes),
        Cell::Variant { base_type, text } => {
            out.extend_from_slice(b"{\"type\":");
            put_string(out, base_type);
            out.extend_from_slice(b",\"value\":");
            put_string(out, text);
            out.push(b'}');
        }
        Cell::Geometry { srid, wkb } => {
            write!(out, "{{\"srid\":{srid},\"wkb\":").expect(INFALLIBLE);
            put_hex(out, wkb);
            out.push(b'}');
        }
    }
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect(INFALLIBLE);
}

fn put_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"\"0x");
    out.extend(bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]));
    out.push(b'"');
}

/// A day number; one beyond any calendar stays a number.
fn put_date(out: &mut Vec<u8>, days: i64) {
    let calendar = i64::from(Ticks::MIN.to_days().0)..=i64::from(Ticks::MAX.to_days().0);
    match calendar.contains(&days) {
        true => {
            let (year, month, day) = civil_from_days(days as i32);
            write!(out, "\"{year:04}-{month:02}-{day:02}\"").expect(INFALLIBLE);
        }
        false => write!(out, "{days}").expect(INFALLIBLE),
    }
}

/// Nanoseconds of the day; more than a day stays a number.
fn put_time(out: &mut Vec<u8>, nanos: i64) {
    if !(0..PER_DAY * 100).contains(&nanos) {
        write!(out, "{nanos}").expect(INFALLIBLE);
        return;
    }
    let shown = Ticks(nanos / 100).to_string();
    let (_, time) = shown.split_once('T').unwrap_or(("", &shown));
    write!(out, "\"{time}\"").expect(INFALLIBLE);
}

/// The wall clock where it was written, and how far that is ahead of UTC.
fn put_datetime_offset(out: &mut Vec<u8>, utc: Ticks, offset_minutes: i32) {
    let local = Ticks(utc.0 + i64::from(offset_minutes) * PER_MINUTE);
    let (sign, minutes) = (if offset_minutes < 0 { '-' } else { '+' }, offset_minutes.unsigned_abs());
    write!(out, "\"{local}{sign}{:02}:{:02}\"", minutes / 60, minutes % 60).expect(INFALLIBLE);
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::dump::{BlockBuilder, samples};

    #[test]
    fn a_day_beyond_any_calendar_stays_a_number() {
        let shown = |days: i64| {
            let mut out = Vec::new();
            put_date(&mut out, days);
            String::from_utf8(out).unwrap()
        };
        assert_eq!((shown(-719_162), shown(2_932_896)), (r#""0001-01-01""#.to_string(), r#""9999-12-31""#.to_string()));
        for days in [-719_163, 2_932_897, i64::from(i32::MAX), i64::from(i32::MIN), i64::MAX] {
            assert_eq!(shown(days), days.to_string());
        }
    }

    #[test]
    fn every_kind_of_value_has_its_form() {
        let types = [
            (1, "bit"),
            (2, "bigint"),
            (3, "float"),
            (4, "real"),
            (5, "decimal"),
            (6, "nvarchar"),
            (7, "varbinary"),
            (8, "uniqueidentifier"),
            (9, "date"),
            (10, "time"),
            (11, "datetime"),
            (12, "datetimeoffset"),
            (13, "sql_variant"),
            (14, "geography"),
            (15, "int"),
        ];
        let table = samples::table(&types);
        let layout = Arc::new(RowLayout::new(&table));
        let mut builder = BlockBuilder::new(Arc::clone(&layout));
        builder.put_bool(0, true);
        builder.put_integer(1, i64::MIN);
        builder.put_double(2, 1e300);
        builder.put_float(3, 0.1);
        builder.put_text(4, "-0.0100");
        builder.put_text(5, "a \"b\"\u{0}\u{1f600}");
        builder.put_bytes(6, &[0, 255]);
        builder.put_bytes(7, &(0..16).collect::<Vec<_>>());
        builder.put_integer(8, -1);
        builder.put_integer(9, 1_000_000_100);
        builder.put_timestamp(10, Ticks::MAX);
        builder.put_datetime_offset(11, Ticks(0), -90);
        builder.put_variant(12, "int", "7");
        builder.put_geometry(13, 4326, &[1]);
        builder.end_row().unwrap();
        let block = builder.take();
        let mut out = Vec::new();
        let row = &block.content()[block.content().len() - row_bytes(block.content())..];
        RowJson::new(&table, &layout).write(row, &mut Vec::new(), &mut out).unwrap();
        let shown = String::from_utf8(out).unwrap().replace(",\"c", ",\n\"c");
        expect![[r#"
            {"c1":true,
            "c2":-9223372036854775808,
            "c3":1e+300,
            "c4":0.1,
            "c5":"-0.0100",
            "c6":"a \"b\"\u0000😀",
            "c7":"0x00ff",
            "c8":"00010203-0405-0607-0809-0a0b0c0d0e0f",
            "c9":"1969-12-31",
            "c10":"00:00:01.000000100",
            "c11":"9999-12-31T23:59:59.999999900",
            "c12":"1969-12-31T22:30:00-01:30",
            "c13":{"type":"int","value":"7"},
            "c14":{"srid":4326,"wkb":"0x01"},
            "c15":null}"#]]
        .assert_eq(&shown);
    }

    fn row_bytes(content: &[u8]) -> usize {
        crate::wire::WireReader::new(content).delimited().unwrap().len()
    }
}
