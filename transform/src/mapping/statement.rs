//! From the text of a file to its statements: `INSERT INTO <event> SELECT ... FROM ... [JOIN ...] [WHERE ...]`.
//!
//! Everything else that SQL knows is refused here, with its place and what is possible instead. A broken statement
//! does not keep the next one from being read.

use etl_schemas::diagnostic::Diagnostic;
use sqlparser::ast::{
    Expr, GroupByExpr, Ident, Insert, JoinConstraint, JoinOperator, ObjectName, Query, Select, SelectItem, SetExpr,
    Spanned, Statement, TableFactor, TableObject,
};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer};

use super::dialect::MappingDialect;
use super::source::SourceFile;

/// A statement longer than this is refused: the parser's tree is walked recursively.
const TOKENS_MAX: usize = 20_000;

const SHAPE: &str = "a mapping is: INSERT INTO <event> SELECT <expression> AS <field>, ... FROM <table> \
                     [LEFT JOIN <lookup> ON <key> = <expression>] [WHERE <condition>]";

/// A mapping as it is written, with nothing resolved yet.
#[derive(Debug)]
pub(super) struct MappingStatement {
    /// The event's name.
    pub event: Ident,
    /// Field names and their expressions.
    pub fields: Vec<(Ident, Expr)>,
    /// The driving table.
    pub from: TableReference,
    /// The lookups.
    pub joins: Vec<JoinReference>,
    /// The WHERE condition.
    pub condition: Option<Expr>,
    /// The statement in the parser's own wording: without comments and blanks, for the fingerprint.
    pub canonical: String,
}

/// A table and the name that stands for it.
#[derive(Debug)]
pub(super) struct TableReference {
    pub schema: Option<Ident>,
    pub table: Ident,
    pub alias: Option<Ident>,
    pub span: Span,
}

/// A joined lookup.
#[derive(Debug)]
pub(super) struct JoinReference {
    pub table: TableReference,
    /// LEFT JOIN: rows without a match stay.
    pub keeps_all: bool,
    pub on: Expr,
}

/// All statements of a file.
pub(super) fn statements(file: &SourceFile, errors: &mut Vec<Diagnostic>) -> Vec<MappingStatement> {
    let tokens = match Tokenizer::new(&MappingDialect, &file.text).tokenize_with_location() {
        Ok(tokens) => tokens,
        Err(error) => {
            errors.push(file.error(Span::new(error.location, error.location), error.message));
            return Vec::new();
        }
    };
    let mut found = Vec::new();
    for tokens in tokens.split(|token| token.token == Token::SemiColon) {
        let mut words = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF));
        let count = words.clone().count();
        let Some(first) = words.clone().next() else { continue };
        if count > TOKENS_MAX {
            let message = format!("this statement has {count} words; at most {TOKENS_MAX} can be compiled");
            errors.push(file.error(first.span, message).help("split it into several mappings"));
            continue;
        }
        let last = words.next_back().map_or(first.span, |last| last.span);
        match parse(tokens) {
            Err(error) => errors.push(syntax_error(file, &error, last)),
            Ok(statement) => match mapping(statement, first.span) {
                Ok(mapping) => found.push(mapping),
                Err((span, message)) => errors.push(file.error(span, message).help(SHAPE)),
            },
        }
    }
    found
}

fn parse(tokens: &[TokenWithSpan]) -> Result<Statement, ParserError> {
    let mut parser = Parser::new(&MappingDialect).with_tokens_with_locations(tokens.to_vec());
    let statement = parser.parse_statement()?;
    match parser.peek_token().token {
        Token::EOF => Ok(statement),
        _ => parser.expected("end of statement or `;`", parser.peek_token()),
    }
}

/// The parser names the place within its message only: `... at Line: 3, Column: 7`.
fn syntax_error(file: &SourceFile, error: &ParserError, last: Span) -> Diagnostic {
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.as_str(),
        ParserError::RecursionLimitExceeded => "the expression is nested too deeply",
    };
    let placed = text.rsplit_once(" at Line: ").and_then(|(message, place)| {
        let (line, column) = place.split_once(", Column: ")?;
        Some((message, Location::new(line.parse().ok()?, column.trim_end().parse().ok()?)))
    });
    match placed {
        Some((message, location)) => file.error(Span::new(location, location), message).help(SHAPE),
        None => {
            // At the end there is no token to point at, so we point behind the last one.
            file.error(Span::new(last.end, last.end), text).help(SHAPE)
        }
    }
}

type Refused = (Span, &'static str);

fn mapping(statement: Statement, first: Span) -> Result<MappingStatement, Refused> {
    let canonical = statement.to_string();
    let Statement::Insert(insert) = statement else {
        return Err((first, "this statement is no mapping"));
    };
    let Insert { table: TableObject::TableName(event), columns, source: Some(query), .. } = insert else {
        return Err((first, "this INSERT has no SELECT"));
    };
    let event_span = event.span();
    let event = last_identifier(&event, 1).ok_or((event_span, "an event has a single name"))?;
    let select = plain_select(*query, first)?;
    let fields = named_fields(select.projection, &columns)?;
    let mut from = select.from.into_iter();
    let Some(driving) = from.next() else {
        return Err((first, "this SELECT has no FROM"));
    };
    if let Some(second) = from.next() {
        return Err((second.span(), "a second table is joined with LEFT JOIN or JOIN, not with a comma"));
    }
    let joins = driving.joins.into_iter().map(join).collect::<Result<_, _>>()?;
    Ok(MappingStatement {
        event,
        fields,
        from: table_reference(driving.relation)?,
        joins,
        condition: select.selection,
        canonical,
    })
}

fn plain_select(query: Query, first: Span) -> Result<Select, Refused> {
    if let Some(with) = &query.with {
        return Err((with.span(), "WITH is not possible in a mapping"));
    }
    if let Some(order) = &query.order_by {
        return Err((order.span(), "ORDER BY is not needed: events are always in order of occurred_at and key"));
    }
    if query.limit_clause.is_some() || query.fetch.is_some() || !query.locks.is_empty() {
        return Err((first, "LIMIT, FETCH and FOR are not possible in a mapping"));
    }
    let SetExpr::Select(select) = *query.body else {
        return Err((query.body.span(), "UNION and VALUES are not possible; write one mapping for each part"));
    };
    let grouped = match &select.group_by {
        GroupByExpr::All(_) => true,
        GroupByExpr::Expressions(expressions, modifiers) => !expressions.is_empty() || !modifiers.is_empty(),
    };
    if grouped || select.having.is_some() || select.qualify.is_some() || !select.named_window.is_empty() {
        return Err((select.select_token.0.span, "a mapping goes row by row: GROUP BY and windows are not possible"));
    }
    if select.distinct.is_some() || select.top.is_some() || select.into.is_some() {
        return Err((select.select_token.0.span, "DISTINCT, TOP and INTO are not possible in a mapping"));
    }
    Ok(*select)
}

/// Names come from aliases, from the column list of the INSERT, or from the column itself.
fn named_fields(items: Vec<SelectItem>, columns: &[ObjectName]) -> Result<Vec<(Ident, Expr)>, Refused> {
    if let Some(extra) = columns.get(items.len()) {
        return Err((extra.span(), "this column has no expression in the SELECT"));
    }
    let mut fields = Vec::with_capacity(items.len());
    for (place, item) in items.into_iter().enumerate() {
        let listed = columns.get(place).and_then(|name| last_identifier(name, 1));
        let (name, expression) = match item {
            SelectItem::ExprWithAlias { expr, alias } => (Some(alias), expr),
            SelectItem::UnnamedExpr(Expr::Identifier(name)) => (Some(name.clone()), Expr::Identifier(name)),
            SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => {
                (parts.last().cloned(), Expr::CompoundIdentifier(parts))
            }
            SelectItem::UnnamedExpr(expr) => (None, expr),
            other => return Err((other.span(), "`*` is not possible: name every field")),
        };
        let span = expression.span();
        let name = match columns.is_empty() {
            true => name.ok_or((span, "this expression has no name: write AS <field> behind it"))?,
            false => listed.ok_or((span, "this expression has no column in the INSERT's list"))?,
        };
        fields.push((name, expression));
    }
    Ok(fields)
}

fn join(join: sqlparser::ast::Join) -> Result<JoinReference, Refused> {
    let span = join.relation.span();
    let (constraint, keeps_all) = match join.join_operator {
        JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => (constraint, true),
        JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => (constraint, false),
        _ => return Err((span, "only LEFT JOIN and INNER JOIN are possible")),
    };
    let JoinConstraint::On(on) = constraint else {
        return Err((span, "a join needs ON <key of this table> = <expression>"));
    };
    Ok(JoinReference { table: table_reference(join.relation)?, keeps_all, on })
}

fn table_reference(factor: TableFactor) -> Result<TableReference, Refused> {
    let span = factor.span();
    let TableFactor::Table { name, alias, args: None, .. } = factor else {
        return Err((span, "only tables can be read; subqueries are not possible"));
    };
    let span = name.span();
    let parts: Vec<Ident> = name.0.iter().filter_map(|part| part.as_ident().cloned()).collect();
    let alias = alias.map(|alias| alias.name);
    match <[Ident; 2]>::try_from(parts) {
        Ok([schema, table]) => Ok(TableReference { schema: Some(schema), table, alias, span }),
        Err(parts) => match <[Ident; 1]>::try_from(parts) {
            Ok([table]) => Ok(TableReference { schema: None, table, alias, span }),
            Err(_) => Err((span, "a table has the form <schema>.<table>")),
        },
    }
}

fn last_identifier(name: &ObjectName, parts: usize) -> Option<Ident> {
    match name.0.len() == parts {
        true => name.0.last()?.as_ident().cloned(),
        false => None,
    }
}
