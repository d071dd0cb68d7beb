//! Takes values from the client's decoder and hands them on as they are.

use std::borrow::Cow;

use ::mssql_tds::datatypes::column_values::{
    SqlDate, SqlDateTime, SqlDateTime2, SqlDateTimeOffset, SqlMoney, SqlSmallDateTime, SqlSmallMoney, SqlTime, SqlXml,
};
use ::mssql_tds::datatypes::decoder::DecimalParts;
use ::mssql_tds::datatypes::row_writer::RowWriter;
use ::mssql_tds::datatypes::sql_json::SqlJson;
use ::mssql_tds::datatypes::sql_string::EncodingType;
use ::mssql_tds::datatypes::sql_vector::SqlVector;
use etl_schemas::ticks::Ticks;
use uuid::Uuid;

use super::text;
use crate::error::SourceError;
use crate::row_source::value::Value;
use crate::row_source::{TakeRows, clock};

/// The digits of money behind the point.
const MONEY_SCALE: u8 = 4;

/// The client's decoder can't be told of an error, so the first one waits here, and what follows it is passed over.
pub(super) struct Writer<'w, T> {
    taker: &'w mut T,
    text: &'w mut Vec<u8>,
    error: Option<Box<SourceError>>,
}

impl<'w, T: TakeRows> Writer<'w, T> {
    pub(super) fn new(taker: &'w mut T, text: &'w mut Vec<u8>) -> Writer<'w, T> {
        Writer { taker, text, error: None }
    }

    /// The first error, if there was one.
    #[inline]
    pub(super) fn finish(self) -> Result<(), SourceError> {
        match self.error {
            None => Ok(()),
            Some(error) => Err(*error),
        }
    }

    #[inline(always)]
    fn take(&mut self, place: usize, value: Value<'_>) {
        if self.error.is_none()
            && let Err(error) = self.taker.value(place, value)
        {
            self.error = Some(Box::new(error));
        }
    }

    #[inline(always)]
    fn take_text(&mut self, place: usize, bytes: &[u8], encoding: EncodingType) {
        if self.error.is_some() {
            return;
        }
        let taken = match text::decode(self.text, bytes, encoding) {
            Ok(text) => self.taker.value(place, Value::Text(text)),
            Err(reason) => Err(self.taker.unfit(place, reason)),
        };
        if let Err(error) = taken {
            self.error = Some(Box::new(error));
        }
    }

    #[cold]
    fn refuse(&mut self, place: usize, reason: &str) {
        let error = self.taker.unfit(place, reason);
        self.error.get_or_insert_with(|| Box::new(error));
    }

    fn take_decimal(&mut self, place: usize, value: DecimalParts) {
        match i128::try_from(value.magnitude()) {
            Ok(digits) => {
                let digits = if value.is_positive { digits } else { -digits };
                self.take(place, Value::Decimal { digits, scale: value.scale });
            }
            Err(_) => self.refuse(place, "a decimal of more than 38 digits came"),
        }
    }

    fn take_money(&mut self, place: usize, ten_thousandths: i64) {
        self.take(place, Value::Decimal { digits: i128::from(ten_thousandths), scale: MONEY_SCALE });
    }
}

/// Whatever the declared scale, this client has times in steps of 100 ns.
fn time(value: &SqlTime) -> Option<i64> {
    clock::time(value.time_nanoseconds, 7)
}

fn datetime2(value: &SqlDateTime2) -> Option<Ticks> {
    clock::datetime2(value.days, value.time.time_nanoseconds, 7)
}

impl<T: TakeRows> RowWriter for Writer<'_, T> {
    fn write_null(&mut self, col: usize) {
        self.take(col, Value::Null);
    }

    fn write_bool(&mut self, col: usize, val: bool) {
        self.take(col, Value::Bool(val));
    }

    fn write_u8(&mut self, col: usize, val: u8) {
        self.take(col, Value::Integer(i64::from(val)));
    }

    fn write_i16(&mut self, col: usize, val: i16) {
        self.take(col, Value::Integer(i64::from(val)));
    }

    fn write_i32(&mut self, col: usize, val: i32) {
        self.take(col, Value::Integer(i64::from(val)));
    }

    fn write_i64(&mut self, col: usize, val: i64) {
        self.take(col, Value::Integer(val));
    }

    fn write_f32(&mut self, col: usize, val: f32) {
        self.take(col, Value::Real(val));
    }

    fn write_f64(&mut self, col: usize, val: f64) {
        self.take(col, Value::Float(val));
    }

    fn write_string(&mut self, col: usize, bytes: Cow<'_, [u8]>, encoding_type: EncodingType) {
        self.take_text(col, &bytes, encoding_type);
    }

    fn write_bytes(&mut self, col: usize, bytes: Cow<'_, [u8]>) {
        self.take(col, Value::Bytes(&bytes));
    }

    fn write_decimal(&mut self, col: usize, val: DecimalParts) {
        self.take_decimal(col, val);
    }

    fn write_numeric(&mut self, col: usize, val: DecimalParts) {
        self.take_decimal(col, val);
    }

    fn write_date(&mut self, col: usize, val: SqlDate) {
        self.take(col, Value::Date(clock::date(val.get_days())));
    }

    fn write_time(&mut self, col: usize, val: SqlTime) {
        self.take(col, Value::Time(time(&val)));
    }

    fn write_datetime(&mut self, col: usize, val: SqlDateTime) {
        self.take(col, Value::Timestamp(clock::datetime(val.days, val.time)));
    }

    fn write_smalldatetime(&mut self, col: usize, val: SqlSmallDateTime) {
        self.take(col, Value::Timestamp(clock::smalldatetime(val.days, val.time)));
    }

    fn write_datetime2(&mut self, col: usize, val: SqlDateTime2) {
        self.take(col, Value::Timestamp(datetime2(&val)));
    }

    fn write_datetimeoffset(&mut self, col: usize, val: SqlDateTimeOffset) {
        self.take(col, Value::Instant { utc: datetime2(&val.datetime2), offset_minutes: val.offset });
    }

    fn write_money(&mut self, col: usize, val: SqlMoney) {
        self.take_money(col, i64::from(val.msb_part) << 32 | i64::from(val.lsb_part as u32));
    }

    fn write_smallmoney(&mut self, col: usize, val: SqlSmallMoney) {
        self.take_money(col, i64::from(val.int_val));
    }

    fn write_uuid(&mut self, col: usize, val: Uuid) {
        self.take(col, Value::Guid(val.as_bytes()));
    }

    fn write_xml(&mut self, col: usize, val: SqlXml) {
        // SQL Server begins xml with a byte order mark, which is no part of the document.
        let document = val.bytes.strip_prefix(&[0xff, 0xfe]).unwrap_or(&val.bytes);
        self.take_text(col, document, EncodingType::Utf16);
    }

    fn write_json(&mut self, col: usize, _val: SqlJson) {
        self.refuse(col, "json came, which the query casts to text");
    }

    fn write_vector(&mut self, col: usize, _val: SqlVector) {
        self.refuse(col, "a vector came");
    }

    fn end_row(&mut self) {
        if self.error.is_none()
            && let Err(error) = self.taker.end_row()
        {
            self.error = Some(Box::new(error));
        }
    }
}
