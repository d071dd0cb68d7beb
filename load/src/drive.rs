//! Feeds several sinks from one stream.
//!
//! In: batches from one producer, on the caller's thread. Out: every batch in every sink, each on a thread of its own
//! behind a bounded queue, so that memory holds at most `queue_batches` batches beside those being worked on. A sink
//! that fails leaves the others going; a producer that fails, or a raised stop flag, ends all of them resumably.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, SendTimeoutError, Sender, bounded};
use etl_schemas::event::EventBatch;

use crate::LoadError;
use crate::sink::{Sink, SinkReport};

/// How long a full queue is waited for before the stop flag is looked at again.
const PATIENCE: Duration = Duration::from_millis(50);

/// Where one sink stands; read by a progress display while the sink works.
#[derive(Debug)]
pub struct SinkProgress {
    name: String,
    position: AtomicU64,
    durable: AtomicU64,
    rejected: AtomicU64,
}

impl SinkProgress {
    /// The sink's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Position of the last event that the sink was given and has worked on.
    pub fn position(&self) -> u64 {
        self.position.load(Ordering::Relaxed)
    }

    /// Position up to which the sink is durable; see [`Sink::durable_position`].
    pub fn durable(&self) -> u64 {
        self.durable.load(Ordering::Relaxed)
    }

    /// Events rejected so far.
    pub fn rejected(&self) -> u64 {
        self.rejected.load(Ordering::Relaxed)
    }

    fn of(sink: &dyn Sink) -> SinkProgress {
        SinkProgress {
            name: sink.name().to_string(),
            position: AtomicU64::new(0),
            durable: AtomicU64::new(sink.durable_position()),
            rejected: AtomicU64::new(sink.rejected()),
        }
    }

    fn update(&self, position: u64, sink: &dyn Sink) {
        self.position.store(position, Ordering::Relaxed);
        self.durable.store(sink.durable_position(), Ordering::Relaxed);
        self.rejected.store(sink.rejected(), Ordering::Relaxed);
    }
}

/// How a run ended, for the stream as a whole.
#[derive(Debug)]
pub enum Ending<E> {
    /// The stream was read to its end.
    Finished,
    /// The stop flag was raised; a new run resumes.
    Stopped,
    /// The producer failed; sinks keep what came before.
    Producer(E),
    /// Every sink had failed, so there was nobody to read for.
    NoSinkLeft,
}

/// How a run ended for one sink.
#[derive(Debug)]
pub struct SinkOutcome {
    /// The sink's name.
    pub name: String,
    /// What it did, or why it failed.
    pub result: Result<SinkReport, LoadError>,
}

/// How a run ended.
#[derive(Debug)]
pub struct Outcome<E> {
    /// For the stream.
    pub ending: Ending<E>,
    /// For each sink, in the order given.
    pub sinks: Vec<SinkOutcome>,
}

/// Sinks that are open, about to be fed.
pub struct Drive {
    sinks: Vec<Box<dyn Sink>>,
    progress: Vec<Arc<SinkProgress>>,
    queue_batches: usize,
}

/// What a sink's thread is sent. A queue that closes without an end means that the producer panicked.
enum Message {
    Batch(Arc<EventBatch>),
    End,
}

impl Drive {
    /// Over open sinks; `queue_batches` batches wait for each of them at most.
    pub fn new(sinks: Vec<Box<dyn Sink>>, queue_batches: usize) -> Drive {
        let progress = sinks.iter().map(|sink| Arc::new(SinkProgress::of(sink.as_ref()))).collect();
        Drive { sinks, progress, queue_batches }
    }

    /// Where each sink stands, now and while [`Drive::run`] works.
    pub fn progress(&self) -> &[Arc<SinkProgress>] {
        &self.progress
    }

    /// Position behind which some sink still needs events: a producer that can begin later may begin there.
    pub fn resume_position(&self) -> u64 {
        self.sinks.iter().map(|sink| sink.durable_position()).min().unwrap_or(0)
    }

    /// Feeds the sinks until the stream ends, fails, every sink has failed, or `stop` is raised.
    pub fn run<E>(self, batches: impl Iterator<Item = Result<EventBatch, E>>, stop: &AtomicBool) -> Outcome<E> {
        std::thread::scope(|scope| {
            let mut queues = Vec::new();
            let mut threads = Vec::new();
            for (sink, progress) in self.sinks.into_iter().zip(self.progress) {
                let (sender, receiver) = bounded(self.queue_batches.max(1));
                let name = sink.name().to_string();
                queues.push(Some(sender));
                threads.push((name, scope.spawn(move || work(sink, &receiver, &progress, stop))));
            }
            let ending = produce(batches, &mut queues, stop);
            if matches!(ending, Ending::Finished) {
                for queue in queues.iter().flatten() {
                    // A sink that has failed meanwhile has closed its end, and its thread says why.
                    let _ = queue.send(Message::End);
                }
            }
            drop(queues);
            let sinks = threads.into_iter().map(|(name, thread)| SinkOutcome {
                name,
                result: thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            });
            Outcome { ending, sinks: sinks.collect() }
        })
    }
}

/// Reads the stream and hands every batch to every sink that still lives.
fn produce<E>(
    batches: impl Iterator<Item = Result<EventBatch, E>>,
    queues: &mut [Option<Sender<Message>>],
    stop: &AtomicBool,
) -> Ending<E> {
    if queues.is_empty() {
        return Ending::NoSinkLeft;
    }
    for batch in batches {
        if stop.load(Ordering::Relaxed) {
            return Ending::Stopped;
        }
        let batch = match batch {
            Ok(batch) => Arc::new(batch),
            Err(error) => return Ending::Producer(error),
        };
        for queue in queues.iter_mut() {
            let Some(sender) = queue else { continue };
            match send(sender, &batch, stop) {
                Sent::Taken => {}
                Sent::Closed => *queue = None,
                Sent::Stopped => return Ending::Stopped,
            }
        }
        if queues.iter().all(Option::is_none) {
            return Ending::NoSinkLeft;
        }
    }
    match stop.load(Ordering::Relaxed) {
        true => Ending::Stopped,
        false => Ending::Finished,
    }
}

enum Sent {
    Taken,
    Closed,
    Stopped,
}

fn send(sender: &Sender<Message>, batch: &Arc<EventBatch>, stop: &AtomicBool) -> Sent {
    let mut message = Message::Batch(batch.clone());
    loop {
        message = match sender.send_timeout(message, PATIENCE) {
            Ok(()) => return Sent::Taken,
            Err(SendTimeoutError::Disconnected(_)) => return Sent::Closed,
            Err(SendTimeoutError::Timeout(_)) if stop.load(Ordering::Relaxed) => return Sent::Stopped,
            Err(SendTimeoutError::Timeout(unsent)) => unsent,
        };
    }
}

/// One sink's thread: until the end, or until the stream is cut short.
fn work(
    mut sink: Box<dyn Sink>,
    receiver: &Receiver<Message>,
    progress: &SinkProgress,
    stop: &AtomicBool,
) -> Result<SinkReport, LoadError> {
    let result = loop {
        match receiver.recv() {
            Ok(_) if stop.load(Ordering::Relaxed) => break sink.stop(),
            Ok(Message::Batch(batch)) => {
                sink.write(&batch)?;
                progress.update(batch.last_position(), sink.as_ref());
            }
            Ok(Message::End) => break sink.finish(),
            Err(_) => break sink.stop(),
        }
    };
    progress.update(progress.position(), sink.as_ref());
    result
}
