//! What a person sees who made a mistake: every error with its place, and what would be right.

mod functions;
mod names;
mod statements;

use etl_schemas::sql_type::SqlType;
use expect_test::Expect;

use crate::sample::{catalog, compile, project, table};

const EVENTS: &str = "message MessageSent { string message_id = 1; optional string body = 2; Gender gender = 3; \
                      optional int32 size = 4; optional bool seen = 5; } \
                      enum Gender { GENDER_UNKNOWN = 0; GENDER_MAN = 1; GENDER_WOMAN = 2; }";

/// Compiles `sql` and compares all that is wrong with it.
fn wrong(sql: &str, shown: &Expect) {
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path());
    let tables = [
        table(
            "Messages",
            &[
                ("Id", SqlType::Int),
                ("SenderId", SqlType::Int),
                ("SentAt", SqlType::DateTime),
                ("Body", SqlType::NVarChar { length: None }),
                ("Price", SqlType::Money),
                ("Guid", SqlType::UniqueIdentifier),
            ],
            Some("Id"),
        ),
        table("Members", &[("Id", SqlType::Int), ("Gender", SqlType::TinyInt), ("Body", SqlType::Int)], Some("Id")),
        table("Log", &[("Id", SqlType::Int)], None),
    ];
    let error = compile(&project, &tables, &catalog(&project, EVENTS), sql).unwrap_err();
    shown.assert_eq(&error.to_string());
}

/// A mapping that is right but for `columns`.
fn with(columns: &str) -> String {
    format!(
        "INSERT INTO MessageSent\nSELECT m.SentAt AS occurred_at, m.Id AS key, 's' AS stream,\n       'x' AS message_id, \
         'MAN' AS gender,\n       {columns}\nFROM dbo.Messages m;"
    )
}
