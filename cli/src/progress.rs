//! Progress on stderr: bars with rate and ETA on a terminal, else a line every few seconds, so that logs stay readable.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::{count, rate};

/// How often a line is written where stderr is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// All that is under way at the same time.
#[derive(Debug)]
pub(crate) struct Progress {
    bars: MultiProgress,
    on_terminal: bool,
    last_line: Mutex<Instant>,
}

impl Progress {
    /// Nothing yet.
    pub(crate) fn new() -> Progress {
        let target = ProgressDrawTarget::stderr_with_hz(10);
        let on_terminal = !target.is_hidden();
        Progress { bars: MultiProgress::with_draw_target(target), on_terminal, last_line: Mutex::new(Instant::now()) }
    }

    /// Something that counts up to `total`; a total of 0 is not known.
    pub(crate) fn task(&self, name: &str, total: u64, unit: &'static str) -> Task<'_> {
        let bar = self.bars.add(ProgressBar::new(total));
        let template = match total {
            0 => "{prefix:28} {human_pos:>13} {msg} {spinner}",
            _ => "{prefix:28} {human_pos:>13} of {human_len} {msg} {wide_bar:.green} {percent:>3} %, {eta} left",
        };
        bar.set_style(ProgressStyle::with_template(template).expect("the templates above are sound"));
        bar.set_prefix(name.to_string());
        bar.set_message(unit);
        Task { progress: self, bar, name: name.to_string(), unit, started: Instant::now() }
    }

    /// A line that stays, above the bars.
    #[allow(clippy::print_stderr, reason = "progress belongs on stderr, and logs are for other things")]
    pub(crate) fn say(&self, line: &str) {
        match self.on_terminal {
            // A terminal that can't be written to any more is no reason to stop the work.
            true => drop(self.bars.println(line)),
            false => eprintln!("{line}"),
        }
    }

    fn line_is_due(&self) -> bool {
        let Ok(mut last) = self.last_line.try_lock() else { return false };
        let due = last.elapsed() >= LINE_EVERY;
        if due {
            *last = Instant::now();
        }
        due
    }
}

/// One thing that counts up. Its bar goes when it is dropped.
#[derive(Debug)]
pub(crate) struct Task<'a> {
    progress: &'a Progress,
    bar: ProgressBar,
    name: String,
    unit: &'static str,
    started: Instant,
}

impl Task<'_> {
    /// How far it is.
    pub(crate) fn set(&self, position: u64) {
        self.bar.set_position(position);
        if !self.progress.on_terminal && self.progress.line_is_due() {
            let total = self.bar.length().unwrap_or(0);
            let of = if total > 0 { format!(" of {}", count(total)) } else { String::new() };
            let seconds = self.started.elapsed().as_secs_f64();
            let left = match (position, total.checked_sub(position)) {
                (1.., Some(left)) if total > 0 => format!(", {:.0} s left", seconds * left as f64 / position as f64),
                _ => String::new(),
            };
            let (name, unit, at) = (&self.name, self.unit, count(position));
            self.progress.say(&format!("{name}: {at}{of} {unit}, {}{left}", rate(position, seconds)));
        }
    }

    /// So many more.
    pub(crate) fn advance(&self, by: u64) {
        self.set(self.bar.position() + by);
    }

    /// So many no longer count.
    pub(crate) fn retreat(&self, by: u64) {
        self.bar.set_position(self.bar.position().saturating_sub(by));
    }
}

impl Drop for Task<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
