//! Cuts a transaction into stages, so that handlers take their events in sets and still in order.
//!
//! In: for each event of a transaction that a handler takes, its stream and its handler's place. Out: the event's stage,
//! and the steps of the transaction: each a stage and a handler that takes its events of that stage.
//!
//! Stages run one after another. Within a stage handlers run by their places, each on all its events. So of two events
//! of one stream the later one could take effect first only if they lay in one stage and the later one's handler had
//! the lower place: then it goes into the next stage. Each stream counts its own stages, so there are as many as the one
//! stream needs whose events change places most often, however many streams there are. Streams are told apart by a
//! hash: two that share one only need a stage too many. With `order = "strict"` every event has a stage of its own,
//! except within a run of events that one handler takes one by one anyway.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};

/// The events of a handler in a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) stage: u32,
    pub(super) handler: usize,
}

/// The steps of one transaction.
#[derive(Debug, Default)]
pub(super) struct Stages {
    strict: bool,
    handlers: usize,
    /// By stage and, within it, by handler: whether there are events.
    present: Vec<bool>,
    /// Strictly: stage and handler of the last event.
    last: Option<(u32, usize)>,
    /// By a stream's hash: its stage, and the highest place of a handler that takes an event of it there.
    streams: HashMap<u64, (u32, usize), BuildHasherDefault<Hashed>>,
}

/// The keys are hashes already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("the keys are u64");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

impl Stages {
    /// For so many handlers, whose places are 0 and up.
    pub(super) fn new(handlers: usize, strict: bool) -> Stages {
        Stages { strict, handlers, ..Stages::default() }
    }

    /// None yet, for the same handlers.
    pub(super) fn twin(&self) -> Stages {
        Stages::new(self.handlers, self.strict)
    }

    /// The stage of the next event. `one_by_one` says that the handler itself keeps to the order of its events.
    pub(super) fn of_next(&mut self, stream: &str, handler: usize, one_by_one: bool) -> u32 {
        if self.strict {
            let stage = match self.last {
                None => 0,
                Some((stage, last)) if one_by_one && last == handler => stage,
                Some((stage, _)) => stage + 1,
            };
            self.last = Some((stage, handler));
            return stage;
        }
        let mut hasher = DefaultHasher::new();
        stream.hash(&mut hasher);
        let (stage, highest) = self.streams.entry(hasher.finish()).or_insert((0, handler));
        if handler < *highest {
            *stage += 1;
        }
        *highest = handler;
        *stage
    }

    /// The event is staged, so its handler has something to do there.
    pub(super) fn take(&mut self, stage: u32, handler: usize) {
        let at = stage as usize * self.handlers + handler;
        if at >= self.present.len() {
            self.present.resize((stage as usize + 1) * self.handlers, false);
        }
        self.present[at] = true;
    }

    /// All steps, in the order in which they must run.
    pub(super) fn steps(&self) -> impl Iterator<Item = Step> {
        let present = self.present.iter().enumerate().filter(|(_, present)| **present);
        present.map(|(at, _)| Step { stage: (at / self.handlers) as u32, handler: at % self.handlers })
    }

    /// Forgets everything, for the next transaction.
    pub(super) fn clear(&mut self) {
        self.present.clear();
        self.streams.clear();
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Events in the order in which the steps bring them into effect: indexes into `events`.
    fn effects(events: &[(u8, usize)], strict: bool, one_by_one: usize) -> Vec<usize> {
        let mut stages = Stages::new(4, strict);
        let mut of_event = Vec::new();
        for (stream, handler) in events {
            let stage = stages.of_next(&stream.to_string(), *handler, *handler == one_by_one);
            stages.take(stage, *handler);
            of_event.push(Step { stage, handler: *handler });
        }
        let of_step = |step: Step| (0..events.len()).filter(|index| of_event[*index] == step).collect::<Vec<_>>();
        stages.steps().flat_map(of_step).collect()
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
    fn each_stream_counts_its_own_stages() {
        let mut stages = Stages::new(2, false);
        let events = [("a", 0), ("b", 1), ("b", 0), ("a", 1), ("c", 0), ("a", 0), ("b", 1)];
        let of_events = events.map(|(stream, handler)| {
            let stage = stages.of_next(stream, handler, false);
            stages.take(stage, handler);
            stage
        });
        assert_eq!(of_events, [0, 0, 1, 0, 0, 1, 1]);
        let step = |stage, handler| Step { stage, handler };
        assert_eq!(stages.steps().collect::<Vec<_>>(), [step(0, 0), step(0, 1), step(1, 0), step(1, 1)]);
        stages.clear();
        assert_eq!(stages.of_next("a", 0, false), 0);
    }
}
