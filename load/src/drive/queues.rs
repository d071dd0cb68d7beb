//! What waits between the producer and the sinks: a queue for each sink, bounded in bytes.
//!
//! In: batches from one producer. Out: each sink's batches, in order, on the sink's own thread. Queues share their
//! batches, so together they hold no more than the longest one, and that one no more than its bound. A sink that is a
//! whole queue behind while another has nothing to do is *let go*: it keeps the head of its queue to work on, and gets
//! the rest by a pass of its own over the stream. So no sink waits for a slower one, and memory stays bounded.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use etl_schemas::event::EventBatch;

/// How long is waited before the stop flag is looked at again.
const PATIENCE: Duration = Duration::from_millis(50);

/// What a sink's thread is to do next.
pub(super) enum Next {
    Batch(Arc<EventBatch>),
    /// The stream has ended.
    End,
    /// The stream is cut short.
    Cut,
}

/// What became of an offered batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offered {
    /// Every sink of this pass has it, or was let go.
    Taken,
    /// No sink of this pass is left.
    Nobody,
    /// The stop flag was raised.
    Stopped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Gets the batches of the pass that is under way.
    Fed,
    /// Waits for a pass of its own.
    LetGo,
    /// Has got the whole stream.
    Ended,
    /// Its thread has ended.
    Gone,
}

struct Queue {
    state: State,
    batches: VecDeque<Arc<EventBatch>>,
    bytes: usize,
    /// Position of the last event that it was given.
    given: u64,
    /// Its thread waits for something to do.
    idle: bool,
}

/// The queues of all sinks.
pub(super) struct Queues {
    queues: Mutex<Vec<Queue>>,
    changed: Condvar,
    bytes_max: usize,
    /// No more will come; also when the producer panicked.
    cut: AtomicBool,
}

impl Queues {
    /// A queue for each sink, which has so much of the stream already.
    pub(super) fn new(durable: impl Iterator<Item = u64>, bytes_max: usize) -> Queues {
        let queue = |given| Queue { state: State::LetGo, batches: VecDeque::new(), bytes: 0, given, idle: false };
        Queues {
            queues: Mutex::new(durable.map(queue).collect()),
            changed: Condvar::new(),
            bytes_max: bytes_max.max(1),
            cut: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Queue>> {
        // Nothing that panics is done under the lock.
        self.queues.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn wait<'a>(&self, queues: MutexGuard<'a, Vec<Queue>>) -> MutexGuard<'a, Vec<Queue>> {
        self.changed.wait_timeout(queues, PATIENCE).unwrap_or_else(std::sync::PoisonError::into_inner).0
    }

    /// Begins a pass for the sinks that wait for one: the position behind which they need events. `None` when all sinks
    /// have the whole stream, or have failed. Waits while it isn't known whether some sink has to go back.
    pub(super) fn begin_pass(&self, stop: &AtomicBool) -> Option<u64> {
        let mut queues = self.lock();
        loop {
            let waiting = || queues.iter().filter(|queue| queue.state == State::LetGo);
            if let Some(behind) = waiting().map(|queue| queue.given).min() {
                for queue in queues.iter_mut().filter(|queue| queue.state == State::LetGo) {
                    queue.state = State::Fed;
                }
                return Some(behind);
            }
            if queues.iter().all(|queue| queue.state == State::Gone) || stop.load(Ordering::Relaxed) {
                return None;
            }
            queues = self.wait(queues);
        }
    }

    /// Hands a batch to all sinks of this pass that haven't got it.
    pub(super) fn offer(&self, batch: &Arc<EventBatch>, stop: &AtomicBool) -> Offered {
        let bytes = batch.bytes();
        let mut queues = self.lock();
        for index in 0..queues.len() {
            while queues[index].state == State::Fed && queues[index].is_full(bytes, self.bytes_max) {
                if stop.load(Ordering::Relaxed) {
                    return Offered::Stopped;
                }
                if queues.iter().any(|other| other.state == State::Fed && other.idle && other.batches.is_empty()) {
                    let share = self.bytes_max / queues.len();
                    queues[index].let_go(share);
                } else {
                    queues = self.wait(queues);
                }
            }
            let queue = &mut queues[index];
            // The batch with the last given event is given again: a sink may want to know that the stream reaches it.
            if queue.state == State::Fed && batch.last_position() >= queue.given {
                queue.batches.push_back(batch.clone());
                queue.bytes += bytes;
                queue.given = batch.last_position();
                self.changed.notify_all();
            }
        }
        match queues.iter().any(|queue| queue.state == State::Fed) {
            true => Offered::Taken,
            false => Offered::Nobody,
        }
    }

    /// The pass has reached the end of the stream.
    pub(super) fn end_pass(&self) {
        for queue in self.lock().iter_mut().filter(|queue| queue.state == State::Fed) {
            queue.state = State::Ended;
        }
        self.changed.notify_all();
    }

    /// No more will come.
    pub(super) fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
        self.changed.notify_all();
    }

    /// What the sink's thread does next; waits for it.
    pub(super) fn next(&self, index: usize, stop: &AtomicBool) -> Next {
        let mut queues = self.lock();
        loop {
            if stop.load(Ordering::Relaxed) {
                return Next::Cut;
            }
            let queue = &mut queues[index];
            queue.idle = false;
            if let Some(batch) = queue.batches.pop_front() {
                queue.bytes -= batch.bytes();
                self.changed.notify_all();
                return Next::Batch(batch);
            }
            if queue.state == State::Ended {
                return Next::End;
            }
            if self.cut.load(Ordering::Relaxed) {
                return Next::Cut;
            }
            queue.idle = true;
            self.changed.notify_all();
            queues = self.wait(queues);
        }
    }

    /// The sink needs the events behind `position` again.
    pub(super) fn go_back(&self, index: usize, position: u64) {
        let queue = &mut self.lock()[index];
        queue.let_go(0);
        queue.given = position;
        self.changed.notify_all();
    }

    /// The sink's thread has ended.
    pub(super) fn gone(&self, index: usize) {
        let queue = &mut self.lock()[index];
        queue.let_go(0);
        queue.state = State::Gone;
        self.changed.notify_all();
    }
}

impl Queue {
    /// A batch that is larger than the bound passes when nothing else waits.
    fn is_full(&self, bytes: usize, bytes_max: usize) -> bool {
        !self.batches.is_empty() && self.bytes + bytes > bytes_max
    }

    /// Keeps so many bytes of its head.
    fn let_go(&mut self, bytes_kept: usize) {
        self.state = State::LetGo;
        while self.bytes > bytes_kept {
            let Some(batch) = self.batches.pop_back() else { break };
            self.bytes -= batch.bytes();
            self.given = batch.first_position() - 1;
        }
    }
}
