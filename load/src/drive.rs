//! Feeds several sinks from one stream.
//!
//! In: batches from one producer, on the caller's thread. Out: every batch in every sink, each on a thread of its own
//! behind a bounded queue ([`queues`]). A sink that is much slower than the others is let go and served by a pass of its
//! own. A sink that fails leaves the others going; a producer that fails, or a raised stop flag, ends all of them
//! resumably.

mod queues;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use etl_schemas::event::EventBatch;

use self::queues::{Next, Offered, Queues};

use crate::LoadError;
use crate::sink::{Sink, SinkReport};

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
    queue_bytes: usize,
}

impl Drive {
    /// Over open sinks. Events of `queue_bytes` bytes wait for them at most; twice as much once a sink had to be let go.
    pub fn new(sinks: Vec<Box<dyn Sink>>, queue_bytes: usize) -> Drive {
        let progress = sinks.iter().map(|sink| Arc::new(SinkProgress::of(sink.as_ref()))).collect();
        Drive { sinks, progress, queue_bytes }
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
    ///
    /// `open` opens the stream for a pass; it is given a position, and the stream must begin with that event or an
    /// earlier one. There is one pass, and another for sinks that were let go because they are much slower than others,
    /// or whose server has lost what it had confirmed.
    pub fn run<E, I>(self, mut open: impl FnMut(u64) -> Result<I, E>, stop: &AtomicBool) -> Outcome<E>
    where
        I: Iterator<Item = Result<EventBatch, E>>,
    {
        let queues = Queues::new(self.sinks.iter().map(|sink| sink.durable_position()), self.queue_bytes);
        std::thread::scope(|scope| {
            // When the producer panics, the sinks' threads end as well.
            let cut_at_the_end = CutAtTheEnd(&queues);
            let mut threads = Vec::new();
            for (index, (sink, progress)) in self.sinks.into_iter().zip(self.progress).enumerate() {
                let (name, queues) = (sink.name().to_string(), &queues);
                threads.push((name, scope.spawn(move || work(sink, index, queues, &progress, stop))));
            }
            let ending = produce(&mut open, &queues, stop, threads.is_empty());
            drop(cut_at_the_end);
            let sinks: Vec<SinkOutcome> = threads
                .into_iter()
                .map(|(name, thread)| SinkOutcome {
                    name,
                    result: thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                })
                .collect();
            let nobody = matches!(ending, Ending::Finished) && sinks.iter().all(|sink| sink.result.is_err());
            Outcome { ending: if nobody { Ending::NoSinkLeft } else { ending }, sinks }
        })
    }
}

struct CutAtTheEnd<'a>(&'a Queues);

impl Drop for CutAtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.cut();
    }
}

/// Reads the stream, as often as it takes, and hands every batch to every sink that still lives.
fn produce<E, I>(
    open: &mut impl FnMut(u64) -> Result<I, E>,
    queues: &Queues,
    stop: &AtomicBool,
    nobody: bool,
) -> Ending<E>
where
    I: Iterator<Item = Result<EventBatch, E>>,
{
    if nobody {
        return Ending::NoSinkLeft;
    }
    while let Some(behind) = queues.begin_pass(stop) {
        let batches = match open(behind) {
            Ok(batches) => batches,
            Err(error) => return Ending::Producer(error),
        };
        for batch in batches {
            if stop.load(Ordering::Relaxed) {
                return Ending::Stopped;
            }
            let batch = match batch {
                Ok(batch) => Arc::new(batch),
                Err(error) => return Ending::Producer(error),
            };
            match queues.offer(&batch, stop) {
                Offered::Taken => {}
                Offered::Nobody => break,
                Offered::Stopped => return Ending::Stopped,
            }
        }
        queues.end_pass();
    }
    match stop.load(Ordering::Relaxed) {
        true => Ending::Stopped,
        false => Ending::Finished,
    }
}

/// Says that the thread has ended, however it ends.
struct Gone<'a>(&'a Queues, usize);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.0.gone(self.1);
    }
}

/// One sink's thread: until the end, or until the stream is cut short.
fn work(
    mut sink: Box<dyn Sink>,
    index: usize,
    queues: &Queues,
    progress: &SinkProgress,
    stop: &AtomicBool,
) -> Result<SinkReport, LoadError> {
    let _gone = Gone(queues, index);
    // The last position that the sink was given: another pass may cut the stream into other batches.
    let mut given = 0;
    let result = loop {
        let done = match queues.next(index, stop) {
            Next::Batch(batch) if batch.last_position() <= given => Ok(None),
            Next::Batch(batch) => {
                let batch = if batch.first_position() > given { batch } else { Arc::new(batch.behind(given)) };
                given = batch.last_position();
                sink.write(&batch).map(|()| {
                    progress.update(given, sink.as_ref());
                    None
                })
            }
            Next::End => sink.finish().map(Some),
            Next::Cut => break sink.stop(),
        };
        match done {
            Ok(None) => {}
            Ok(Some(report)) => break Ok(report),
            Err(LoadError::WentBack { position, .. }) => {
                given = position;
                queues.go_back(index, position);
            }
            Err(error) => break Err(error),
        }
    };
    progress.update(progress.position(), sink.as_ref());
    result
}
