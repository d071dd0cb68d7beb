//! The table that all targets know: one column of every kind that the dump carries.

use etl_schemas::sql_type::SqlType;
use etl_schemas::table::{Column, Key, KeyKind, TableName, TableSchema};

pub fn every_kind() -> TableSchema {
    let types = [
        ("Id", SqlType::Int),
        ("Flag", SqlType::Bit),
        ("Small", SqlType::TinyInt),
        ("Big", SqlType::BigInt),
        ("Price", SqlType::Money),
        ("Single", SqlType::Real),
        ("Wide", SqlType::Float),
        ("Body", SqlType::NVarChar { length: None }),
        ("Raw", SqlType::VarBinary { length: None }),
        ("Guid", SqlType::UniqueIdentifier),
        ("Day", SqlType::Date),
        ("Clock", SqlType::Time { scale: 7 }),
        ("SentAt", SqlType::DateTime2 { scale: 7 }),
        ("Zoned", SqlType::DateTimeOffset { scale: 7 }),
        ("Any", SqlType::SqlVariant),
        ("Place", SqlType::Geography),
    ];
    let column = |(place, (name, sql_type)): (usize, (&str, SqlType))| Column {
        id: place as u32 + 1,
        name: name.to_string(),
        field: name.to_string(),
        sql_type,
        nullable: place > 0,
        collation: None,
        identity: false,
        computed: false,
    };
    TableSchema {
        name: TableName::new("dbo", "T"),
        message: "T".to_string(),
        columns: types.into_iter().enumerate().map(column).collect(),
        key: Some(Key { name: "PK_T".to_string(), kind: KeyKind::Clustered, unique: true, columns: vec![0] }),
    }
}
