//! Which expected rows match which found ones.
//!
//! In: rows as text, the expected ones with columns that may hold anything. Out: the rows of either side that are left
//! over when as many as possible have found a partner. An expected row that says little mustn't take the only partner of
//! one that says more, so this is a maximum bipartite matching, by augmenting paths (H. W. Kuhn, 1955).

/// What a column must hold.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Wanted {
    Anything,
    /// This text, or NULL.
    Cell(Option<String>),
}

/// Rows without a partner, by their indexes.
#[derive(Debug, PartialEq)]
pub(super) struct Unmatched {
    pub(super) wanted: Vec<usize>,
    pub(super) found: Vec<usize>,
}

pub(super) fn unmatched(wanted: &[Vec<Wanted>], found: &[Vec<Option<String>>]) -> Unmatched {
    let mut partner: Vec<Option<usize>> = vec![None; found.len()];
    let mut missing = Vec::new();
    for row in 0..wanted.len() {
        let mut tried = vec![false; found.len()];
        if !find(row, wanted, found, &mut partner, &mut tried) {
            missing.push(row);
        }
    }
    let extra = (0..found.len()).filter(|row| partner[*row].is_none()).collect();
    Unmatched { wanted: missing, found: extra }
}

/// Finds a partner for an expected row, if need be by finding another for whoever has it.
fn find(
    row: usize,
    wanted: &[Vec<Wanted>],
    found: &[Vec<Option<String>>],
    partner: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    for candidate in 0..found.len() {
        if tried[candidate] || !fits(&wanted[row], &found[candidate]) {
            continue;
        }
        tried[candidate] = true;
        let free = match partner[candidate] {
            None => true,
            Some(other) => find(other, wanted, found, partner, tried),
        };
        if free {
            partner[candidate] = Some(row);
            return true;
        }
    }
    false
}

/// Of the found rows, the one that agrees in most columns, and the columns in which it doesn't. None if no row agrees in
/// any, unless there is only one.
pub(super) fn nearest(
    wanted: &[Wanted],
    found: &[Vec<Option<String>>],
    candidates: &[usize],
) -> Option<(usize, Vec<usize>)> {
    let differing = |row: usize| {
        let differs = |(_, (wanted, found)): &(usize, (&Wanted, &Option<String>))| match wanted {
            Wanted::Anything => false,
            Wanted::Cell(cell) => cell != *found,
        };
        wanted.iter().zip(&found[row]).enumerate().filter(differs).map(|(column, _)| column).collect::<Vec<_>>()
    };
    let stated = wanted.iter().filter(|cell| **cell != Wanted::Anything).count();
    let nearest = candidates.iter().map(|row| (*row, differing(*row))).min_by_key(|(_, columns)| columns.len())?;
    (nearest.1.len() < stated || candidates.len() == 1).then_some(nearest)
}

fn fits(wanted: &[Wanted], found: &[Option<String>]) -> bool {
    wanted.iter().zip(found).all(|(wanted, found)| match wanted {
        Wanted::Anything => true,
        Wanted::Cell(cell) => cell == found,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str) -> Wanted {
        Wanted::Cell(Some(text.to_string()))
    }

    fn row(cells: [&str; 2]) -> Vec<Option<String>> {
        cells.map(|text| Some(text.to_string())).to_vec()
    }

    #[test]
    fn a_row_that_says_little_makes_room() {
        let wanted = [vec![cell("a"), Wanted::Anything], vec![cell("a"), cell("1")]];
        let found = [row(["a", "1"]), row(["a", "2"])];
        assert_eq!(unmatched(&wanted, &found), Unmatched { wanted: vec![], found: vec![] });
    }

    #[test]
    fn the_nearest_row_agrees_in_most_columns() {
        let wanted = [cell("a"), cell("1")];
        let found = [row(["b", "2"]), row(["a", "2"]), row(["c", "3"])];
        assert_eq!(nearest(&wanted, &found, &[0, 1, 2]), Some((1, vec![1])));
        assert_eq!(nearest(&wanted, &found, &[0, 2]), None);
        assert_eq!(nearest(&wanted, &found, &[2]), Some((2, vec![0, 1])));
    }

    #[test]
    fn what_is_left_over_is_named_on_both_sides() {
        let wanted = [vec![cell("a"), cell("1")], vec![cell("a"), Wanted::Cell(None)]];
        let found = [row(["a", "2"]), row(["a", "1"])];
        assert_eq!(unmatched(&wanted, &found), Unmatched { wanted: vec![1], found: vec![0] });
        assert_eq!(unmatched(&wanted[..1], &[row(["a", "1"]), row(["a", "1"])]).found, [1]);
    }
}
