//! Threads that take blocks, or whatever has places, in any order, and give back what they made of them in that of the places.
//!
//! A bounded number of blocks is on its way at any time. Dropping the workers lets each end with the block it is at.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender};

use crate::error::TransformError;

/// What threads have to do.
pub(crate) trait Work: Send + Sync + 'static {
    /// What is made of a place.
    type Output: Send + 'static;

    /// How many places there are, from 0.
    fn places(&self) -> usize;

    /// One thread's way to work on place after place, with buffers of its own.
    fn worker(&self) -> impl FnMut(usize) -> Result<Self::Output, TransformError>;

    /// What a place is called.
    fn at(&self, place: usize) -> String;
}

type Done<W> = Result<<W as Work>::Output, TransformError>;

/// The threads, and what came back before its turn.
pub(crate) struct Workers<W: Work> {
    jobs: Option<Sender<usize>>,
    results: Receiver<(usize, Done<W>)>,
    early: BTreeMap<usize, Done<W>>,
    /// The next place to hand out.
    sent: usize,
    /// The next place to give back.
    wanted: usize,
    places: usize,
    window: usize,
    threads: Vec<JoinHandle<()>>,
}

impl<W: Work> Workers<W> {
    /// Starts threads for a window of so many places on their way, and no more of them than could be busy.
    pub(crate) fn start(work: &Arc<W>, threads: usize, window: usize) -> Result<Workers<W>, TransformError> {
        let places = work.places();
        let threads = threads.min(window).min(places).max(1);
        let (jobs, jobs_in) = crossbeam_channel::bounded::<usize>(window);
        let (results_out, results) = crossbeam_channel::bounded(window);
        let mut handles = Vec::with_capacity(threads);
        for number in 0..threads {
            let (work, jobs, results) = (Arc::clone(work), jobs_in.clone(), results_out.clone());
            let thread = std::thread::Builder::new().name(format!("scan-{number}"));
            let handle = thread.spawn(move || run(&*work, &jobs, &results)).map_err(TransformError::Thread)?;
            handles.push(handle);
        }
        let early = BTreeMap::new();
        Ok(Workers { jobs: Some(jobs), results, early, sent: 0, wanted: 0, places, window, threads: handles })
    }

    /// How many places have come back.
    pub(crate) fn done(&self) -> usize {
        self.wanted
    }

    /// What was made of the next place; `None` behind the last.
    pub(crate) fn next(&mut self) -> Option<Done<W>> {
        if self.wanted == self.places {
            return None;
        }
        while self.sent < self.places && self.sent < self.wanted + self.window {
            // The channel has room for the whole window, so this never waits.
            if let Some(jobs) = &self.jobs
                && jobs.send(self.sent).is_err()
            {
                return Some(Err(ended()));
            }
            self.sent += 1;
        }
        loop {
            if let Some(done) = self.early.remove(&self.wanted) {
                self.wanted += 1;
                return Some(done);
            }
            match self.results.recv() {
                Ok((place, done)) => self.early.insert(place, done),
                Err(_) => return Some(Err(ended())),
            };
        }
    }
}

fn ended() -> TransformError {
    TransformError::Panicked { at: "waiting for blocks".to_string() }
}

impl<W: Work> Drop for Workers<W> {
    fn drop(&mut self) {
        // What waits in the channel would still be worked on; but a thread whose result nobody takes ends.
        self.results = crossbeam_channel::never();
        self.jobs = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a scan thread died");
            }
        }
    }
}

fn run<W: Work>(work: &W, jobs: &Receiver<usize>, results: &Sender<(usize, Done<W>)>) {
    let mut worker = work.worker();
    while let Ok(place) = jobs.recv() {
        // A panic is a defect; it is reported as an error in the place's turn instead of leaving others waiting.
        let done = std::panic::catch_unwind(AssertUnwindSafe(|| worker(place)));
        let done = done.unwrap_or_else(|_| Err(TransformError::Panicked { at: work.at(place) }));
        if results.send((place, done)).is_err() {
            return;
        }
    }
}
