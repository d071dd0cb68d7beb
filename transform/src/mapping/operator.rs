//! Operators: of logic, comparison, arithmetic and text.

use sqlparser::ast::{self, BinaryOperator, Spanned, UnaryOperator};
use sqlparser::tokenizer::Span;

use super::compile::{Compiler, Reported, boolean, negated};
use super::typed::Typed;
use crate::expression::{Arithmetic, Comparison, Expr, Like, TimeFunction, Type, Value};

impl Compiler<'_> {
    pub(super) fn unary(
        &mut self,
        operator: UnaryOperator,
        operand: &ast::Expr,
        span: Span,
    ) -> Result<Typed, Reported> {
        match operator {
            UnaryOperator::Not => Ok(boolean(Expr::Not(self.boxed_condition(operand)?), span)),
            UnaryOperator::Plus => self.expression(operand),
            UnaryOperator::Minus => {
                let typed = self.expression(operand)?;
                match (typed.literal_integer(), typed.ty) {
                    (Some(value), _) => Ok(Typed::new(Expr::constant(Value::Integer(-value)), Type::Integer, span)),
                    (None, ty) if ty.is_numeric() => Ok(Typed::new(Expr::Negate(Box::new(typed.expr)), ty, span)),
                    (None, Type::Interval) => {
                        let arguments = vec![typed.expr, Expr::constant(Value::Integer(-1))];
                        Ok(Typed::new(Expr::Time(TimeFunction::Multiply, arguments), Type::Interval, span))
                    }
                    (None, ty) => {
                        self.fail(span, format!("a {ty} has no sign"), "only numbers and intervals can be negated")
                    }
                }
            }
            _ => self.fail(span, format!("operator {operator} is not possible"), "NOT, + and - are"),
        }
    }

    pub(super) fn binary(
        &mut self,
        left: &ast::Expr,
        operator: &BinaryOperator,
        right: &ast::Expr,
        span: Span,
    ) -> Result<Typed, Reported> {
        use BinaryOperator as B;
        let comparison = match operator {
            B::Eq => Comparison::Equal,
            B::NotEq => Comparison::NotEqual,
            B::Lt => Comparison::Less,
            B::LtEq => Comparison::LessOrEqual,
            B::Gt => Comparison::Greater,
            B::GtEq => Comparison::GreaterOrEqual,
            B::And | B::Or => {
                let (left, right) = (self.boxed_condition(left), self.boxed_condition(right));
                let node = if *operator == B::And { Expr::And } else { Expr::Or };
                return Ok(boolean(node(left?, right?), span));
            }
            B::StringConcat => return self.append(left, right, span),
            B::Plus => return self.arithmetic(Arithmetic::Add, left, right, span),
            B::Minus => return self.arithmetic(Arithmetic::Subtract, left, right, span),
            B::Multiply => return self.arithmetic(Arithmetic::Multiply, left, right, span),
            B::Divide => return self.arithmetic(Arithmetic::Divide, left, right, span),
            B::Modulo => return self.arithmetic(Arithmetic::Remainder, left, right, span),
            _ => {
                let help = "possible are = <> < <= > >= + - * / % || AND OR";
                return self.fail(span, format!("operator {operator} is not possible"), help);
            }
        };
        let (left, right, _) = self.pair(left, right)?;
        Ok(boolean(Expr::Compare(comparison, left, right), span))
    }

    fn append(&mut self, left: &ast::Expr, right: &ast::Expr, span: Span) -> Result<Typed, Reported> {
        let (left, right) = (self.expression(left), self.expression(right));
        let (left, right) = (left?, right?);
        if left.ty != Type::Text && right.ty != Type::Text {
            let message = format!("|| joins text, not a {} and a {}", left.ty, right.ty);
            return self.fail(span, message, "CAST one of them AS text, or use concat()");
        }
        Ok(Typed::new(Expr::Append(Box::new(left.expr), Box::new(right.expr)), Type::Text, span))
    }

    fn arithmetic(
        &mut self,
        operator: Arithmetic,
        left: &ast::Expr,
        right: &ast::Expr,
        span: Span,
    ) -> Result<Typed, Reported> {
        let (left, right) = (self.expression(left), self.expression(right));
        let (left, right) = (left?, right?);
        if left.ty.is_temporal() || right.ty.is_temporal() {
            return self.temporal_arithmetic(operator, left, right, span);
        }
        let (left, right, ty) = self.pair_of(left, right)?;
        match ty.is_numeric() || ty == Type::Null {
            true => Ok(Typed::new(Expr::Arithmetic(operator, left, right), ty, span)),
            false => {
                let help = "only numbers can; text is joined by || or concat()";
                self.fail(span, format!("a {ty} can't be reckoned with"), help)
            }
        }
    }

    pub(super) fn distinct(
        &mut self,
        left: &ast::Expr,
        right: &ast::Expr,
        not: bool,
        span: Span,
    ) -> Result<Typed, Reported> {
        let (left, right, _) = self.pair(left, right)?;
        Ok(negated(Expr::IsDistinct(left, right), not, span))
    }

    pub(super) fn between(
        &mut self,
        operand: &ast::Expr,
        low: &ast::Expr,
        high: &ast::Expr,
        not: bool,
        span: Span,
    ) -> Result<Typed, Reported> {
        let (least, low, _) = self.pair(operand, low)?;
        let (most, high, _) = self.pair(operand, high)?;
        let from = Box::new(Expr::Compare(Comparison::GreaterOrEqual, least, low));
        let to = Box::new(Expr::Compare(Comparison::LessOrEqual, most, high));
        Ok(negated(Expr::And(from, to), not, span))
    }

    pub(super) fn in_list(
        &mut self,
        operand: &ast::Expr,
        list: &[ast::Expr],
        not: bool,
        span: Span,
    ) -> Result<Typed, Reported> {
        let items: Vec<_> = [operand].into_iter().chain(list).map(|item| self.expression(item)).collect();
        let (mut items, _) = self.unify(items.into_iter().collect::<Result<_, _>>()?)?;
        let operand = items.remove(0);
        Ok(negated(Expr::In(Box::new(operand), items), not, span))
    }

    pub(super) fn like(
        &mut self,
        text: &ast::Expr,
        pattern: &ast::Expr,
        escape: Option<&ast::Expr>,
        ignores_case: bool,
        not: bool,
    ) -> Result<Typed, Reported> {
        let span = text.span().union(&pattern.span());
        let (text, pattern) = (self.text(text), self.text(pattern));
        let escape = match escape {
            None => Some('\\'),
            Some(ast) => {
                let escape = self.text(ast)?;
                match escape.literal_text().map(|text| (text.chars().next(), text.chars().count())) {
                    Some((character, 0 | 1)) => character,
                    _ => return self.fail(escape.span, "ESCAPE takes one character", "write ESCAPE '\\'"),
                }
            }
        };
        let like = Like { text: text?.expr, pattern: pattern?.expr, escape, ignores_case };
        Ok(negated(Expr::Like(Box::new(like)), not, span))
    }
}
