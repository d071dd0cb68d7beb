//! How many rows the next query asks for, and when the server needs a rest.
//!
//! In: how each query went. Out: the next chunk's rows. A chunk aims at a quarter of the longest time that a query may take,
//! so that a server that turns four times as slow from one query to the next still stays within it. Chunks begin small, grow
//! by no more than twofold, and shrink at once.
//!
//! The governor looks at the server's time per row. When a full chunk took several times what its predecessors did, the
//! server has other work: the chunk is halved, and the reader rests for as long as the query took.

use std::time::Duration;

/// Rows of the first chunk: 20 ms a row still end within the default of two seconds.
const ROWS_FIRST: u64 = 100;
/// More rows in one query save nothing.
const ROWS_MAX: u64 = 1_000_000;
/// Bytes of the first chunk, where the catalog knows how large rows are.
const BYTES_FIRST: u64 = 4 << 20;
/// How much slower than before a query is when the governor steps in.
const SLOWER: f64 = 3.0;
/// Queries shorter than this vary by themselves.
const TELLING: Duration = Duration::from_millis(50);
/// How fast the baseline follows, a share of the difference for each full chunk.
const FOLLOWING: f64 = 0.1;

/// How a query went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueryTimes {
    /// Rows that came, and rows asked for.
    pub(crate) received: u64,
    pub(crate) asked: u64,
    /// From question to end.
    pub(crate) took: Duration,
    /// Without the time in which the reader itself kept the server waiting.
    pub(crate) served: Duration,
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct ChunkSize {
    rows: u64,
    target: Duration,
    /// The server's usual seconds for a row.
    baseline: Option<f64>,
}

impl ChunkSize {
    /// For a table with rows of about so many bytes.
    pub(crate) fn new(longest_query: Duration, row_bytes: Option<u64>) -> ChunkSize {
        let rows = row_bytes.map_or(ROWS_FIRST, |bytes| (BYTES_FIRST / bytes.max(1)).clamp(1, ROWS_FIRST));
        ChunkSize { rows, target: longest_query / 4, baseline: None }
    }

    /// Rows of the next chunk, at least one.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Learns from a query. A time is how long the reader should rest now.
    pub(crate) fn learn(&mut self, query: QueryTimes) -> Option<Duration> {
        let QueryTimes { received, asked, took, served } = query;
        let fits = received as f64 * self.target.as_secs_f64() / took.as_secs_f64().max(1e-6);
        let full = received == asked;
        // A chunk that wasn't full says nothing of how much more would fit.
        let largest = if full { asked.saturating_mul(2) } else { self.rows };
        if full || took > self.target {
            self.rows = (fits as u64).min(largest).clamp(1, ROWS_MAX);
        }
        if full { self.govern(served, received) } else { None }
    }

    fn govern(&mut self, served: Duration, rows: u64) -> Option<Duration> {
        let now = served.as_secs_f64() / rows.max(1) as f64;
        let baseline = self.baseline.get_or_insert(now);
        let slow = served >= TELLING && now > *baseline * SLOWER;
        // The baseline follows in any case, so that what stays slow becomes the usual.
        *baseline += (now - *baseline) * FOLLOWING;
        slow.then(|| {
            self.rows = (self.rows / 2).max(1);
            served
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(4);

    /// Reads chunks from a server that takes so long for a row, and gives back their sizes.
    fn sizes(chunk: &mut ChunkSize, row: Duration, chunks: usize) -> Vec<u64> {
        (0..chunks)
            .map(|_| {
                let rows = chunk.rows();
                let took = row * rows as u32;
                chunk.learn(QueryTimes { received: rows, asked: rows, took, served: took });
                rows
            })
            .collect()
    }

    #[test]
    fn chunks_double_up_to_a_quarter_of_the_longest_query() {
        let mut chunk = ChunkSize::new(LONGEST, None);
        assert_eq!(sizes(&mut chunk, Duration::from_millis(1), 6), [100, 200, 400, 800, 1000, 1000]);
        let mut fast = ChunkSize::new(LONGEST, None);
        assert_eq!(sizes(&mut fast, Duration::from_nanos(1), 20).last(), Some(&ROWS_MAX));
    }

    #[test]
    fn a_server_that_slows_down_gets_smaller_chunks_and_a_rest() {
        let mut chunk = ChunkSize::new(LONGEST, None);
        sizes(&mut chunk, Duration::from_micros(100), 10);
        assert_eq!(chunk.rows(), 10_000);
        let took = Duration::from_millis(1900);
        let slow = QueryTimes { received: 10_000, asked: 10_000, took, served: took };
        assert_eq!(chunk.learn(QueryTimes { took: took * 4, served: took * 4, ..slow }), Some(took * 4));
        assert!(chunk.rows() < 700, "{}", chunk.rows());
        // What the reader itself delayed is no fault of the server.
        let mut delayed = ChunkSize::new(LONGEST, None);
        sizes(&mut delayed, Duration::from_micros(100), 10);
        assert_eq!(delayed.learn(QueryTimes { served: Duration::from_secs(1), ..slow }), None);
        assert!(delayed.rows() < 6_000);
    }

    #[test]
    fn what_stays_slow_becomes_the_usual() {
        let mut chunk = ChunkSize::new(LONGEST, None);
        sizes(&mut chunk, Duration::from_micros(100), 10);
        let slow = |chunk: &mut ChunkSize| {
            let rows = chunk.rows();
            let took = Duration::from_millis(1) * rows as u32;
            chunk.learn(QueryTimes { received: rows, asked: rows, took, served: took }).is_some()
        };
        assert!(slow(&mut chunk));
        let rests = (0..50).filter(|_| slow(&mut chunk)).count();
        assert!(rests < 10 && !slow(&mut chunk), "{rests} rests");
        assert!(chunk.rows() >= 900);
    }

    #[test]
    fn large_rows_begin_with_fewer_and_one_row_is_the_least() {
        assert_eq!(ChunkSize::new(LONGEST, Some(1 << 20)).rows(), 4);
        assert_eq!(ChunkSize::new(LONGEST, Some(u64::MAX)).rows(), 1);
        let mut chunk = ChunkSize::new(LONGEST, Some(0));
        assert_eq!(sizes(&mut chunk, Duration::from_secs(60), 3), [100, 1, 1]);
    }

    #[test]
    fn the_rest_of_a_range_neither_grows_nor_forgets_a_chunk() {
        let mut chunk = ChunkSize::new(LONGEST, None);
        let short = QueryTimes { received: 3, asked: 100, took: Duration::from_millis(1), served: Duration::ZERO };
        assert_eq!(chunk.learn(short), None);
        assert_eq!(chunk.rows(), 100);
        chunk.learn(QueryTimes { took: LONGEST, ..short });
        assert_eq!(chunk.rows(), 1);
    }
}
