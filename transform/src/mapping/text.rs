//! A mapping in the parser's wording, kept so that what became of a row can be told in the user's own terms.

use sqlparser::ast::{BinaryOperator, Expr as Ast};

use super::statement::MappingStatement;

/// The texts of one mapping's expressions.
#[derive(Debug)]
pub(crate) struct MappingText {
    pub condition: Option<ConditionText>,
    /// `LEFT JOIN dbo.Members s ON s.Id = m.SenderId`, in the order of the joins.
    pub joins: Vec<String>,
    /// Name and expression of every column, as the statement gives them.
    columns: Vec<(String, String)>,
}

/// A WHERE, taken apart where its ANDs are, so that the condition that dropped a row can be named.
#[derive(Debug)]
pub(crate) enum ConditionText {
    And(Box<ConditionText>, Box<ConditionText>),
    One(String),
}

impl MappingText {
    pub(super) fn of(statement: &MappingStatement) -> MappingText {
        let joins = statement.joins.iter().map(|join| {
            let kind = if join.keeps_all { "LEFT JOIN" } else { "JOIN" };
            let schema = join.table.schema.as_ref().map_or("dbo", |schema| schema.value.as_str());
            format!("{kind} {schema}.{} ON {}", join.table.table.value, join.on)
        });
        MappingText {
            condition: statement.condition.as_ref().map(ConditionText::of),
            joins: joins.collect(),
            columns: (statement.fields.iter()).map(|(name, ast)| (name.value.clone(), ast.to_string())).collect(),
        }
    }

    /// The expression that gives a column, by the column's name.
    pub(crate) fn column(&self, name: &str) -> &str {
        let found = self.columns.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or("", |(_, text)| text.as_str())
    }
}

impl ConditionText {
    fn of(ast: &Ast) -> ConditionText {
        match ast {
            Ast::Nested(inner) => ConditionText::of(inner),
            Ast::BinaryOp { left, op: BinaryOperator::And, right } => {
                ConditionText::And(Box::new(ConditionText::of(left)), Box::new(ConditionText::of(right)))
            }
            other => ConditionText::One(other.to_string()),
        }
    }

    /// The whole of it.
    pub(crate) fn whole(&self) -> String {
        match self {
            ConditionText::And(left, right) => format!("{} AND {}", left.whole(), right.whole()),
            ConditionText::One(text) => text.clone(),
        }
    }
}
