//! The schema files: what protoc would make of them, whatever the tables are called.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use etl_schemas::dump::{DumpError, DumpWriter};
use etl_schemas::sql_type::SqlType;
use etl_schemas::table::{TableName, TableSchema};
use expect_test::expect;
use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage as _};

use super::sample::{small_part, table, types};

fn write(dir: &Path, tables: &[TableSchema]) -> DescriptorPool {
    drop(DumpWriter::create(dir, "", tables).unwrap());
    DescriptorPool::decode(fs::read(dir.join("schema.binpb")).unwrap().as_slice()).unwrap()
}

/// Compiles `schema.proto` as it lies in the directory, as `protoc -I <dir> --include_imports` would.
fn compile(dir: &Path) -> Vec<u8> {
    let mut compiler = protox::Compiler::new([dir]).unwrap();
    compiler.include_imports(true).open_file("schema.proto").unwrap();
    compiler.encode_file_descriptor_set()
}

#[test]
fn the_text_is_for_people_and_the_set_is_what_it_compiles_to() {
    let dir = tempfile::tempdir().unwrap();
    let mut messages =
        table("Messages", &[(1, SqlType::BigInt), (2, SqlType::DateTime), (5, SqlType::VarChar { length: None })]);
    messages.columns[0].identity = true;
    messages.columns[0].nullable = false;
    messages.columns[2].name = "Te\"xt\n".to_string();
    write(dir.path(), &[messages]);
    expect![[r#"
        // Written by etl. See docs/dump-format.md of the etl project.
        syntax = "proto3";

        package legacy.dbo;

        import "etl/dump.proto";
        import "google/protobuf/timestamp.proto";

        message Messages {
          option (.etl.table) = { schema: "dbo" name: "Messages" };
          optional sint64 Column_1 = 1 [(.etl.column) = { name: "Column 1" sql_type: "bigint" identity: true }];
          optional .google.protobuf.Timestamp Column_2 = 2 [(.etl.column) = { name: "Column 2" sql_type: "datetime" nullable: true }];
          optional string Column_5 = 5 [(.etl.column) = { name: "Te\"xt\012" sql_type: "varchar(max)" collation: "Finnish_Swedish_CI_AS" nullable: true }];
        }
    "#]].assert_eq(&fs::read_to_string(dir.path().join("schema.proto")).unwrap());
    assert_eq!(compile(dir.path()), fs::read(dir.path().join("schema.binpb")).unwrap());
}

#[test]
fn the_option_keeps_what_sql_server_said() {
    let dir = tempfile::tempdir().unwrap();
    let pool = write(dir.path(), &[table("Members", &[(19_007, SqlType::VarChar { length: Some(40) })])]);
    let message = pool.get_message_by_name("legacy.dbo.Members").unwrap();
    let field = message.get_field(500_019_007).unwrap();
    let option = pool.get_extension_by_name("etl.column").unwrap();
    let options = field.options();
    let column = options.get_extension(&option);
    let column: &DynamicMessage = column.as_message().unwrap();
    let text = |name: &str| column.get_field_by_name(name).unwrap().as_str().unwrap().to_string();
    assert_eq!(
        (text("name"), text("sql_type"), text("collation")),
        ("Column 19007".to_string(), "varchar(40)".to_string(), "Finnish_Swedish_CI_AS".to_string(),)
    );
    assert_eq!(column.get_field_by_name("nullable").unwrap().as_bool(), Some(true));
}

#[test]
fn tables_and_columns_may_be_called_as_they_like() {
    let dir = tempfile::tempdir().unwrap();
    let names =
        ["etl", "google", "legacy", "message", "string", "optional", "dbo", "Column", "Timestamp", "option", "true"];
    let tables = names.map(|name| {
        let columns: Vec<(u32, SqlType)> = types().into_iter().zip(1..).map(|(kind, id)| (id, kind)).collect();
        let mut table = table(name, &columns);
        for (column, field) in table.columns.iter_mut().zip(names) {
            column.field = field.to_string();
        }
        table
    });
    let pool = write(dir.path(), &tables);
    for table in &tables {
        assert_eq!(pool.get_message_by_name(&table.full_name()).unwrap().fields().len(), table.columns.len());
    }
}

#[test]
fn each_schema_has_a_file_and_the_first_one_imports_them() {
    let dir = tempfile::tempdir().unwrap();
    let columns = [(1, SqlType::Int)];
    let mut tables = [table("A", &columns), table("B", &columns), table("C", &columns)];
    tables[1].name.schema = "Chat-2".to_string();
    let pool = write(dir.path(), &tables);
    let text = |file: &str| fs::read_to_string(dir.path().join(file)).unwrap();
    assert!(
        text("schema.proto").contains("import public \"schema/Chat_2.proto\";\nimport public \"schema/dbo.proto\";")
    );
    assert!(text("schema/Chat_2.proto").contains("package legacy.Chat_2;"));
    assert_eq!(compile(dir.path()), fs::read(dir.path().join("schema.binpb")).unwrap());
    let all: Vec<String> = pool.all_messages().map(|message| message.full_name().to_string()).collect();
    for name in ["legacy.dbo.A", "legacy.Chat_2.B", "legacy.dbo.C"] {
        assert!(all.iter().any(|found| found == name), "{name} in {all:?}");
    }
}

#[test]
fn a_name_that_stands_for_two_tables_is_an_error_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let columns = [(1, SqlType::Int)];
    let mut tables = [table("A", &columns), table("A", &columns)];
    tables[1].name = TableName::new("dbo", "Ä");
    let out = dir.path().join("out");
    let error = DumpWriter::create(&out, "", &tables).unwrap_err();
    assert!(matches!(error, DumpError::Schema { .. }), "{error}");
    assert!(!out.exists());
}

#[test]
fn the_index_is_the_message_its_proto_declares() {
    let dir = tempfile::tempdir().unwrap();
    let (path, _, _) = small_part(dir.path(), 25);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto");
    let pool = protox::Compiler::new([folder]).unwrap().open_file("etl/index.proto").unwrap().descriptor_pool();
    let message = pool.get_message_by_name("etl.PartIndex").unwrap();
    let bytes = fs::read(dir.path().join("00000.idx")).unwrap();
    let index = DynamicMessage::decode(message, bytes.as_slice()).unwrap();
    assert_eq!(index.unknown_fields().count(), 0);
    let part_bytes = fs::metadata(path).unwrap().len();
    assert_eq!(index.get_field_by_name("part_bytes").unwrap().as_u64(), Some(part_bytes));
    let blocks = index.get_field_by_name("blocks").unwrap();
    let rows: u32 = blocks
        .as_list()
        .unwrap()
        .iter()
        .map(|block| block.as_message().unwrap().get_field_by_name("rows").unwrap().as_u32().unwrap())
        .sum();
    assert_eq!(rows, 25);
    let checksum = index.get_field_by_name("checksum").unwrap().as_u32().unwrap();
    assert_eq!(checksum.to_le_bytes(), bytes[bytes.len() - 4..]);
    let fields: BTreeMap<u32, String> =
        index.descriptor().fields().map(|field| (field.number(), field.name().to_string())).collect();
    assert_eq!(fields.keys().last(), Some(&15));
}
