//! The dump's protobuf schema: what people and protoc read, and the same compiled.
//!
//! In: the tables. Out: `schema.proto` with a message per table, `etl/dump.proto` and `etl/index.proto` beside it, and
//! `schema.binpb`, the FileDescriptorSet of all that with google's own files. A protobuf file has one package, so a
//! dump of several SQL Server schemas has `schema/<schema>.proto` for each, and `schema.proto` imports them publicly.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use prost_reflect::DescriptorPool;
use prost_types::FileDescriptorProto;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

use super::{DumpError, field_number};
use crate::sql_type::FieldKind;
use crate::table::{Column, TableSchema, package_name, safe_name};

/// The schema's text, or the file that imports the others.
pub(crate) const SCHEMA_FILE: &str = "schema.proto";
/// The compiled schema.
pub(crate) const DESCRIPTORS_FILE: &str = "schema.binpb";

const DUMP_PROTO: &str = include_str!("../../proto/etl/dump.proto");
const INDEX_PROTO: &str = include_str!("../../proto/etl/index.proto");

/// The schema of a dump as files and compiled.
pub(crate) struct SchemaFiles {
    /// Path within the dump, and content.
    pub(crate) files: Vec<(String, Vec<u8>)>,
}

/// Writes and compiles the schema of these tables.
pub(crate) fn schema_files(tables: &[TableSchema]) -> Result<SchemaFiles, DumpError> {
    let texts = texts(tables);
    // As `protoc --include_imports --descriptor_set_out` makes it.
    let descriptors = compile(&texts)?.encode_file_descriptor_set();
    let mut files: Vec<(String, Vec<u8>)> = texts.into_iter().map(|(name, text)| (name, text.into_bytes())).collect();
    files.push((DESCRIPTORS_FILE.to_string(), descriptors));
    Ok(SchemaFiles { files })
}

/// The descriptors of these tables' messages.
pub(crate) fn descriptors(tables: &[TableSchema]) -> Result<DescriptorPool, DumpError> {
    Ok(compile(&texts(tables))?.descriptor_pool())
}

/// Every `.proto` of the dump by its path.
fn texts(tables: &[TableSchema]) -> BTreeMap<String, String> {
    let mut packages: BTreeMap<String, Vec<&TableSchema>> = BTreeMap::new();
    for table in tables {
        packages.entry(safe_name(&table.name.schema)).or_default().push(table);
    }
    let mut texts = BTreeMap::from([
        ("etl/dump.proto".to_string(), DUMP_PROTO.to_string()),
        ("etl/index.proto".to_string(), INDEX_PROTO.to_string()),
    ]);
    if let [(_, tables)] = packages.iter().collect::<Vec<_>>()[..] {
        texts.insert(SCHEMA_FILE.to_string(), package_text(tables));
        return texts;
    }
    let mut all = format!("{HEAD}\n");
    for (schema, tables) in &packages {
        let file = format!("schema/{schema}.proto");
        writeln!(all, "import public \"{file}\";").expect(INFALLIBLE);
        texts.insert(file, package_text(tables));
    }
    texts.insert(SCHEMA_FILE.to_string(), all);
    texts
}

const HEAD: &str = "// Written by etl. See docs/dump-format.md of the etl project.\nsyntax = \"proto3\";\n";
const INFALLIBLE: &str = "a String takes all that is written";

/// One file: the tables of one SQL Server schema. Types are named from the root (`.etl.Column`), so that no table or
/// column can be taken for them.
fn package_text(tables: &[&TableSchema]) -> String {
    let package = tables.first().map_or_else(String::new, |table| package_name(&table.name.schema));
    let mut text = format!("{HEAD}\npackage {package};\n\nimport \"etl/dump.proto\";\n");
    let timestamps = |table: &&TableSchema| table.columns.iter().any(|column| column.kind() == FieldKind::Timestamp);
    if tables.iter().any(timestamps) {
        text.push_str("import \"google/protobuf/timestamp.proto\";\n");
    }
    for table in tables {
        let (schema, name) = (literal(&table.name.schema), literal(&table.name.name));
        write!(text, "\nmessage {} {{\n", table.message).expect(INFALLIBLE);
        writeln!(text, "  option (.etl.table) = {{ schema: {schema} name: {name} }};").expect(INFALLIBLE);
        for column in &table.columns {
            write_field(&mut text, column);
        }
        text.push_str("}\n");
    }
    text
}

fn write_field(text: &mut String, column: &Column) {
    let (kind, field, number) = (type_name(column.kind()), &column.field, field_number(column.id));
    write!(text, "  optional {kind} {field} = {number} [(.etl.column) = {{").expect(INFALLIBLE);
    write!(text, " name: {} sql_type: {}", literal(&column.name), literal(&column.sql_type.to_string()))
        .expect(INFALLIBLE);
    if let Some(collation) = &column.collation {
        write!(text, " collation: {}", literal(collation)).expect(INFALLIBLE);
    }
    for (name, set) in [("nullable", column.nullable), ("identity", column.identity), ("computed", column.computed)] {
        if set {
            write!(text, " {name}: true").expect(INFALLIBLE);
        }
    }
    text.push_str(" }];\n");
}

fn type_name(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Bool => "bool",
        FieldKind::UInt32 => "uint32",
        FieldKind::SInt32 => "sint32",
        FieldKind::SInt64 => "sint64",
        FieldKind::Float => "float",
        FieldKind::Double => "double",
        FieldKind::String => "string",
        FieldKind::Bytes => "bytes",
        FieldKind::Timestamp => ".google.protobuf.Timestamp",
        FieldKind::DateTimeOffset => ".etl.DateTimeOffset",
        FieldKind::Variant => ".etl.Variant",
        FieldKind::Geometry => ".etl.Geometry",
    }
}

/// A protobuf string literal: quotes, backslashes and control characters escaped, other UTF-8 as it is.
fn literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                literal.push('\\');
                literal.push(character);
            }
            '\0'..='\x1f' | '\x7f' => write!(literal, "\\{:03o}", character as u32).expect(INFALLIBLE),
            other => literal.push(other),
        }
    }
    literal.push('"');
    literal
}

fn compile(texts: &BTreeMap<String, String>) -> Result<protox::Compiler, DumpError> {
    let mut resolver = ChainFileResolver::new();
    resolver.add(Texts(texts.clone()));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true);
    match compiler.open_file(SCHEMA_FILE) {
        Ok(_) => Ok(compiler),
        Err(error) => Err(DumpError::Schema { problem: error.to_string() }),
    }
}

struct Texts(BTreeMap<String, String>);

impl FileResolver for Texts {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match self.0.get(name) {
            Some(text) => {
                // The compiler moves source locations for every option, in time quadratic in their number; nobody reads
                // them here.
                let mut file = FileDescriptorProto::from(File::from_source(name, text)?);
                file.source_code_info = None;
                Ok(File::from_file_descriptor_proto(file))
            }
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}
