//! Waiting out faults that may pass: a server that restarts, a connection that breaks, a full disk, a lock.
//!
//! In: an error. Out: a pause, longer each time, or the error, when waiting can't help or the time allowed since something
//! last got through is used up. A run that is stopped meanwhile ends with [`LoadError::Stopped`], which tells the error.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::LoadError;

const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How soon a pause notices that the run is stopped.
pub(crate) const STEP: Duration = Duration::from_millis(50);

/// How long faults have been waited out since something got through.
#[derive(Debug)]
pub(crate) struct Patience {
    begun: Option<Instant>,
    pause: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience { begun: None, pause: PAUSE_FIRST }
    }
}

impl Patience {
    /// Something got through.
    pub(crate) fn forget(&mut self) {
        *self = Patience::default();
    }

    /// Waits before another attempt, or hands the error back. `sink` is who waits.
    pub(crate) fn wait(
        &mut self,
        sink: &str,
        error: LoadError,
        time_max: Duration,
        stop: &AtomicBool,
    ) -> Result<(), LoadError> {
        let begun = *self.begun.get_or_insert_with(Instant::now);
        if !error.may_pass() || begun.elapsed() + self.pause > time_max {
            return Err(error);
        }
        tracing::warn!("{sink}: {error}; trying again in {:.1} s", self.pause.as_secs_f64());
        if !pause(self.pause, stop) {
            let problem = format!("the run was stopped while this was waited out: {error}");
            let help = "run the same command again".to_string();
            return Err(LoadError::Stopped { who: sink.to_string(), problem, help });
        }
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        Ok(())
    }
}

/// Sleeps; says whether the flag wasn't raised.
pub(crate) fn pause(time: Duration, stop: &AtomicBool) -> bool {
    let until = Instant::now() + time;
    while Instant::now() < until {
        if stop.load(Ordering::Relaxed) {
            return false;
        }
        std::thread::sleep(STEP.min(until.saturating_duration_since(Instant::now())));
    }
    true
}
