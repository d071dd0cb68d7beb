//! The event types of a project, read from its `events.proto`.
//!
//! In: proto3 text. Out: the types in their order (which is their rank), their fields, and the ids that follow from
//! project, type and key. Imports other than google's and messages within messages are refused: an event is flat, so
//! that every sink can carry it.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use prost_reflect::{Cardinality, DescriptorPool, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use thiserror::Error;
use uuid::Uuid;

use super::EventKey;
use crate::diagnostic::Diagnostic;
use crate::uuid5::uuid5;

/// Names that mappings and modules use for the envelope; no event field may take them.
pub const ENGINE_FIELDS: [&str; 6] = ["occurred_at", "key", "stream", "event_id", "position", "event_type"];

/// Why `events.proto` can't be used.
#[derive(Debug, Error)]
pub enum CatalogError {
    /// The file can't be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no valid proto3, or declares what an event can't be.
    #[error("{0}")]
    Invalid(Box<Diagnostic>),
}

/// What a field of an event holds.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the variants are protobuf's own names")]
pub enum EventFieldKind {
    Bool,
    Int32,
    Int64,
    UInt32,
    UInt64,
    SInt32,
    SInt64,
    Float,
    Double,
    String,
    Bytes,
    /// `google.protobuf.Timestamp`
    Timestamp,
    Enum(EnumDescriptor),
}

/// A field of an event.
#[derive(Clone, Debug)]
pub struct EventField {
    /// Field number.
    pub number: u32,
    /// Name as `events.proto` has it.
    pub name: String,
    /// What it holds.
    pub kind: EventFieldKind,
    /// Declared `optional`: may be absent. Any other field must be given and is never NULL.
    pub optional: bool,
}

/// A type of event.
#[derive(Clone, Debug)]
pub struct EventType {
    /// Place among the types: the second part of the total order.
    pub rank: u16,
    /// The message's name.
    pub name: String,
    /// The message's descriptor, for JSON and for readers that want reflection.
    pub descriptor: MessageDescriptor,
    /// Fields by rising number.
    pub fields: Vec<EventField>,
    /// Namespace of this type's event ids.
    id_namespace: Uuid,
}

impl EventType {
    /// A field by its name.
    pub fn field(&self, name: &str) -> Option<&EventField> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// All event types of a project.
#[derive(Clone, Debug)]
pub struct EventCatalog {
    /// Namespace of the project's UUIDs.
    pub namespace: Uuid,
    /// The types; a type's place is its rank.
    pub types: Vec<EventType>,
}

impl EventCatalog {
    /// Reads and compiles `path`.
    pub fn load(path: &Path, namespace: Uuid) -> Result<EventCatalog, CatalogError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| CatalogError::Read { path: path.to_path_buf(), source })?;
        EventCatalog::parse(path, &text, namespace)
    }

    /// Compiles the text of an `events.proto`; `path` is for messages only.
    pub fn parse(path: &Path, text: &str, namespace: Uuid) -> Result<EventCatalog, CatalogError> {
        let pool = compile(path, text)?;
        let file = pool.get_file_by_name(FILE).expect("the compiler was given this name");
        let mut types = Vec::new();
        for descriptor in file.messages() {
            let rank = u16::try_from(types.len()).expect("protobuf files hold fewer messages than 65,536");
            types.push(event_type(path, text, rank, descriptor, namespace)?);
        }
        if types.is_empty() {
            let message = "no message is declared here, so there are no events";
            return Err(CatalogError::Invalid(Box::new(Diagnostic::at(path, text, 0..1, message))));
        }
        Ok(EventCatalog { namespace, types })
    }

    /// A type by its name.
    pub fn event_type(&self, name: &str) -> Option<&EventType> {
        self.types.iter().find(|event_type| event_type.name == name)
    }

    /// The id of an event: UUIDv5 (RFC 9562) of the key's text, in the namespace of its type, which is itself the
    /// UUIDv5 of `event:<type>` in the project's namespace.
    pub fn event_id(&self, rank: u16, key: &EventKey<'_>) -> Uuid {
        let namespace = &self.types[usize::from(rank)].id_namespace;
        // Integers and UUIDs are written on the stack, so that an id costs no allocation.
        let mut buffer = [0; 36];
        let name = match key {
            EventKey::Text(text) => text.as_bytes(),
            other => {
                let mut rest = &mut buffer[..];
                write!(rest, "{other}").expect("integers and UUIDs are at most 36 characters");
                let length = 36 - rest.len();
                &buffer[..length]
            }
        };
        uuid5(namespace, name)
    }
}

/// The name under which the compiler knows the file, whatever the user's path.
const FILE: &str = "events.proto";

fn compile(path: &Path, text: &str) -> Result<DescriptorPool, CatalogError> {
    let mut resolver = protox::file::ChainFileResolver::new();
    resolver.add(OneFile { path: path.to_path_buf(), text: text.to_string() });
    resolver.add(protox::file::GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true);
    match compiler.open_file(FILE) {
        Ok(_) => Ok(compiler.descriptor_pool()),
        Err(error) => {
            let span = miette::Diagnostic::labels(&error).and_then(|mut labels| labels.next());
            let span = span.map_or(0..1, |label| label.offset()..label.offset() + label.len());
            let mut diagnostic = Diagnostic::at(path, text, span, error.to_string());
            diagnostic.help = miette::Diagnostic::help(&error).map(|help| help.to_string());
            Err(CatalogError::Invalid(Box::new(diagnostic)))
        }
    }
}

/// Resolves the one file that we compile, whatever its path on disk.
struct OneFile {
    path: PathBuf,
    text: String,
}

impl protox::file::FileResolver for OneFile {
    fn open_file(&self, name: &str) -> Result<protox::file::File, protox::Error> {
        match name == FILE {
            true => protox::file::File::from_source(name, &self.text),
            false if name.starts_with("google/protobuf/") => Err(protox::Error::file_not_found(name)),
            false => {
                let place = self.path.display();
                Err(protox::Error::new(format!("{place}: only google's files can be imported, not `{name}`")))
            }
        }
    }
}

fn event_type(
    path: &Path,
    text: &str,
    rank: u16,
    descriptor: MessageDescriptor,
    namespace: Uuid,
) -> Result<EventType, CatalogError> {
    let mut fields = Vec::new();
    for field in descriptor.fields() {
        let kind = field_kind(&field).and_then(|kind| match ENGINE_FIELDS.contains(&field.name()) {
            true => Err("this name is the engine's: every event has it already".to_string()),
            false => Ok(kind),
        });
        let kind = kind.map_err(|message| {
            let message = format!("{}.{}: {message}", descriptor.name(), field.name());
            let help = "an event's fields are numbers, bool, string, bytes, enums and google.protobuf.Timestamp, \
                        each once";
            let span = declaration(text, descriptor.name(), field.name());
            CatalogError::Invalid(Box::new(Diagnostic::at(path, text, span, message).help(help)))
        })?;
        fields.push(EventField {
            number: field.number(),
            name: field.name().to_string(),
            kind,
            optional: field.field_descriptor_proto().proto3_optional(),
        });
    }
    fields.sort_by_key(|field| field.number);
    let id_namespace = uuid5(&namespace, format!("event:{}", descriptor.name()).as_bytes());
    Ok(EventType { rank, name: descriptor.name().to_string(), descriptor, fields, id_namespace })
}

fn field_kind(field: &FieldDescriptor) -> Result<EventFieldKind, String> {
    use EventFieldKind as F;
    if field.cardinality() == Cardinality::Repeated {
        return Err("repeated fields and maps can't be carried".to_string());
    }
    if field.containing_oneof().is_some() && !field.field_descriptor_proto().proto3_optional() {
        return Err("a oneof can't be carried".to_string());
    }
    Ok(match field.kind() {
        Kind::Bool => F::Bool,
        Kind::Int32 => F::Int32,
        Kind::Int64 => F::Int64,
        Kind::Uint32 => F::UInt32,
        Kind::Uint64 => F::UInt64,
        Kind::Sint32 => F::SInt32,
        Kind::Sint64 => F::SInt64,
        Kind::Float => F::Float,
        Kind::Double => F::Double,
        Kind::String => F::String,
        Kind::Bytes => F::Bytes,
        Kind::Enum(descriptor) => F::Enum(descriptor),
        Kind::Message(message) if message.full_name() == "google.protobuf.Timestamp" => F::Timestamp,
        other => return Err(format!("type {other:?} can't be carried")),
    })
}

/// Where a field is declared: its name's first place after its message's. The parser's own source positions would say
/// the same at the price of keeping them for every file.
fn declaration(text: &str, message: &str, field: &str) -> std::ops::Range<usize> {
    let message_at = text.find(&format!("message {message}")).unwrap_or(0);
    let at = text[message_at..].find(&format!(" {field} ")).map_or(message_at, |at| message_at + at + 1);
    at..at + field.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn parse(text: &str) -> Result<EventCatalog, String> {
        EventCatalog::parse(Path::new("events.proto"), text, Uuid::NAMESPACE_URL).map_err(|error| error.to_string())
    }

    #[test]
    fn types_rank_by_their_place() {
        let catalog = parse(
            "syntax = \"proto3\";\nimport \"google/protobuf/timestamp.proto\";\n\
             message B { string id = 2; optional google.protobuf.Timestamp at = 1; }\nmessage A { G g = 1; }\n\
             enum G { G_UNKNOWN = 0; G_MALE = 1; }",
        )
        .unwrap();
        let b = catalog.event_type("B").unwrap();
        assert_eq!((b.rank, catalog.event_type("A").unwrap().rank), (0, 1));
        assert_eq!(b.fields.iter().map(|f| (f.number, f.optional)).collect::<Vec<_>>(), [(1, true), (2, false)]);
        assert_eq!(catalog.event_id(0, &EventKey::Integer(-7)), uuid5(&uuid5(&Uuid::NAMESPACE_URL, b"event:B"), b"-7"));
    }

    #[test]
    fn what_an_event_cannot_be_is_refused_in_its_place() {
        expect![[r#"
            events.proto:2:29: A.tags: repeated fields and maps can't be carried
              |
            2 | message A { repeated string tags = 1; }
              |                             ^^^^
              = an event's fields are numbers, bool, string, bytes, enums and google.protobuf.Timestamp, each once"#]]
        .assert_eq(&parse("syntax = \"proto3\";\nmessage A { repeated string tags = 1; }").unwrap_err());
        let taken = parse("syntax = \"proto3\";\nmessage A { string stream = 1; }").unwrap_err();
        assert!(taken.contains("the engine's"), "{taken}");
        let broken = parse("syntax = \"proto3\";\nmessage A { strin id = 1; }").unwrap_err();
        assert!(broken.contains("events.proto:2:13"), "{broken}");
        assert!(parse("syntax = \"proto3\";").unwrap_err().contains("no message"));
    }
}
