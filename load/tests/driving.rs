//! Several sinks on one stream: order, failures, a producer that fails, and the stop flag.

use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use etl_load::LoadError;
use etl_load::drive::{Drive, Ending};
use etl_load::jsonl::JsonLines;
use etl_load::null::NullSink;
use etl_load::sink::{Sink, SinkReport};
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

/// A stream that can be read again for a sink that is let go.
fn again(
    batches: Vec<EventBatch>,
) -> impl FnMut(u64) -> Result<std::vec::IntoIter<Result<EventBatch, String>>, String> {
    move |_| Ok(batches.clone().into_iter().map(Ok).collect::<Vec<_>>().into_iter())
}

/// For a stream that is read once.
fn once<I>(batches: I) -> impl FnMut(u64) -> Result<I, String> {
    let mut batches = Some(batches);
    move |_| batches.take().ok_or_else(|| "one pass is enough".to_string())
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
    let drive = Drive::new(sinks, 1_000);
    let progress = drive.progress().to_vec();
    assert_eq!(drive.resume_position(), 0);
    let outcome = drive.run(again(batches), &AtomicBool::new(false));
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
    let outcome = Drive::new(sinks, 1).run(again(batches), &AtomicBool::new(false));
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
    let outcome = Drive::new(sinks, 1).run(once(counted), &AtomicBool::new(false));
    assert!(matches!(outcome.ending, Ending::NoSinkLeft));
    assert!(read.load(Ordering::Relaxed) < 1_000);
}

#[test]
fn a_failing_producer_leaves_sinks_incomplete() {
    let (catalog, batches) = batches(100);
    let lines = Shared::default();
    let sinks: Vec<Box<dyn Sink>> = vec![Box::new(JsonLines::new("lines", lines.clone(), &catalog))];
    let failing = ok(batches).take(5).chain([Err("part 3 is damaged".to_string())]);
    let outcome = Drive::new(sinks, 4_000).run(once(failing), &AtomicBool::new(false));
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
    let outcome = Drive::new(sinks, 1).run(once(endless), &stop);
    assert!(matches!(outcome.ending, Ending::Stopped));
    for sink in &outcome.sinks {
        assert!(!sink.result.as_ref().unwrap().complete);
    }
}

/// Takes no event before another sink has finished.
struct Waiting {
    finished: Arc<AtomicBool>,
    seen: Arc<AtomicUsize>,
}

impl Sink for Waiting {
    fn name(&self) -> &str {
        "waiting"
    }

    fn durable_position(&self) -> u64 {
        0
    }

    fn write(&mut self, batch: &Arc<EventBatch>) -> Result<(), LoadError> {
        while !self.finished.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        let seen = self.seen.swap(batch.last_position() as usize, Ordering::Relaxed);
        assert_eq!(batch.first_position() as usize, seen + 1, "every event once, in order");
        Ok(())
    }

    fn finish(&mut self) -> Result<SinkReport, LoadError> {
        Ok(SinkReport { complete: true, ..SinkReport::default() })
    }

    fn stop(&mut self) -> Result<SinkReport, LoadError> {
        Ok(SinkReport::default())
    }
}

/// Says when it has finished.
struct Fast(Arc<AtomicBool>, NullSink);

impl Sink for Fast {
    fn name(&self) -> &str {
        "fast"
    }

    fn durable_position(&self) -> u64 {
        0
    }

    fn write(&mut self, batch: &Arc<EventBatch>) -> Result<(), LoadError> {
        self.1.write(batch)
    }

    fn finish(&mut self) -> Result<SinkReport, LoadError> {
        self.0.store(true, Ordering::Relaxed);
        self.1.finish()
    }

    fn stop(&mut self) -> Result<SinkReport, LoadError> {
        self.1.stop()
    }
}

#[test]
fn a_slow_sink_is_let_go_and_served_by_a_pass_of_its_own() {
    let (_, batches) = batches(1_000);
    let (finished, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let sinks: Vec<Box<dyn Sink>> = vec![
        Box::new(Waiting { finished: finished.clone(), seen: seen.clone() }),
        Box::new(Fast(finished, NullSink::new())),
    ];
    let mut passes = Vec::new();
    // A second pass cuts the stream into other batches.
    let pass = |behind| {
        passes.push(behind);
        let batches = batches.clone();
        Ok::<_, String>(ok(if passes.len() == 1 { batches } else { vec![joined(&batches)] }))
    };
    let outcome = Drive::new(sinks, 2_000).run(pass, &AtomicBool::new(false));
    assert!(matches!(outcome.ending, Ending::Finished));
    assert!(outcome.sinks.iter().all(|sink| sink.result.as_ref().unwrap().complete));
    assert_eq!(outcome.sinks[1].result.as_ref().unwrap().taken, 1_000);
    assert_eq!(seen.load(Ordering::Relaxed), 1_000);
    assert!(passes.len() == 2 && passes[0] == 0 && passes[1] > 0, "{passes:?}");
}

/// All events in one batch.
fn joined(batches: &[EventBatch]) -> EventBatch {
    let catalog = batches[0].catalog().clone();
    let mut stream = Stream::new(&catalog);
    for n in 0..1_000 {
        stream.json("A", &format!("{{\"n\":{n}}}"));
    }
    EventBatch::clone(&stream.batches(1_000)[0])
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
