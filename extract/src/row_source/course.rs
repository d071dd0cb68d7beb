//! The course of an answer: what of it is paid for by the pace, and whether it takes too long.

use std::time::{Duration, Instant};

use super::row::Rows;
use crate::pace::Pace;
use crate::seek::Request;

/// After so many rows, or bytes of rows, the clock and the pace are asked.
const ROWS_DUE: u64 = 16;
const BYTES_DUE: u64 = 1 << 20;

/// See the module.
pub(super) struct Course {
    rows: u64,
    bytes: u64,
    waited: Duration,
    ends: Option<Instant>,
}

impl Course {
    /// Begins with the question; the sink holds so many bytes.
    pub(super) fn of(request: &Request, bytes: u64) -> Course {
        let ends = request.time_max.and_then(|time| Instant::now().checked_add(time));
        Course { rows: 0, bytes, waited: Duration::ZERO, ends }
    }

    /// Whether it is time to look at it.
    #[inline]
    pub(super) fn is_due(&self, rows: &Rows<'_, '_>) -> bool {
        rows.received() >= self.rows + ROWS_DUE || rows.content_bytes() >= self.bytes + BYTES_DUE
    }

    /// Pays for the rows so far, and lets the next be the last when the answer has taken too long.
    pub(super) async fn look(&mut self, rows: &mut Rows<'_, '_>, pace: &Pace) {
        self.pay(rows, pace).await;
        if self.ends.take_if(|ends| Instant::now() >= *ends).is_some() {
            rows.end_behind_next();
        }
    }

    /// Pays for the rest. Gives the time that was waited in all.
    pub(super) async fn end(mut self, rows: &Rows<'_, '_>, pace: &Pace) -> Duration {
        self.pay(rows, pace).await;
        self.waited
    }

    async fn pay(&mut self, rows: &Rows<'_, '_>, pace: &Pace) {
        let (received, bytes) = (rows.received(), rows.content_bytes());
        self.waited += pace.spend(received - self.rows, bytes - self.bytes).await;
        (self.rows, self.bytes) = (received, bytes);
    }
}
