//! Merging many sorted sources into one, event by event: how pending events go to disk.

use super::entry::{Entry, Run};
use crate::error::TransformError;

/// A sorted source.
pub(super) trait Cursor {
    /// The next event and its arena; `None` at the end.
    fn peek(&self) -> Option<(&Entry, &[u8])>;
    /// Goes on to the one behind it.
    fn advance(&mut self) -> Result<(), TransformError>;
}

impl Cursor for Run {
    fn peek(&self) -> Option<(&Entry, &[u8])> {
        self.remaining().first().map(|entry| (entry, self.arena.as_slice()))
    }

    fn advance(&mut self) -> Result<(), TransformError> {
        self.skip(1);
        Ok(())
    }
}

/// Hands every event of all sources to `take`, in order.
pub(super) fn merge<C: Cursor>(
    sources: &mut [C],
    mut take: impl FnMut(&Entry, &[u8]) -> Result<(), TransformError>,
) -> Result<(), TransformError> {
    // A binary heap of places in `sources`; the least event is at the top.
    let mut heap: Vec<usize> = (0..sources.len()).filter(|place| sources[*place].peek().is_some()).collect();
    for at in (0..heap.len() / 2).rev() {
        sift_down(&mut heap, at, sources);
    }
    while let Some(top) = heap.first().copied() {
        let (entry, arena) = sources[top].peek().expect("only sources with events are in the heap");
        take(entry, arena)?;
        sources[top].advance()?;
        if sources[top].peek().is_none() {
            heap.swap_remove(0);
        }
        sift_down(&mut heap, 0, sources);
    }
    Ok(())
}

fn sift_down<C: Cursor>(heap: &mut [usize], mut at: usize, sources: &[C]) {
    loop {
        let left = 2 * at + 1;
        if left >= heap.len() {
            return;
        }
        let right = left + 1;
        let child = if right < heap.len() && is_before(sources, heap[right], heap[left]) { right } else { left };
        if !is_before(sources, heap[child], heap[at]) {
            return;
        }
        heap.swap(at, child);
        at = child;
    }
}

fn is_before<C: Cursor>(sources: &[C], left: usize, right: usize) -> bool {
    match (sources[left].peek(), sources[right].peek()) {
        (Some((left, left_arena)), Some((right, right_arena))) => left.compare(left_arena, right, right_arena).is_lt(),
        _ => unreachable!("only sources with events are in the heap"),
    }
}
