//! Which columns can take which values, and how: the table of types, in one place.

use etl_schemas::event::EventFieldKind;
use prost_reflect::EnumDescriptor;

use crate::enum_names;
use crate::postgres::catalog::TableColumn;
use crate::postgres::encode::Encoding;
use crate::postgres::numeric::NumericLimits;

/// What kind of value a column is given.
#[derive(Clone, Copy, Debug)]
pub(super) enum Given<'a> {
    Bool,
    Integer,
    Float,
    Double,
    Text,
    Bytes,
    Timestamp,
    Enum(&'a EnumDescriptor),
    Uuid,
    /// The event's key: an integer, text or a UUID, known only with the event.
    Key,
}

impl Given<'_> {
    pub(super) fn of_field(kind: &EventFieldKind) -> Given<'_> {
        use EventFieldKind as K;
        match kind {
            K::Bool => Given::Bool,
            K::Int32 | K::Int64 | K::UInt32 | K::UInt64 | K::SInt32 | K::SInt64 => Given::Integer,
            K::Float => Given::Float,
            K::Double => Given::Double,
            K::String => Given::Text,
            K::Bytes => Given::Bytes,
            K::Timestamp => Given::Timestamp,
            K::Enum(descriptor) => Given::Enum(descriptor),
        }
    }

    /// The types that can take it, as a person writes them.
    fn takers(self) -> &'static str {
        match self {
            Given::Bool => "boolean",
            Given::Integer => "smallint, integer, bigint and numeric",
            Given::Float => "real and double precision",
            Given::Double => "double precision",
            Given::Text => "text, varchar, char, citext, uuid, numeric, date, json, jsonb and enums",
            Given::Bytes => "bytea, and uuid if it has 16 bytes",
            Given::Timestamp => "timestamptz, timestamp and date",
            Given::Enum(_) => "text, varchar, char, citext, enums, smallint, integer and bigint",
            Given::Uuid => "uuid and text",
            Given::Key => "text, varchar, char, citext, smallint, integer, bigint, numeric and uuid",
        }
    }
}

/// How the column takes the value; or else the types that would.
pub(super) fn fit(given: Given<'_>, column: &TableColumn) -> Result<Encoding, String> {
    use Given as G;
    if let Some(labels) = &column.labels {
        return match given {
            G::Text => Ok(Encoding::Label(labels.clone())),
            G::Enum(descriptor) => Ok(by_label(descriptor, labels)),
            _ => Err(given.takers().to_string()),
        };
    }
    Ok(match (column.base.as_deref().unwrap_or(""), given) {
        ("bool", G::Bool) => Encoding::Bool,
        ("int2", G::Integer | G::Enum(_) | G::Key) => Encoding::Int2,
        ("int4", G::Integer | G::Enum(_) | G::Key) => Encoding::Int4,
        ("int8", G::Integer | G::Enum(_) | G::Key) => Encoding::Int8,
        ("numeric", G::Integer | G::Text | G::Key) => Encoding::Numeric(NumericLimits::from_modifier(column.modifier)),
        ("float4", G::Float) => Encoding::Float4,
        ("float8", G::Float | G::Double) => Encoding::Float8,
        ("text" | "varchar" | "citext" | "bpchar", G::Text | G::Uuid | G::Key) => {
            Encoding::Text { chars_max: chars_max(column.modifier) }
        }
        ("text" | "varchar" | "citext" | "bpchar", G::Enum(descriptor)) => by_name(descriptor, column.modifier),
        ("uuid", G::Uuid | G::Text | G::Bytes | G::Key) => Encoding::Uuid,
        ("bytea", G::Bytes) => Encoding::Bytea,
        ("timestamptz" | "timestamp", G::Timestamp) => Encoding::Timestamp,
        ("date", G::Timestamp | G::Text) => Encoding::Date,
        ("json", G::Text) => Encoding::Json,
        ("jsonb", G::Text) => Encoding::Jsonb,
        _ => return Err(given.takers().to_string()),
    })
}

/// The length of `varchar(n)` and `char(n)`; their type modifier counts a header of 4 bytes along.
fn chars_max(modifier: i32) -> Option<usize> {
    usize::try_from(modifier.checked_sub(4)?).ok()
}

/// An enum as text: its short names.
fn by_name(descriptor: &EnumDescriptor, modifier: i32) -> Encoding {
    let names = enum_names::values(descriptor).into_iter().map(|(number, _, short)| (number, Some(short)));
    Encoding::Names { names: names.collect(), chars_max: chars_max(modifier) }
}

/// An enum as a Postgres enum: the label that equals the short or the full name, in the same case or in lower case. A
/// value without a label is an error of the event that has it: `UNSPECIFIED` seldom has one.
fn by_label(descriptor: &EnumDescriptor, labels: &[String]) -> Encoding {
    let label = |full: &str, short: &str| {
        let spellings = [short.to_string(), full.to_string(), short.to_lowercase(), full.to_lowercase()];
        spellings.into_iter().find(|spelling| labels.contains(spelling))
    };
    let names = enum_names::values(descriptor).into_iter().map(|(number, full, short)| (number, label(&full, &short)));
    Encoding::Names { names: names.collect(), chars_max: None }
}
