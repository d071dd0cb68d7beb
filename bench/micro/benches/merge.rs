//! The merge: sorted runs of events, one for each block, to batches in total order.
//!
//! In: messages dealt out to 16 or 256 blocks, each of which spans the whole time of the table. So hardly an event
//! can go before the last block has been read. What is measured begins then: reading, decoding and evaluating are done, and
//! nearly all events wait. Out: events a second, merged from memory (`memory/16`, `memory/256`) and from spill
//! files, whose frames are read again (`spilled/256`).

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use etl_micro::job::Job;
use etl_micro::recut::{recut, stored};
use etl_micro::sample::{MESSAGES, Sample};
use etl_schemas::event::EventBatch;
use etl_transform::EventStream;

/// 240,000 messages.
const SCALE: f64 = 0.2;
/// Room for all events.
const ENOUGH: usize = 1 << 30;
/// The stream takes the least that it can do with instead.
const TOO_LITTLE: usize = 0;

fn merge(criterion: &mut Criterion) {
    let sample = Sample::of(&[MESSAGES], SCALE);
    let mut group = criterion.benchmark_group("merge");
    group.sample_size(10);
    for (name, runs, memory_bytes) in
        [("memory/16", 16, ENOUGH), ("memory/256", 256, ENOUGH), ("spilled/256", 256, TOO_LITTLE)]
    {
        let folder = sample.folder.path().join(name.replace('/', "-"));
        let dump = recut(&sample.dump, &folder, stored(), |_, row| row % runs);
        let job = Job::new("load_job", None, &dump, &sample.folder.path().join("work"));
        let events = check(&job, memory_bytes);
        group.throughput(Throughput::Elements(events));
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || scanned(&job, memory_bytes).0,
                |mut stream| (drain(&mut stream, |batch| drop(black_box(batch))), stream),
                // Dropping the stream, which ends its threads and removes its files, is left out of the time.
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// A stream whose blocks are all read, with the number of events that it has given by then. Where memory is short, a few
/// go as soon as they may.
fn scanned(job: &Job, memory_bytes: usize) -> (EventStream, u64) {
    let (mut stream, mut events) = (job.run(memory_bytes), 0);
    while events == 0 || stream.progress().rows_read < stream.progress().rows_all {
        events += stream.next_batch().expect("the dump is sound").expect("most events are left").len() as u64;
    }
    assert_eq!(stream.progress().events_spilled > 0, memory_bytes == TOO_LITTLE, "events wait where they should");
    (stream, events)
}

/// Takes all batches that are left and counts their events.
fn drain(stream: &mut EventStream, mut take: impl FnMut(EventBatch)) -> u64 {
    let mut events = 0;
    while let Some(batch) = stream.next_batch().expect("the dump is sound") {
        events += batch.len() as u64;
        take(batch);
    }
    events
}

/// Merges once: times never fall, and every row is accounted for. Gives the number of events that the measured part has.
fn check(job: &Job, memory_bytes: usize) -> u64 {
    let (mut stream, before) = scanned(job, memory_bytes);
    let mut last = None;
    let events = drain(&mut stream, |batch| {
        for header in batch.headers() {
            assert!(last <= Some(header.occurred_at), "the order is total");
            last = Some(header.occurred_at);
        }
    });
    let ledger = stream.finish().expect("the stream was read to its end");
    assert!(ledger.adds_up());
    assert_eq!(ledger.events, before + events);
    assert!(events > 9 * before, "nearly all events are left when reading is done");
    events
}

criterion_group!(benches, merge);
criterion_main!(benches);
