//! Several sinks on one stream: order, failures, a producer that fails, and the stop flag.

use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use etl_load::LoadError;
use etl_load::drive::{Drive, Ending};
use etl_load::jsonl::JsonLines;
use etl_load::null::NullSink;
use etl_load::sink::Sink;
use etl_schemas::event::{EventBatch, EventCatalog};

use crate::stream::{Stream, catalog};

/// Memory that a test can look into while a sink writes to it.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn positions(&self) -> Vec<u64> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let position = |line: &str| line["{\"position\":".len()..line.find(',').unwrap()].parse().unwrap();
        text.lines().map(position).collect()
    }
}

/// Takes so many bytes, then its disk is full.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn batches(count: usize) -> (Arc<EventCatalog>, Vec<EventBatch>) {
    let catalog = catalog("message A { int32 n = 1; }");
    let mut stream = Stream::new(&catalog);
    for n in 0..count {
        stream.json("A", &format!("{{\"n\":{n}}}"));
    }
    let batches = stream.batches(10).iter().map(|batch| EventBatch::clone(batch)).collect();
    (catalog, batches)
}

fn ok(batches: Vec<EventBatch>) -> impl Iterator<Item = Result<EventBatch, String>> {
    batches.into_iter().map(Ok)
}

#[test]
fn every_sink_gets_the_whole_stream_in_order() {
    let (catalog, batches) = batches(1_000);
    let (first, second) = (Shared::default(), Shared::default());
    let sinks: Vec<Box<dyn Sink>> = vec![
        Box::new(JsonLines::new("first", first.clone(), &catalog)),
        Box::new(NullSink::new()),
        Box::new(JsonLines::new("second", second.clone(), &catalog)),
    ];
    let drive = Drive::new(sinks, 2);
    let progress = drive.progress().to_vec();
    assert_eq!(drive.resume_position(), 0);
    let outcome = drive.run(ok(batches), &AtomicBool::new(false));
    assert!(matches!(outcome.ending, Ending::Finished));
    let expected: Vec<u64> = (1..=1_000).collect();
    assert_eq!(first.positions(), expected);
    assert_eq!(second.positions(), expected);
    for (sink, progress) in outcome.sinks.iter().zip(progress) {
        let report = sink.result.as_ref().unwrap();
        assert!(report.complete);
        assert_eq!((report.taken, progress.position(), progress.name()), (1_000, 1_000, sink.name.as_str()));
    }
}

#[test]
fn a_failing_sink_does_not_stop_the_others() {
    let (catalog, batches) = batches(1_000);
    let whole = Shared::default();
    let sinks: Vec<Box<dyn Sink>> = vec![
        Box::new(JsonLines::new("full", Full(5_000), &catalog)),
        Box::new(JsonLines::new("whole", whole.clone(), &catalog)),
    ];
    let outcome = Drive::new(sinks, 1).run(ok(batches), &AtomicBool::new(false));
    assert!(matches!(outcome.ending, Ending::Finished));
    assert!(matches!(outcome.sinks[0].result, Err(LoadError::Write { .. })));
    assert_eq!(whole.positions().len(), 1_000);
    assert!(outcome.sinks[1].result.as_ref().unwrap().complete);
}

#[test]
fn nobody_reads_on_when_every_sink_has_failed() {
    let (catalog, batches) = batches(10_000);
    let read = AtomicUsize::new(0);
    let counted = ok(batches).inspect(|_| {
        read.fetch_add(1, Ordering::Relaxed);
    });
    let sinks: Vec<Box<dyn Sink>> = vec![Box::new(JsonLines::new("full", Full(0), &catalog))];
    let outcome = Drive::new(sinks, 1).run(counted, &AtomicBool::new(false));
    assert!(matches!(outcome.ending, Ending::NoSinkLeft));
    assert!(read.load(Ordering::Relaxed) < 1_000);
}

#[test]
fn a_failing_producer_leaves_sinks_incomplete() {
    let (catalog, batches) = batches(100);
    let lines = Shared::default();
    let sinks: Vec<Box<dyn Sink>> = vec![Box::new(JsonLines::new("lines", lines.clone(), &catalog))];
    let failing = ok(batches).take(5).chain([Err("part 3 is damaged".to_string())]);
    let outcome = Drive::new(sinks, 4).run(failing, &AtomicBool::new(false));
    assert!(matches!(outcome.ending, Ending::Producer(error) if error == "part 3 is damaged"));
    let report = outcome.sinks[0].result.as_ref().unwrap();
    assert_eq!((report.complete, report.position), (false, 50));
    assert_eq!(lines.positions().len(), 50);
}

#[test]
fn the_stop_flag_ends_everything_also_an_endless_stream() {
    let (catalog, batches) = batches(100);
    let stop = AtomicBool::new(false);
    let lines = Shared::default();
    let sinks: Vec<Box<dyn Sink>> =
        vec![Box::new(JsonLines::new("lines", lines.clone(), &catalog)), Box::new(NullSink::new())];
    let endless = ok(batches).cycle_until(&stop);
    let outcome = Drive::new(sinks, 1).run(endless, &stop);
    assert!(matches!(outcome.ending, Ending::Stopped));
    for sink in &outcome.sinks {
        assert!(!sink.result.as_ref().unwrap().complete);
    }
}

/// Repeats a stream without end, and raises the flag in its third round.
trait CycleUntil: Iterator + Sized {
    fn cycle_until(self, stop: &AtomicBool) -> impl Iterator<Item = Self::Item>;
}

impl<I: Iterator<Item = Result<EventBatch, String>>> CycleUntil for I {
    fn cycle_until(self, stop: &AtomicBool) -> impl Iterator<Item = I::Item> {
        let items: Vec<_> = self.collect();
        let rounds = items.len();
        items.into_iter().cycle().enumerate().map(move |(index, item)| {
            if index == 2 * rounds {
                stop.store(true, Ordering::Relaxed);
            }
            item
        })
    }
}
