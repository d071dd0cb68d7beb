//! Puts the expressions of an answer together into the columns of a table.
//!
//! In: values by their place in the answer, row after row. Out: the row in the sink, the key of the last row of a full
//! chunk, and the number of rows. A value of several expressions waits here for its last one.

use super::value::Value;
use super::variant;
use super::{Parts, Shape, TakeRows};
use crate::error::SourceError;
use crate::key::KeyValue;
use crate::row_sink::RowSink;

/// What an expression is to its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// All of it.
    Whole,
    /// A geometry's reference system.
    Srid,
    /// A geometry's shape.
    Outline,
    /// A variant's base type.
    Base,
    /// What a variant holds, unless that is text.
    Content,
    /// What a variant holds, if it is text.
    Text,
}

/// The rows of one answer on their way into a sink.
pub(crate) struct Rows<'r, 's> {
    sink: &'r mut RowSink<'s>,
    places: Vec<(usize, Role)>,
    key: &'r [usize],
    rows_max: Option<u64>,
    received: u64,
    /// Whether this row is the last that is wanted, so that its key is too.
    last: bool,
    cut_short: bool,
    last_key: Vec<Option<KeyValue>>,
    srid: Option<i32>,
    base: String,
    /// The text of a variant's content; `None` where it is NULL.
    content: Option<String>,
}

impl<'r, 's> Rows<'r, 's> {
    pub(crate) fn new(sink: &'r mut RowSink<'s>, shape: &'r Shape, rows_max: Option<u64>) -> Rows<'r, 's> {
        let roles = |parts: &Parts| -> &[Role] {
            match parts {
                Parts::One => &[Role::Whole],
                Parts::Two => &[Role::Srid, Role::Outline],
                Parts::Three => &[Role::Base, Role::Content, Role::Text],
            }
        };
        let columns = shape.columns.iter().enumerate();
        let places = columns.flat_map(|(column, parts)| roles(parts).iter().map(move |role| (column, *role)));
        Rows {
            sink,
            places: places.collect(),
            key: &shape.key,
            rows_max,
            received: 0,
            last: rows_max == Some(1),
            cut_short: false,
            last_key: vec![None; shape.key.len()],
            srid: None,
            base: String::new(),
            content: None,
        }
    }

    /// Refuses an answer of another width.
    pub(crate) fn expect_columns(&self, found: usize) -> Result<(), SourceError> {
        match self.places.len() {
            expected if expected == found => Ok(()),
            expected => {
                let message = format!("{expected} columns were asked for, {found} came");
                Err(SourceError::Protocol { message })
            }
        }
    }

    /// Rows that came.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Bytes of all rows in the sink.
    pub(crate) fn content_bytes(&self) -> u64 {
        self.sink.content_bytes()
    }

    /// No row is wanted behind the next one.
    pub(crate) fn end_behind_next(&mut self) {
        self.rows_max = Some(self.received + 1);
        (self.last, self.cut_short) = (true, true);
    }

    /// Whether the last wanted row came and others follow.
    #[inline]
    pub(crate) fn are_cut_short(&self) -> bool {
        self.cut_short && self.rows_max == Some(self.received)
    }

    /// The key of the last row, when as many came as were wanted.
    pub(crate) fn take_key(self, key: &mut Vec<KeyValue>) {
        if self.rows_max == Some(self.received) {
            key.clear();
            key.extend(self.last_key.into_iter().flatten());
        }
    }

    #[cold]
    fn keep_key(&mut self, place: usize, value: Value<'_>) -> Result<(), SourceError> {
        for (wanted, kept) in self.key.iter().zip(&mut self.last_key) {
            if *wanted == place {
                *kept = Some(value.key()?);
            }
        }
        Ok(())
    }

    /// One of several expressions that make a value.
    fn part(&mut self, column: usize, role: Role, value: Value<'_>) -> Result<(), SourceError> {
        let strange = || "the expressions that make its value came as other types";
        match (role, value) {
            (Role::Srid, Value::Integer(srid)) => self.srid = i32::try_from(srid).ok(),
            (Role::Srid, Value::Null) => self.srid = None,
            (Role::Outline, value) => return self.geometry(column, value),
            (Role::Base, Value::Text(base)) => {
                self.base.clear();
                self.base.push_str(base);
            }
            (Role::Base, Value::Null) => self.base.clear(),
            (Role::Content, value) => return self.content(column, value),
            (Role::Text, value) => return self.variant(column, value),
            _ => return Err(self.sink.unfit(column, strange())),
        }
        Ok(())
    }

    fn geometry(&mut self, column: usize, outline: Value<'_>) -> Result<(), SourceError> {
        match (self.srid, outline) {
            (Some(srid), Value::Bytes(wkb)) => self.sink.put_geometry(column, srid, wkb),
            (_, Value::Null) | (None, Value::Bytes(_)) => Value::Null.put(self.sink, column),
            _ => Err(self.sink.unfit(column, "the shape of a geometry came as another type")),
        }
    }

    fn content(&mut self, column: usize, value: Value<'_>) -> Result<(), SourceError> {
        let mut text = self.content.take().unwrap_or_default();
        text.clear();
        if value != Value::Null {
            variant::write_text(&mut text, value).map_err(|reason| self.sink.unfit(column, reason))?;
            self.content = Some(text);
        }
        Ok(())
    }

    /// A variant without a base type is NULL.
    fn variant(&mut self, column: usize, text: Value<'_>) -> Result<(), SourceError> {
        match (self.base.is_empty(), text, &self.content) {
            (true, ..) => Value::Null.put(self.sink, column),
            (false, Value::Text(text), None) => self.sink.put_variant(column, &self.base, text),
            (false, Value::Null, Some(content)) => self.sink.put_variant(column, &self.base, content),
            _ => Err(self.sink.unfit(column, "a sql_variant has a base type and no value, or two")),
        }
    }
}

impl TakeRows for Rows<'_, '_> {
    #[inline(always)]
    fn value(&mut self, place: usize, value: Value<'_>) -> Result<(), SourceError> {
        if self.last {
            self.keep_key(place, value)?;
        }
        match self.places[place] {
            (column, Role::Whole) => value.put(self.sink, column),
            (column, role) => self.part(column, role, value),
        }
    }

    #[cold]
    fn unfit(&self, place: usize, reason: &str) -> SourceError {
        self.sink.unfit(self.places[place].0, reason)
    }

    #[inline]
    fn end_row(&mut self) -> Result<(), SourceError> {
        self.sink.end_row()?;
        self.received += 1;
        self.last = self.rows_max == Some(self.received + 1);
        match self.rows_max {
            Some(rows_max) if self.received > rows_max => {
                let message = format!("{rows_max} rows were asked for at most, and more came");
                Err(SourceError::Protocol { message })
            }
            _ => Ok(()),
        }
    }
}
