//! Pauses between tries: each twice as long as the one before, up to a longest, and so many and no more.

use std::time::Duration;

/// Times that something is tried again. With the pauses between them that is three quarters of a minute: a failover
/// takes that long.
const RETRIES_MAX: u32 = 8;
const PAUSE_FIRST: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(20);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    tries: u32,
}

impl Backoff {
    /// How long to wait before the next try; `None` when enough was tried.
    pub(super) fn next(&mut self) -> Option<Duration> {
        let pause = (PAUSE_FIRST * 2_u32.pow(self.tries)).min(PAUSE_MAX);
        self.tries += 1;
        (self.tries <= RETRIES_MAX).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_end() {
        let mut backoff = Backoff::default();
        let pauses: Vec<u128> = std::iter::from_fn(|| backoff.next()).map(|pause| pause.as_millis()).collect();
        assert_eq!(pauses, [200, 400, 800, 1600, 3200, 6400, 12_800, 20_000]);
    }
}
