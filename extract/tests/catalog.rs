//! What `inspect` says of a source.

use etl_extract::inspect;
use etl_schemas::sql_type::SqlType;
use etl_schemas::table::KeyKind;

use crate::source::{LOG, MESSAGES, Source, name};

#[test]
fn tables_columns_keys_and_sizes_are_read() {
    let source = Source::shop();
    let out = tempfile::tempdir().unwrap();
    let catalog = inspect(&source.extract(out.path())).unwrap();

    assert_eq!(catalog.server.database, "shop");
    assert_eq!(catalog.server.database_collation, "Finnish_Swedish_CI_AS");
    assert!(catalog.server.counts_rows, "rows are counted at both ends");
    assert!(catalog.server.version.contains('.') && !catalog.server.edition.is_empty());
    let [log, messages] = catalog.tables.as_slice() else { panic!("two tables: {:?}", catalog.tables) };
    assert_eq!((&log.schema.name, &messages.schema.name), (&name("Log"), &name("Messages")));
    assert_eq!((log.rows, messages.rows), (LOG as u64, MESSAGES as u64));
    assert!(messages.bytes > log.bytes && log.bytes.is_some_and(|bytes| bytes > 0));

    assert_eq!(log.schema.key, None);
    let key = messages.schema.key.as_ref().unwrap();
    assert_eq!(
        (key.name.as_str(), key.kind, key.unique, key.columns.as_slice()),
        ("PK_Messages", KeyKind::Clustered, true, &[0][..])
    );
    let [id, body] = messages.schema.columns.as_slice() else { panic!("two columns") };
    assert_eq!((id.id, id.name.as_str(), &id.sql_type), (1, "Id", &SqlType::Int));
    assert!(id.identity && !id.nullable && id.collation.is_none());
    assert_eq!((body.id, &body.sql_type), (2, &SqlType::NVarChar { length: None }));
    assert!(body.nullable && !body.identity && !body.computed);
    assert_eq!(body.collation.as_deref(), Some("Finnish_Swedish_CI_AS"));
}
