//! What SQL speaks of, found by its words: no tree is built, so any statement of Postgres may stand there, and PL/pgSQL.
//!
//! In: a script. Out: its statements as words, and from these what they write, read and call. A text that isn't even
//! words (an open quote) has no statements; the server or `etl check` says what is wrong with it.

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer};

/// A statement: its tokens without blanks and comments.
#[derive(Debug, Default)]
pub(super) struct Statement(Vec<Token>);

/// The statements of a script. What stands in dollar quotes is one token of its statement.
pub(super) fn statements(text: &str) -> Vec<Statement> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize().unwrap_or_default();
    let mut statements = vec![Statement::default()];
    for token in tokens {
        match token {
            Token::Whitespace(_) => {}
            Token::SemiColon => statements.push(Statement::default()),
            token => statements.last_mut().expect("one is there from the beginning").0.push(token),
        }
    }
    statements.retain(|statement| !statement.0.is_empty());
    statements
}

impl Statement {
    /// Whether the statement begins with these words, and the place behind them. A word in brackets may be missing.
    pub(super) fn begins(&self, words: &[&str]) -> Option<usize> {
        let mut at = 0;
        for word in words {
            match word.strip_prefix('[').and_then(|word| word.strip_suffix(']')) {
                Some(optional) => at += usize::from(self.is(at, optional)),
                None if self.is(at, word) => at += 1,
                None => return None,
            }
        }
        Some(at)
    }

    /// The name at a place, as people write it: `table`, or `schema.table` outside `public`.
    pub(super) fn name(&self, at: usize) -> Option<String> {
        let word = |at: usize| match self.0.get(at)? {
            Token::Word(word) if word.quote_style.is_some() => Some(word.value.clone()),
            Token::Word(word) => Some(word.value.to_lowercase()),
            _ => None,
        };
        let first = word(at)?;
        match (self.0.get(at + 1), word(at + 2)) {
            (Some(Token::Period), Some(second)) if first == "public" => Some(second),
            (Some(Token::Period), Some(second)) => Some(format!("{first}.{second}")),
            _ => Some(first),
        }
    }

    /// The name as it is written, in the case of the file.
    pub(super) fn name_as_written(&self, at: usize) -> Option<String> {
        let word = |at: usize| match self.0.get(at)? {
            Token::Word(word) => Some(word.value.clone()),
            _ => None,
        };
        let first = word(at)?;
        match (self.0.get(at + 1), word(at + 2)) {
            (Some(Token::Period), Some(second)) => Some(format!("{first}.{second}")),
            _ => Some(first),
        }
    }

    /// The place behind the first of these words, from `from` on.
    pub(super) fn behind(&self, word: &str, from: usize) -> Option<usize> {
        (from..self.0.len()).find(|at| self.is(*at, word)).map(|at| at + 1)
    }

    /// Names of tables that are written to, among other words; the caller knows which are tables.
    pub(super) fn written(&self) -> Vec<String> {
        let places = (0..self.0.len()).filter_map(|at| {
            let two = |first: &str, second: &str| (self.is(at, first) && self.is(at + 1, second)).then_some(at + 2);
            let behind = two("INSERT", "INTO")
                .or_else(|| two("MERGE", "INTO"))
                .or_else(|| two("DELETE", "FROM"))
                .or_else(|| two("TRUNCATE", "TABLE"))
                .or_else(|| {
                    (self.is(at, "UPDATE") || self.is(at, "TRUNCATE") || self.is(at, "COPY")).then_some(at + 1)
                })?;
            Some(behind + usize::from(self.is(behind, "ONLY")))
        });
        places.filter_map(|at| self.name(at)).collect()
    }

    /// Places of names that are read from: behind FROM and JOIN, and behind the commas between.
    pub(super) fn read(&self) -> impl Iterator<Item = usize> + '_ {
        (1..self.0.len()).filter(|at| {
            let before = at - 1;
            self.is(before, "FROM")
                || self.is(before, "JOIN")
                || self.is(before, "ONLY")
                || self.0[before] == Token::Comma
        })
    }

    /// How many brackets are open before a place.
    pub(super) fn depth(&self, at: usize) -> usize {
        self.0[..at].iter().fold(0usize, |depth, token| match token {
            Token::LParen => depth + 1,
            Token::RParen => depth.saturating_sub(1),
            _ => depth,
        })
    }

    /// Names before an opening bracket: functions that are called, among other words.
    pub(super) fn called(&self) -> Vec<String> {
        let is_call = |at: &usize| {
            let length = if self.0.get(at + 1) == Some(&Token::Period) { 3 } else { 1 };
            self.0.get(at + length) == Some(&Token::LParen)
        };
        (0..self.0.len()).filter(is_call).filter_map(|at| self.name(at)).collect()
    }

    /// What stands in quotes as a function's body.
    pub(super) fn bodies(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|token| match token {
            Token::DollarQuotedString(quoted) => Some(quoted.value.as_str()),
            Token::SingleQuotedString(text) => Some(text.as_str()),
            _ => None,
        })
    }

    fn is(&self, at: usize, word: &str) -> bool {
        matches!(self.0.get(at), Some(Token::Word(found)) if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
    }
}

/// What a mapping file's statements read, each legacy table with the event type that its rows become.
pub(super) fn mapped(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for statement in statements(text) {
        let Some(event_type) = statement.begins(&["INSERT", "INTO"]).and_then(|at| statement.name_as_written(at))
        else {
            continue;
        };
        // Within brackets FROM belongs to a function: `extract(year FROM m.CreatedAt)`; commas stand between columns.
        let tables = statement.read().filter(|at| statement.0[at - 1] != Token::Comma && statement.depth(*at) == 0);
        found.extend(tables.filter_map(|at| Some((statement.name_as_written(at)?, event_type.clone()))));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_names_its_tables() {
        let sql = "-- FROM nowhere\nINSERT INTO A SELECT extract(year FROM m.At) AS y, 'x;y' AS z FROM dbo.M m\n\
                   LEFT JOIN dbo.City c ON c.Id = m.Id;\nINSERT INTO B SELECT 1 FROM dbo.M m";
        let pair = |table: &str, event: &str| (table.to_string(), event.to_string());
        assert_eq!(mapped(sql), [pair("dbo.M", "A"), pair("dbo.City", "A"), pair("dbo.M", "B")]);
        assert_eq!(mapped("INSERT INTO A SELECT 'open"), []);
    }

    #[test]
    fn writes_are_told_from_other_words() {
        let all = |sql: &str| statements(sql).iter().flat_map(Statement::written).collect::<Vec<_>>();
        let sql = "WITH gone AS (DELETE FROM ONLY a RETURNING *) INSERT INTO Public.b SELECT * FROM gone;
                   UPDATE other.\"C\" SET x = 1; SELECT 1 FROM d FOR SHARE";
        assert_eq!(all(sql), ["a", "b", "other.C"]);
    }
}
