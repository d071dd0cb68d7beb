//! Numbers for the blocks of all tables that drive mappings: the same whatever part of the plan a run reads.

use etl_schemas::dump::Part;

use crate::order::PlannedBlock;

/// Number of the first block of every part.
#[derive(Debug)]
pub(crate) struct Numbering {
    firsts: Vec<Vec<u32>>,
}

impl Numbering {
    /// `parts` has the parts of each of the program's scans.
    pub(crate) fn new(parts: &[Vec<Part>]) -> Numbering {
        let mut next = 0;
        let mut first = |part: &Part| {
            let first = next;
            next += part.blocks().len() as u32;
            first
        };
        Numbering { firsts: parts.iter().map(|parts| parts.iter().map(&mut first).collect()).collect() }
    }

    /// The block's number.
    pub(crate) fn of(&self, planned: &PlannedBlock) -> u32 {
        self.firsts[planned.scan][planned.part] + planned.block as u32
    }

    /// Scan, part and block of a number.
    pub(crate) fn place(&self, number: u32) -> (usize, usize, usize) {
        let parts = self.firsts.iter().enumerate();
        let mut parts =
            parts.flat_map(|(scan, firsts)| firsts.iter().enumerate().map(move |(part, first)| (scan, part, *first)));
        let mut found = parts.next().unwrap_or((0, 0, 0));
        // Parts without blocks share their number with the next one, which the block belongs to.
        for part in parts.filter(|part| part.2 <= number) {
            found = part;
        }
        (found.0, found.1, (number - found.2) as usize)
    }
}
