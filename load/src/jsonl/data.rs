//! An event's fields as a JSON object, by protobuf's JSON mapping.

use etl_schemas::event::{EventFieldKind, EventType};
use etl_schemas::wire::WireError;

use super::text;
use crate::enum_names;
use crate::fields::{FieldReader, Value};

/// Writes the fields of events of one type; what is the same in each of them is made once.
pub(crate) struct DataWriter {
    reader: FieldReader,
    fields: Vec<FieldWriter>,
}

struct FieldWriter {
    /// `"body":`
    label: Vec<u8>,
    /// 64-bit integers stand in quotes.
    quoted: bool,
    /// Names by number, for an enum.
    names: Vec<(i32, String)>,
}

impl DataWriter {
    pub(crate) fn new(event_type: &EventType) -> DataWriter {
        let fields = event_type.fields.iter().map(|field| FieldWriter {
            label: format!("\"{}\":", field.name).into_bytes(),
            quoted: matches!(field.kind, EventFieldKind::Int64 | EventFieldKind::UInt64 | EventFieldKind::SInt64),
            names: match &field.kind {
                EventFieldKind::Enum(descriptor) => {
                    enum_names::values(descriptor).into_iter().map(|(number, full, _)| (number, full)).collect()
                }
                _ => Vec::new(),
            },
        });
        DataWriter { fields: fields.collect(), reader: FieldReader::new(event_type.fields.clone()) }
    }

    /// Appends the object. On an error what was appended is no JSON.
    pub(crate) fn put(&mut self, body: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
        self.reader.read(body)?;
        out.push(b'{');
        let data = out.len();
        for (index, field) in self.fields.iter().enumerate() {
            let value = self.reader.value(index, body)?;
            if value != Value::Null {
                if out.len() > data {
                    out.push(b',');
                }
                out.extend_from_slice(&field.label);
                put_value(out, field, value);
            }
        }
        out.push(b'}');
        Ok(())
    }
}

fn put_value(out: &mut Vec<u8>, field: &FieldWriter, value: Value<'_>) {
    if field.quoted {
        out.push(b'"');
    }
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
        Value::Int(value) => text::put_signed(out, value),
        Value::UInt(value) => text::put_unsigned(out, value),
        Value::Float(value) => text::put_float(out, value, f64::from(value)),
        Value::Double(value) => text::put_float(out, value, value),
        Value::Text(value) => text::put_string(out, value),
        Value::Bytes(value) => text::put_base64(out, value),
        Value::Time(seconds, nanos) => text::put_timestamp(out, seconds, nanos),
        Value::Uuid(value) => text::put_uuid(out, &value),
        Value::Enum(number) => match field.names.binary_search_by_key(&number, |(number, _)| *number) {
            Ok(index) => text::put_string(out, &field.names[index].1),
            // A number that the enum doesn't know stands as it is, as protobuf's mapping has it.
            Err(_) => text::put_signed(out, i64::from(number)),
        },
    }
    if field.quoted {
        out.push(b'"');
    }
}
