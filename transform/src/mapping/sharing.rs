//! Finds what several mappings of a table work out from a row, so that it is worked out once.
//!
//! In: the compiled mappings of one scan. Out: the same, with [`Expr::Shared`] in place of every expression of the row
//! alone that stands in them more than once and is worth remembering. Such expressions come in pairs in real mappings:
//! the message that is sent and the one that is read have one id and one condition. Errors, and which expressions are
//! looked at, stay as they were: a shared expression is only worked out where it stands.

use super::program::{Mapping, TableScan};
use crate::expression::{Expr, Slot};

/// An expression that was found.
struct Found {
    expr: Expr,
    uses: usize,
    /// Where it is remembered, once it is shared.
    place: Option<usize>,
}

/// Shares expressions between the mappings of a scan; gives the number of those shared.
pub(super) fn share(scan: &TableScan, mappings: &mut [Mapping]) -> usize {
    let mut found: Vec<Found> = Vec::new();
    for place in &scan.mappings {
        expressions(&mut mappings[*place], &mut |expr| gather(expr, &mut found));
    }
    found.retain(|found| found.uses > 1);
    let mut shared = 0;
    for place in &scan.mappings {
        expressions(&mut mappings[*place], &mut |expr| replace(expr, &mut found, &mut shared));
    }
    shared
}

/// Every expression of a mapping that may need others' work.
fn expressions(mapping: &mut Mapping, work: &mut impl FnMut(&mut Expr)) {
    mapping.joins.iter_mut().for_each(|join| work(&mut join.key));
    mapping.condition.iter_mut().for_each(&mut *work);
    for expr in [&mut mapping.occurred_at, &mut mapping.key, &mut mapping.stream] {
        work(expr);
    }
    mapping.fields.iter_mut().for_each(|field| work(&mut field.value));
}

/// Counts every expression that could be shared. (Nothing is changed: there is one walk over operands, and it can.)
fn gather(expr: &mut Expr, found: &mut Vec<Found>) {
    if is_worth_remembering(expr) && is_of_the_row(expr) {
        match found.iter_mut().find(|found| found.expr == *expr) {
            Some(found) => found.uses += 1,
            None => found.push(Found { expr: expr.clone(), uses: 1, place: None }),
        }
    }
    expr.each_operand(&mut |operand| gather(operand, found));
}

/// Replaces the largest expressions that stand more than once. What is within them is looked at once a row then.
fn replace(expr: &mut Expr, found: &mut [Found], shared: &mut usize) {
    let Some(found_here) = found.iter_mut().find(|found| found.expr == *expr) else {
        expr.each_operand(&mut |operand| replace(operand, found, shared));
        return;
    };
    let place = *found_here.place.get_or_insert_with(|| {
        *shared += 1;
        *shared - 1
    });
    *expr = Expr::Shared(place, Box::new(std::mem::replace(expr, Expr::null())));
}

/// Whether remembering costs less than working out again. Text and bytes can't be remembered.
fn is_worth_remembering(expr: &Expr) -> bool {
    matches!(expr, Expr::Uuid5 { .. } | Expr::In(..) | Expr::Like(_) | Expr::Matches(..))
}

/// Whether no join has a part in it, so that it is the same in all mappings.
fn is_of_the_row(expr: &mut Expr) -> bool {
    if let Expr::Column(Slot::Joined(_)) = expr {
        return false;
    }
    let mut is = true;
    expr.each_operand(&mut |operand| is &= is_of_the_row(operand));
    is
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::Value;

    fn is_one_of(slot: Slot, list: &[i64]) -> Expr {
        let list = list.iter().map(|value| Expr::constant(Value::Integer(*value))).collect();
        Expr::In(Box::new(Expr::Column(slot)), list)
    }

    fn not(operand: Expr) -> Expr {
        Expr::Not(Box::new(operand))
    }

    #[test]
    fn what_stands_twice_is_shared_and_joins_keep_out() {
        let (joined, twice) = (|| is_one_of(Slot::Joined(0), &[1]), || is_one_of(Slot::Row(0), &[1, 2]));
        let once = || is_one_of(Slot::Row(0), &[1, 2, 3]);
        let mut exprs = [twice(), not(twice()), once(), joined(), joined()];
        let (mut found, mut shared) = (Vec::new(), 0);
        exprs.iter_mut().for_each(|expr| gather(expr, &mut found));
        found.retain(|found| found.uses > 1);
        exprs.iter_mut().for_each(|expr| replace(expr, &mut found, &mut shared));
        let shared_one = || Expr::Shared(0, Box::new(twice()));
        assert_eq!(exprs, [shared_one(), not(shared_one()), once(), joined(), joined()]);
        assert_eq!(shared, 1);
    }
}
