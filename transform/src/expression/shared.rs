//! What several expressions of a row have in common: worked out by the first that needs it, and remembered until the
//! next row.
//!
//! Only values that need no memory of their own are remembered; an error never is, so that whoever meets it says where.

use std::cell::Cell;

use super::evaluate::{Context, Evaluated};
use super::{Expr, Value};

/// Room for one value that a row's expressions share.
#[derive(Clone, Debug, Default)]
pub struct Memo(Cell<Option<Value<'static>>>);

impl Memo {
    /// Another row comes.
    #[inline]
    pub fn forget(&self) {
        self.0.set(None);
    }
}

/// The value of [`Expr::Shared`].
#[inline(never)]
pub(super) fn shared<'a>(place: usize, expr: &'a Expr, context: &Context<'a>) -> Evaluated<Value<'a>> {
    let Some(Memo(memo)) = context.memos.get(place) else { return expr.evaluate(context) };
    if let Some(value) = memo.get() {
        return Ok(value);
    }
    let value = expr.evaluate(context)?;
    memo.set(value.without_memory());
    Ok(value)
}
