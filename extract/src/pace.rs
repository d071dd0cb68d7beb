//! The rate at which the whole run reads: rows and bytes a second, shared by all connections.
//!
//! In: what was read. Out: how long to wait. Reading is never cut off: it makes a debt, which is waited for, most of it
//! before the next query, so that a query that runs isn't held up. The average is the limit, whatever chunks are like.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What may be read of a second's allowance at once, and how much of it may be saved up.
const SLICE: Duration = Duration::from_millis(250);

/// How fast the whole run may read; `None` is as fast as the source gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Rows a second, over all connections.
    pub rows_per_second: Option<u64>,
    /// Bytes a second of rows, as the dump has them before compression.
    pub bytes_per_second: Option<u64>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Pace {
    limits: Limits,
    jobs: u64,
    started: Instant,
    buckets: Mutex<Buckets>,
}

#[derive(Debug)]
struct Buckets {
    rows: Option<Bucket>,
    bytes: Option<Bucket>,
    waited: Duration,
}

impl Pace {
    /// For so many connections.
    pub(crate) fn new(limits: Limits, jobs: usize) -> Pace {
        let bucket = |limit: Option<u64>| limit.map(Bucket::new);
        let (rows, bytes) = (bucket(limits.rows_per_second), bucket(limits.bytes_per_second));
        let buckets = Mutex::new(Buckets { rows, bytes, waited: Duration::ZERO });
        Pace { limits, jobs: jobs.max(1) as u64, started: Instant::now(), buckets }
    }

    /// Rows of a chunk that keep within a slice, given the bytes of a row.
    pub(crate) fn rows_max(&self, row_bytes: u64) -> u64 {
        let share = |limit: u64| (limit as f64 * SLICE.as_secs_f64() / self.jobs as f64) as u64;
        let by_rows = self.limits.rows_per_second.map_or(u64::MAX, share);
        let by_bytes = self.limits.bytes_per_second.map_or(u64::MAX, |limit| share(limit) / row_bytes.max(1));
        by_rows.min(by_bytes).max(1)
    }

    /// Waits until nothing is owed. Called before a query.
    pub(crate) async fn wait(&self) {
        self.pause(Duration::ZERO, 0, 0).await;
    }

    /// Counts what came, and waits when more is owed than a slice. Called within a query. Gives the time waited.
    pub(crate) async fn spend(&self, rows: u64, bytes: u64) -> Duration {
        self.pause(SLICE, rows, bytes).await
    }

    /// What all connections waited together.
    pub(crate) fn waited(&self) -> Duration {
        self.lock().waited
    }

    async fn pause(&self, tolerated: Duration, rows: u64, bytes: u64) -> Duration {
        if self.limits == Limits::default() {
            return Duration::ZERO;
        }
        let owed = {
            let now = self.started.elapsed();
            let mut buckets = self.lock();
            let spend = |bucket: &mut Option<Bucket>, amount| bucket.as_mut().map(|bucket| bucket.spend(amount, now));
            let (rows, bytes) = (spend(&mut buckets.rows, rows), spend(&mut buckets.bytes, bytes));
            let owed = rows.max(bytes).unwrap_or_default().saturating_sub(tolerated);
            buckets.waited += owed;
            owed
        };
        if !owed.is_zero() {
            tokio::time::sleep(owed).await;
        }
        owed
    }

    fn lock(&self) -> MutexGuard<'_, Buckets> {
        // Numbers only: whatever a panicking thread left is whole.
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A token bucket that may be overdrawn. It begins empty.
#[derive(Debug)]
struct Bucket {
    per_second: f64,
    balance: f64,
    at: Duration,
}

impl Bucket {
    fn new(per_second: u64) -> Bucket {
        Bucket { per_second: per_second.max(1) as f64, balance: 0.0, at: Duration::ZERO }
    }

    /// Takes an amount at a time, and says how long it is until that is paid for.
    fn spend(&mut self, amount: u64, now: Duration) -> Duration {
        let earned = now.saturating_sub(self.at).as_secs_f64() * self.per_second;
        self.at = self.at.max(now);
        self.balance = (self.balance + earned).min(self.per_second * SLICE.as_secs_f64()) - amount as f64;
        Duration::from_secs_f64((-self.balance / self.per_second).clamp(0.0, 1e9))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bucket_saves_a_slice_and_no_more() {
        let mut bucket = Bucket::new(1000);
        assert_eq!(bucket.spend(100, Duration::ZERO), Duration::from_millis(100));
        assert_eq!(bucket.spend(0, Duration::from_millis(40)), Duration::from_millis(60));
        assert_eq!(bucket.spend(0, Duration::from_secs(60)), Duration::ZERO);
        assert_eq!(bucket.spend(500, Duration::from_secs(60)), Duration::from_millis(250));
    }

    #[test]
    fn a_chunk_keeps_within_its_share_of_a_slice() {
        let limits = Limits { rows_per_second: Some(50_000), bytes_per_second: Some(1 << 20) };
        let pace = Pace::new(limits, 4);
        assert_eq!(pace.rows_max(1), 3_125);
        assert_eq!(pace.rows_max(1 << 16), 1);
        assert_eq!(Pace::new(Limits::default(), 4).rows_max(100), u64::MAX);
    }

    proptest! {
        /// A clock of our own: whoever waits as told reads at the rate, whatever the chunks.
        #[test]
        fn whoever_waits_as_told_keeps_the_rate(chunks in proptest::collection::vec((1u64..20_000, 0u64..300), 50..200)) {
            let rate = 50_000;
            let mut bucket = Bucket::new(rate);
            let (mut now, mut rows) = (Duration::ZERO, 0);
            for (chunk, query_ms) in chunks {
                // The query's own time, then the wait.
                now += Duration::from_millis(query_ms);
                rows += chunk;
                now += bucket.spend(chunk, now);
            }
            let measured = rows as f64 / now.as_secs_f64();
            let saved = rate as f64 * SLICE.as_secs_f64() / now.as_secs_f64();
            prop_assert!(measured <= rate as f64 + saved, "{measured} rows a second");
        }
    }
}
