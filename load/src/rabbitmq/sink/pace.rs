//! Keeps to a rate: events a second.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use crate::patience::pause;

/// Being ahead by less than this isn't worth a pause.
const GRAIN: Duration = Duration::from_millis(10);
/// What wasn't used is lost after this long, so that a pause isn't followed by a flood.
const CREDIT_MAX: Duration = Duration::from_millis(100);

pub(super) struct Pace {
    each: Option<Duration>,
    /// When the next event is due.
    due: Instant,
}

impl Pace {
    pub(super) fn new(rate: Option<u64>) -> Pace {
        Pace { each: rate.map(|rate| Duration::from_secs(1).div_f64(rate.max(1) as f64)), due: Instant::now() }
    }

    /// Waits until the next event is due; says whether the flag wasn't raised.
    pub(super) fn wait(&mut self, stop: &AtomicBool) -> bool {
        let Some(each) = self.each else { return true };
        let now = Instant::now();
        let ahead = self.due.saturating_duration_since(now);
        if now.saturating_duration_since(self.due) > CREDIT_MAX {
            self.due = now;
        }
        self.due += each;
        ahead < GRAIN || pause(ahead, stop)
    }
}
