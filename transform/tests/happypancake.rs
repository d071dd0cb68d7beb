//! The sample project against the schema of its own legacy database.

use std::path::Path;
use std::sync::Arc;

use etl_schemas::event::EventCatalog;
use etl_schemas::project::Project;
use etl_schemas::table::TableSchema;

#[test]
fn the_sample_project_compiles() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/happypancake");
    let project = Project::open(&folder).unwrap();
    let catalog = Arc::new(EventCatalog::load(&project.events_file(), project.namespace).unwrap());
    let tables: Vec<TableSchema> =
        etl_fixtures::happypancake::definition().tables.into_iter().map(|table| table.schema).collect();
    let program = etl_transform::compile(&project, &tables, &catalog).unwrap_or_else(|error| panic!("{error}"));
    assert!(program.mappings() >= catalog.types.len(), "every type of event has a mapping");
}
