//! COPY encoding: events to the binary rows that Postgres's COPY takes.
//!
//! In: message events, and the loader over a private Postgres with transactions that are never full, so that
//! `PostgresSink::write` encodes rows into its buffer and sends nothing. Out: rows a second. Sending and committing happen
//! between two measurements, which empties the buffer and keeps its memory, as a long load does. The rows have a UUID
//! from text, a timestamp, two integers, a text that is often NULL, and one that is long.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use etl_fixtures::postgres::PrivatePostgres;
use etl_load::module::Module;
use etl_load::postgres::{IfExists, PostgresOptions, PostgresSink, PostgresTarget, StreamFingerprint};
use etl_load::sink::Sink;
use etl_micro::job::{Job, project_folder};
use etl_micro::sample::{MESSAGES, Sample};
use etl_schemas::event::{EventBatch, EventCatalog};

/// 60,000 messages.
const SCALE: f64 = 0.05;
/// More than is ever encoded between two commits.
const NEVER_FULL: usize = 1 << 30;

fn copy_encoding(criterion: &mut Criterion) {
    let sample = Sample::of(&[MESSAGES], SCALE);
    let job = Job::new("load_job", None, &sample.dump, &sample.folder.path().join("work"));
    let batches = job.run(512 << 20).map(|batch| batch.expect("the dump is sound"));
    let batch = batches.max_by_key(EventBatch::len).expect("the dump has messages");
    let server = PrivatePostgres::temporary().expect("Postgres starts; `make setup` installs it");
    let mut sink = open(&server, &sample.folder.path().join("module"), job.catalog());

    // Once before anything is measured: every event became a row that the server took.
    let mut position = 1;
    encode(&mut sink, &batch, &mut position);
    assert_eq!((sink.durable_position(), sink.rejected()), (batch.len() as u64, 0));

    let mut group = criterion.benchmark_group("copy_encoding");
    group.throughput(Throughput::Elements(batch.len() as u64)).sample_size(20);
    group.bench_function("messages", |bencher| {
        bencher.iter_custom(|iterations| (0..iterations).map(|_| encode(&mut sink, &batch, &mut position)).sum());
    });
    group.finish();

    let report = sink.stop().expect("all is committed");
    assert_eq!((report.taken, report.rejected, report.passed_over), (position - 1, 0, 0));
    let rows: Vec<u64> = report.tables.iter().map(|table| table.rows).collect();
    assert_eq!(rows, [position - 1], "each event is one row of the one table");
}

/// Takes the time in which the events are encoded, under positions that go on from the last, and has them sent.
fn encode(sink: &mut PostgresSink, batch: &EventBatch, position: &mut u64) -> Duration {
    let batch = Arc::new(batch.part(0..batch.len(), *position));
    *position = batch.last_position() + 1;
    let durable = sink.durable_position();
    let begun = Instant::now();
    sink.write(&batch).expect("events of the module's type are taken");
    let elapsed = begun.elapsed();
    assert_eq!(sink.durable_position(), durable, "nothing was committed while the time was taken");
    sink.settle().expect("the server takes the rows");
    elapsed
}

/// Opens the module of the load job. Its key goes, since the same events come again and again.
fn open(server: &PrivatePostgres, folder: &Path, catalog: &Arc<EventCatalog>) -> PostgresSink {
    let from = project_folder("load_job").join("modules/one");
    let read = |file: &str| std::fs::read_to_string(from.join(file)).expect("the module has this file");
    let schema = read("schema.sql").replace("PRIMARY KEY", "NOT NULL");
    std::fs::create_dir(folder).expect("the sample's folder is writable");
    for (file, text) in [("module.toml", read("module.toml")), ("schema.sql", schema)] {
        std::fs::write(folder.join(file), text).expect("the sample's folder is writable");
    }
    let module = Module::load(folder, catalog).unwrap_or_else(|error| panic!("the module is sound: {error}"));
    let target = PostgresTarget::parse(&server.url(), None).expect("the private server's URL");
    let stream = StreamFingerprint { dump: "micro".to_string(), mappings: "micro".to_string() };
    let options = PostgresOptions {
        if_exists: IfExists::Fail,
        rows_per_transaction: NEVER_FULL,
        bytes_per_transaction: NEVER_FULL,
        ..PostgresOptions::default()
    };
    PostgresSink::open(&target, &module, catalog, &stream, &options).unwrap_or_else(|error| panic!("{error}"))
}

criterion_group!(benches, copy_encoding);
criterion_main!(benches);
