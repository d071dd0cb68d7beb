//! The sample project's modules, all at once, as `etl seed` drives them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use etl_load::drive::{Drive, Ending};
use etl_load::module::Module;
use etl_load::sink::Sink;
use etl_schemas::event::{EventBatch, EventCatalog};
use uuid::Uuid;

use crate::server::Server;
use crate::stream::Stream;

#[test]
fn the_modules_of_the_sample_fit_their_events() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/happypancake");
    let catalog = Arc::new(EventCatalog::load(&project.join("events.proto"), Uuid::NAMESPACE_URL).unwrap());
    let modules = Module::load_all(&project.join("modules"), &catalog).unwrap_or_else(|error| panic!("{error}"));
    assert!(modules.len() >= 4);
    let server = Server::start("sample");
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    for module in &modules {
        let sink = server.open(module, &catalog).unwrap_or_else(|error| panic!("{error}"));
        sinks.push(Box::new(sink));
    }
    // An event of each type, all fields at their zeros: ids are no UUIDs, so most are rejected, and none is lost.
    let mut stream = Stream::new(&catalog);
    for event_type in &catalog.types {
        stream.json(&event_type.name, "{}");
    }
    let batches = stream.batches(5);
    let pass = |_| Ok::<_, String>(batches.iter().map(|batch| Ok(EventBatch::clone(batch))));
    let outcome = Drive::new(sinks, 1_000).run(pass, &AtomicBool::new(false));
    assert!(matches!(outcome.ending, Ending::Finished));
    for sink in outcome.sinks {
        let report = sink.result.unwrap_or_else(|error| panic!("{error}"));
        assert!(report.complete);
        assert_eq!(report.taken + report.passed_over + report.rejected, catalog.types.len() as u64, "{report:?}");
    }
}
