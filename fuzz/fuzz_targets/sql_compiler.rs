//! Any text as a file of mappings: it compiles, or all that is wrong is said with its place. It never panics and never
//! overflows the stack.
#![no_main]

mod tables;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use etl_schemas::event::EventCatalog;
use etl_schemas::project::Project;
use etl_schemas::table::TableSchema;
use etl_transform::{Mappings, TransformError};
use libfuzzer_sys::fuzz_target;
use uuid::Uuid;

const EVENTS: &str = "syntax = \"proto3\"; import \"google/protobuf/timestamp.proto\";
    enum Kind { KIND_UNKNOWN = 0; KIND_A = 1; }
    message E { optional string text = 1; optional int64 number = 2; optional double wide = 3; optional bytes raw = 4;
                optional bool flag = 5; optional Kind kind = 6; optional google.protobuf.Timestamp at = 7; }";

fn world() -> &'static (Project, Vec<TableSchema>, Arc<EventCatalog>) {
    static WORLD: OnceLock<(Project, Vec<TableSchema>, Arc<EventCatalog>)> = OnceLock::new();
    WORLD.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = "[project]\nname = \"fuzz\"\n[source]\nurl = \"mssql://h/d\"\ntime_zone = \"Europe/Stockholm\"\n";
        std::fs::write(folder.path().join("etl.toml"), file).expect("a written file");
        let project = Project::open(folder.path()).expect("a sound project");
        let catalog = EventCatalog::parse(Path::new("events.proto"), EVENTS, Uuid::nil()).expect("sound event types");
        (project, vec![tables::every_kind()], Arc::new(catalog))
    })
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (project, tables, catalog) = world();
    // Half of the inputs are whole files, the others one expression, where the depth is.
    let sql = match text.strip_prefix('=') {
        Some(expression) => format!(
            "INSERT INTO E SELECT t.SentAt AS occurred_at, t.Id AS key, 's' AS stream, CAST({expression} AS text) AS text \
             FROM dbo.T t"
        ),
        None => text.to_string(),
    };
    match Mappings::from_texts([("mappings/fuzz.sql".into(), sql)]).compile(project, tables, catalog) {
        Ok(program) => assert_eq!(program.fingerprint().len(), 64),
        Err(error @ TransformError::Panicked { .. }) => panic!("{error}"),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
