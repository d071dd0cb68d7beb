//! What an expression works on.

use super::{Case, Expr, Like};

impl Expr {
    /// Hands every operand to `work`, from left to right; those of operands are the caller's affair.
    pub fn each_operand(&mut self, work: &mut dyn FnMut(&mut Expr)) {
        match self {
            Expr::Literal(_) | Expr::Column(_) => {}
            Expr::Not(operand)
            | Expr::IsNull(operand)
            | Expr::IsBool(_, operand)
            | Expr::Negate(operand)
            | Expr::Cast { operand, .. }
            | Expr::Binary(_, operand)
            | Expr::Matches(_, operand)
            | Expr::ReplaceMatches(_, operand)
            | Expr::ToInstant(_, operand)
            | Expr::ToWall(_, operand)
            | Expr::EnumNumber(_, operand)
            | Expr::Shared(_, operand) => work(operand),
            Expr::And(left, right)
            | Expr::Or(left, right)
            | Expr::Compare(_, left, right)
            | Expr::IsDistinct(left, right)
            | Expr::NullIf(left, right)
            | Expr::Arithmetic(_, left, right)
            | Expr::Append(left, right)
            | Expr::Uuid5 { kind: left, value: right, .. } => {
                work(left);
                work(right);
            }
            Expr::In(operand, list) => {
                work(operand);
                list.iter_mut().for_each(work);
            }
            Expr::Like(like) => {
                let Like { text, pattern, .. } = &mut **like;
                work(text);
                work(pattern);
            }
            Expr::Case(case) => {
                let Case { operand, branches, otherwise } = &mut **case;
                operand.iter_mut().for_each(&mut *work);
                for (when, result) in branches {
                    work(when);
                    work(result);
                }
                work(otherwise);
            }
            Expr::Coalesce(list) | Expr::Concat(list) | Expr::Text(_, list) | Expr::Time(_, list) => {
                list.iter_mut().for_each(work);
            }
        }
    }
}
