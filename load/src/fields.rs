//! Reads the fields of an event's body into slots that are used again for every event, so that reading costs no
//! allocation.
//!
//! In: the bytes of a protobuf message and the event type that describes them. Out: one [`Value`] a field. Fields may
//! stand in any order, twice (the last one counts), or be unknown (passed over), as protobuf allows. Bytes that don't fit
//! the type end in a [`WireError`].

use etl_schemas::event::{EventField, EventFieldKind};
use etl_schemas::ticks::Ticks;
use etl_schemas::wire::{WireError, WireReader, WireValue, read_timestamp, unzigzag};
use uuid::Uuid;

/// A field's value, borrowed from the event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    /// An absent `optional` field, or an absent Timestamp.
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float(f32),
    Double(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    /// A point in time: seconds since 1970-01-01 and nanoseconds counted forward, within years 0001 to 9999.
    Time(i64, i32),
    Enum(i32),
    /// Only ids and keys are UUIDs by type; events carry them as text or bytes.
    Uuid(Uuid),
}

/// Where a field's value lies: in place, or as a range of the body.
#[derive(Clone, Copy, Debug)]
enum Slot {
    Absent,
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes { start: usize, end: usize },
}

/// The fields of one event type that somebody wants, and where they lie in the event read last.
#[derive(Debug)]
pub(crate) struct FieldReader {
    fields: Vec<EventField>,
    slots: Vec<Slot>,
}

impl FieldReader {
    /// For fields given by rising number.
    pub(crate) fn new(fields: Vec<EventField>) -> FieldReader {
        debug_assert!(fields.is_sorted_by_key(|field| field.number));
        let slots = vec![Slot::Absent; fields.len()];
        FieldReader { fields, slots }
    }

    /// Finds the fields in `body`.
    pub(crate) fn read(&mut self, body: &[u8]) -> Result<(), WireError> {
        self.slots.fill(Slot::Absent);
        let mut reader = WireReader::new(body);
        // Our own events have their fields by rising number, so the next one wanted is most often the next one there.
        let mut next = 0;
        while let Some((number, value)) = reader.field()? {
            let index = match self.fields.get(next) {
                Some(field) if field.number == number => next,
                _ => match self.fields.binary_search_by_key(&number, |field| field.number) {
                    Ok(index) => index,
                    Err(_) => continue,
                },
            };
            next = index + 1;
            self.slots[index] = match value {
                WireValue::Varint(value) => Slot::Varint(value),
                WireValue::Fixed64(value) => Slot::Fixed64(value),
                WireValue::Fixed32(value) => Slot::Fixed32(value),
                WireValue::Bytes(bytes) => {
                    let end = body.len() - reader.remaining();
                    Slot::Bytes { start: end - bytes.len(), end }
                }
            };
        }
        Ok(())
    }

    /// The value of the field at `index`; `body` is what [`FieldReader::read`] was given last.
    #[inline]
    pub(crate) fn value<'a>(&self, index: usize, body: &'a [u8]) -> Result<Value<'a>, WireError> {
        use EventFieldKind as K;
        let field = &self.fields[index];
        Ok(match (&field.kind, self.slots[index]) {
            (_, Slot::Absent) => absent(field),
            (K::Bool, Slot::Varint(value)) => Value::Bool(value != 0),
            (K::Int32, Slot::Varint(value)) => Value::Int(i64::from(value as i32)),
            (K::Int64, Slot::Varint(value)) => Value::Int(value as i64),
            (K::UInt32, Slot::Varint(value)) => Value::UInt(u64::from(value as u32)),
            (K::UInt64, Slot::Varint(value)) => Value::UInt(value),
            (K::SInt32, Slot::Varint(value)) => Value::Int(i64::from(unzigzag(value) as i32)),
            (K::SInt64, Slot::Varint(value)) => Value::Int(unzigzag(value)),
            (K::Enum(_), Slot::Varint(value)) => Value::Enum(value as i32),
            (K::Float, Slot::Fixed32(bits)) => Value::Float(f32::from_bits(bits)),
            (K::Double, Slot::Fixed64(bits)) => Value::Double(f64::from_bits(bits)),
            (K::Bytes, Slot::Bytes { start, end }) => Value::Bytes(&body[start..end]),
            (K::String, Slot::Bytes { start, end }) => {
                Value::Text(simdutf8::basic::from_utf8(&body[start..end]).map_err(|_| WireError::Utf8(field.number))?)
            }
            (K::Timestamp, Slot::Bytes { start, end }) => {
                let (seconds, nanos) = read_timestamp(&body[start..end])?;
                Ticks::from_timestamp(seconds, nanos).ok_or(WireError::Timestamp(field.number))?;
                Value::Time(seconds, nanos)
            }
            (_, slot) => return Err(WireError::Mismatch { field: field.number, found: slot.wire_type() }),
        })
    }
}

impl Slot {
    fn wire_type(self) -> u8 {
        match self {
            Slot::Absent | Slot::Varint(_) => etl_schemas::wire::VARINT,
            Slot::Fixed64(_) => etl_schemas::wire::FIXED64,
            Slot::Fixed32(_) => etl_schemas::wire::FIXED32,
            Slot::Bytes { .. } => etl_schemas::wire::LENGTH,
        }
    }
}

/// proto3 leaves out fields that hold their type's zero; only `optional` fields and messages can be absent.
fn absent(field: &EventField) -> Value<'static> {
    use EventFieldKind as K;
    if field.optional {
        return Value::Null;
    }
    match field.kind {
        K::Bool => Value::Bool(false),
        K::Int32 | K::Int64 | K::SInt32 | K::SInt64 => Value::Int(0),
        K::UInt32 | K::UInt64 => Value::UInt(0),
        K::Float => Value::Float(0.0),
        K::Double => Value::Double(0.0),
        K::String => Value::Text(""),
        K::Bytes => Value::Bytes(&[]),
        K::Enum(_) => Value::Enum(0),
        K::Timestamp => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use etl_schemas::event::EventCatalog;
    use etl_schemas::wire::{FIXED32, put_key, put_length_delimited, put_varint};
    use proptest::prelude::*;

    use super::*;

    const PROTO: &str = "syntax = \"proto3\"; import \"google/protobuf/timestamp.proto\";
        message M { bool a = 1; int32 b = 2; sint64 c = 3; optional string d = 4; bytes e = 5; double f = 6; float g = 7;
                    google.protobuf.Timestamp h = 8; uint64 i = 900; }";

    fn reader() -> FieldReader {
        let catalog = EventCatalog::parse(Path::new("events.proto"), PROTO, Uuid::nil()).unwrap();
        FieldReader::new(catalog.types[0].fields.clone())
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(body: Vec<u8>) {
            let mut reader = reader();
            if reader.read(&body).is_ok() {
                for index in 0..9 {
                    let _ = reader.value(index, &body);
                }
            }
        }
    }

    #[test]
    fn any_order_counts_and_the_last_of_two_and_unknown_fields_do_not() {
        let mut body = Vec::new();
        put_key(&mut body, 900, 0);
        put_varint(&mut body, u64::MAX);
        put_length_delimited(&mut body, 4, b"first");
        put_length_delimited(&mut body, 77, b"unknown");
        put_length_delimited(&mut body, 4, b"last");
        put_key(&mut body, 2, 0);
        put_varint(&mut body, (-1i64) as u64);
        let mut reader = reader();
        reader.read(&body).unwrap();
        let values: Vec<Value<'_>> = (0..9).map(|index| reader.value(index, &body).unwrap()).collect();
        assert_eq!(values[1], Value::Int(-1));
        assert_eq!(values[3], Value::Text("last"));
        assert_eq!(values[8], Value::UInt(u64::MAX));
        assert_eq!((values[0], values[7]), (Value::Bool(false), Value::Null));
        reader.read(&[]).unwrap();
        assert_eq!(reader.value(3, &[]), Ok(Value::Null));
    }

    #[test]
    fn another_wire_type_than_the_schema_says_is_an_error() {
        let mut body = Vec::new();
        put_key(&mut body, 4, FIXED32);
        body.extend_from_slice(&[0; 4]);
        let mut reader = reader();
        reader.read(&body).unwrap();
        assert_eq!(reader.value(3, &body), Err(WireError::Mismatch { field: 4, found: FIXED32 }));
    }
}
