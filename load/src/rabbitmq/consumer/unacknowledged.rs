//! Deliveries that aren't acknowledged yet, in the order in which they came.

use std::collections::VecDeque;

/// What the broker is to be told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Acknowledgements {
    /// Everything up to this delivery.
    pub(super) up_to: Option<u64>,
    /// And these.
    pub(super) also: Vec<u64>,
}

#[derive(Debug, Default)]
pub(super) struct Unacknowledged {
    /// Delivery tag, and the position that has to be durable first; 0 for what needs none.
    deliveries: VecDeque<(u64, u64)>,
}

impl Unacknowledged {
    pub(super) fn push(&mut self, tag: u64, position: u64) {
        self.deliveries.push_back((tag, position));
    }

    pub(super) fn len(&self) -> usize {
        self.deliveries.len()
    }

    /// What may be acknowledged when everything up to `durable` is. One order covers all up to the first that isn't done;
    /// single ones behind it are only told when so many lie there that the broker could hold back what is waited for.
    pub(super) fn settle(&mut self, durable: u64, crowded: usize) -> Acknowledgements {
        let mut acknowledgements = Acknowledgements::default();
        while let Some((tag, _)) = self.deliveries.pop_front_if(|(_, position)| *position <= durable) {
            acknowledgements.up_to = Some(tag);
        }
        if self.deliveries.len() > crowded {
            self.deliveries.retain(|(tag, position)| {
                let done = *position <= durable;
                if done {
                    acknowledgements.also.push(*tag);
                }
                !done
            });
        }
        acknowledgements
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_acknowledged_before_it_is_durable() {
        let mut unacknowledged = Unacknowledged::default();
        for (tag, position) in [(1, 5), (2, 0), (3, 9), (4, 6), (5, 0)] {
            unacknowledged.push(tag, position);
        }
        assert_eq!(unacknowledged.settle(4, 9), Acknowledgements::default());
        assert_eq!(unacknowledged.settle(6, 9), Acknowledgements { up_to: Some(2), also: vec![] });
        assert_eq!(unacknowledged.settle(6, 2), Acknowledgements { up_to: None, also: vec![4, 5] });
        assert_eq!(unacknowledged.settle(u64::MAX, 9), Acknowledgements { up_to: Some(3), also: vec![] });
    }
}
