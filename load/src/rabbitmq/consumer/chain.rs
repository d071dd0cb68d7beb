//! Puts a module's messages into the order of all events.
//!
//! Each message tells its position and that of the module's event before it. Let everything up to `at` have taken effect.
//! A message at or before `at` is a repetition. Behind `at`, the one whose predecessor lies at or before `at` is the next,
//! because the module has no event between the two; any other one waits. So no order of delivery, no repetition and no loss
//! can make an event take effect twice or before its predecessor; a loss makes its successors wait.

use std::collections::BTreeMap;

/// What to do with a message that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offered {
    /// It has taken effect already, or waits already.
    Repeated,
    /// It is kept until its turn comes.
    Kept,
}

/// Messages that wait for their turn.
#[derive(Debug)]
pub(super) struct Chain<M> {
    at: u64,
    /// By position; with the position before.
    waiting: BTreeMap<u64, (u64, M)>,
    /// The end of the stream: the position before, and the marker.
    end: Option<(u64, M)>,
}

impl<M> Chain<M> {
    /// Everything up to `at` has taken effect.
    pub(super) fn new(at: u64) -> Chain<M> {
        Chain { at, waiting: BTreeMap::new(), end: None }
    }

    /// Takes a message.
    pub(super) fn offer(&mut self, position: u64, after: u64, message: M) -> Offered {
        if position <= self.at || self.waiting.contains_key(&position) {
            return Offered::Repeated;
        }
        self.waiting.insert(position, (after, message));
        Offered::Kept
    }

    /// Takes the end of the stream.
    pub(super) fn offer_end(&mut self, after: u64, marker: M) -> Offered {
        match self.end {
            Some(_) => Offered::Repeated,
            None => {
                self.end = Some((after, marker));
                Offered::Kept
            }
        }
    }

    /// The message whose turn it is, with its position.
    pub(super) fn next(&mut self) -> Option<(u64, M)> {
        let first = self.waiting.first_entry()?;
        if first.get().0 > self.at {
            return None;
        }
        let (position, (_, message)) = first.remove_entry();
        self.at = position;
        Some((position, message))
    }

    /// The marker, once everything before it was taken out.
    pub(super) fn take_end(&mut self) -> Option<M> {
        let is_due = self.end.as_ref().is_some_and(|(after, _)| *after <= self.at);
        if is_due { self.end.take().map(|(_, marker)| marker) } else { None }
    }

    /// Up to where everything was taken out.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len() + usize::from(self.end.is_some())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Positions with gaps, delivered in any order and any of them up to three times, from any checkpoint.
        #[test]
        fn every_event_comes_out_once_and_in_order(
            positions in prop::collection::btree_set(1u64..500, 1..60),
            done in 0usize..60,
            order in prop::collection::vec((any::<prop::sample::Index>(), 1usize..4), 0..200),
        ) {
            let positions: Vec<u64> = positions.into_iter().collect();
            let done = done.min(positions.len());
            let at = if done == 0 { 0 } else { positions[done - 1] };
            let after = |index: usize| if index == 0 { 0 } else { positions[index - 1] };
            let mut chain = Chain::new(at);
            let mut out = Vec::new();
            let mut give = |chain: &mut Chain<()>, index: usize| {
                chain.offer(positions[index], after(index), ());
                while let Some((position, ())) = chain.next() {
                    out.push(position);
                }
            };
            for (index, times) in order {
                for _ in 0..times {
                    give(&mut chain, index.index(positions.len()));
                }
            }
            for index in (0..positions.len()).rev() {
                give(&mut chain, index);
            }
            prop_assert_eq!(out, &positions[done..]);
        }
    }

    #[test]
    fn what_follows_a_lost_event_waits_and_so_does_the_end() {
        let mut chain = Chain::new(3);
        assert_eq!(chain.offer(9, 7, "b"), Offered::Kept);
        assert_eq!(chain.offer(9, 7, "b"), Offered::Repeated);
        assert_eq!(chain.offer_end(9, "end"), Offered::Kept);
        assert_eq!((chain.next(), chain.take_end(), chain.waiting()), (None, None, 2));
        assert_eq!(chain.offer(7, 2, "a"), Offered::Kept);
        assert_eq!(chain.next(), Some((7, "a")));
        assert_eq!((chain.next(), chain.take_end()), (Some((9, "b")), Some("end")));
    }
}
