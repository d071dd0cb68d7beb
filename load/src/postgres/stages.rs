//! Cuts a transaction into stages, so that handlers take their events in sets and still in order.
//!
//! In: for each event of a transaction that a handler takes, its stream and its handler's place. Out: steps, each a range
//! of positions and a handler that takes its events of that range.
//!
//! Stages are ranges of positions that follow each other. Within a stage handlers run one after another by their places,
//! each on all its events. So of two events of one stream the later one could take effect first only if they lay in one
//! stage and the later one's handler had the lower place. A stage is cut before each event for which that would be so.
//! With `order = "strict"` it is cut before every event, except within a run of events that one handler takes one by
//! one anyway. Streams are told apart by a hash: two that share one only cause a cut too many.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A handler's share of a stage: its events behind `after`, up to and with `upto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) after: u64,
    pub(super) upto: u64,
    pub(super) handler: usize,
}

/// The steps of one transaction.
#[derive(Debug, Default)]
pub(super) struct Stages {
    strict: bool,
    steps: Vec<Step>,
    /// By handler, whether the open stage has events of it.
    open: Vec<bool>,
    /// Position of the event before the open stage.
    after: u64,
    /// Of the last event, with its handler.
    last: Option<(u64, usize)>,
    /// By a stream's hash: the stage, and the highest place of a handler that takes an event of it there.
    highest: HashMap<u64, (u64, usize)>,
    stage: u64,
}

impl Stages {
    /// For so many handlers, whose places are 0 and up.
    pub(super) fn new(handlers: usize, strict: bool) -> Stages {
        Stages { strict, open: vec![false; handlers], ..Stages::default() }
    }

    /// Takes the next event. `one_by_one` says that the handler itself keeps to the order of its events.
    pub(super) fn put(&mut self, position: u64, stream: &str, handler: usize, one_by_one: bool) {
        let mut hasher = DefaultHasher::new();
        stream.hash(&mut hasher);
        let stream = hasher.finish();
        let overtakes =
            self.highest.get(&stream).is_some_and(|(stage, highest)| *stage == self.stage && *highest > handler);
        let continues = |last: (u64, usize)| one_by_one && last.1 == handler;
        if overtakes || self.strict && self.last.is_some_and(|last| !continues(last)) {
            self.cut();
        }
        if self.last.is_none() {
            self.after = position - 1;
        }
        self.open[handler] = true;
        self.last = Some((position, handler));
        let highest = self.highest.entry(stream).or_insert((self.stage, handler));
        *highest = match highest.0 == self.stage {
            true => (self.stage, highest.1.max(handler)),
            false => (self.stage, handler),
        };
    }

    /// Ends the open stage.
    fn cut(&mut self) {
        let Some((upto, _)) = self.last.take() else { return };
        for (handler, open) in self.open.iter_mut().enumerate() {
            if std::mem::take(open) {
                self.steps.push(Step { after: self.after, upto, handler });
            }
        }
        self.after = upto;
        self.stage += 1;
    }

    /// All steps, in the order in which they must run.
    pub(super) fn steps(&mut self) -> &[Step] {
        self.cut();
        &self.steps
    }

    /// Forgets everything, for the next transaction.
    pub(super) fn clear(&mut self) {
        self.cut();
        self.steps.clear();
        self.highest.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Events in the order in which the steps bring them into effect: indexes into `events`.
    fn effects(events: &[(u8, usize)], strict: bool, one_by_one: usize) -> Vec<usize> {
        let mut stages = Stages::new(4, strict);
        for (index, (stream, handler)) in events.iter().enumerate() {
            stages.put(index as u64 + 1, &stream.to_string(), *handler, *handler == one_by_one);
        }
        let of_step = |step: &Step| {
            let Step { after, upto, handler } = *step;
            (after as usize..upto as usize).filter(move |index| events[*index].1 == handler).collect::<Vec<_>>()
        };
        stages.steps().iter().flat_map(of_step).collect()
    }

    proptest! {
        #[test]
        fn no_event_overtakes_another_of_its_stream(events in prop::collection::vec((0u8..5, 0usize..4), 0..200)) {
            let effects = effects(&events, false, 3);
            let mut all = effects.clone();
            all.sort_unstable();
            prop_assert_eq!(all, (0..events.len()).collect::<Vec<_>>(), "every event takes effect once");
            for stream in 0..5 {
                let of_stream: Vec<usize> = effects.iter().copied().filter(|index| events[*index].0 == stream).collect();
                prop_assert!(of_stream.is_sorted());
            }
        }

        #[test]
        fn strictly_every_event_takes_effect_in_order(events in prop::collection::vec((0u8..5, 0usize..4), 0..200)) {
            prop_assert_eq!(effects(&events, true, 3), (0..events.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn streams_that_keep_to_the_places_share_a_stage() {
        let mut stages = Stages::new(2, false);
        for (position, stream, handler) in
            [(11, "a", 0), (12, "b", 0), (14, "a", 1), (15, "c", 0), (17, "b", 1), (18, "a", 0)]
        {
            stages.put(position, stream, handler, false);
        }
        let step = |after, upto, handler| Step { after, upto, handler };
        assert_eq!(stages.steps(), [step(10, 17, 0), step(10, 17, 1), step(17, 18, 0)]);
        stages.clear();
        stages.put(20, "a", 0, false);
        assert_eq!(stages.steps(), [step(19, 20, 0)]);
    }
}
