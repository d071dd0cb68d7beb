//! The language held against a real Postgres: every expression of `tests/postgres/*.txt`, for every row below, through
//! our evaluator and through Postgres, whose answer is right. Where we differ on purpose, `docs/mapping.md` has a table,
//! and that table is run here too.

mod oracle;
mod rows;

use std::fmt::Write as _;

use oracle::Oracle;

/// What an expression gives for a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Null,
    Text(String),
    /// No value; why.
    Refused(String),
}

impl Answer {
    fn agrees(&self, other: &Answer) -> bool {
        matches!((self, other), (Answer::Refused(_), Answer::Refused(_))) || self == other
    }

    /// In the words of the table in `docs/mapping.md`.
    fn shown(&self) -> String {
        match self {
            Answer::Null => "NULL".to_string(),
            Answer::Text(text) => format!("`{text}`"),
            Answer::Refused(_) => "refused".to_string(),
        }
    }

    /// Whether it is a value of Postgres that no value of ours can be: a year before 1 or after 9999, or a number of more
    /// than 38 digits. Our ranges are SQL Server's, so no column holds such a value; a row that computes one is refused.
    fn is_past_our_range(&self) -> bool {
        let Answer::Text(text) = self else { return false };
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
        // `10000-01-01`, and no number like `-5`.
        let year = text.split('-').next().unwrap_or_default();
        let is_late = year.len() > 4 && year.len() < text.len() && year.bytes().all(|byte| byte.is_ascii_digit());
        text.ends_with(" BC") || is_late || (is_number && digits > 38)
    }
}

/// An expression in our words and in Postgres'; most are the same in both.
pub(crate) struct Case<'a> {
    ours: &'a str,
    theirs: &'a str,
}

fn cases(text: &str) -> Vec<Case<'_>> {
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with("# "));
    lines
        .map(|line| match line.split_once(" ==> ") {
            Some((ours, theirs)) => Case { ours, theirs },
            None => Case { ours: line, theirs: line },
        })
        .collect()
}

/// Runs every case over every row and shows all that differ.
fn check(text: &str) {
    let cases = cases(text);
    let expressions: Vec<&str> = cases.iter().map(|case| case.ours).collect();
    let ours = rows::evaluate(&expressions);
    let oracle = Oracle::start();
    let mut wrong = String::new();
    for (case, ours) in cases.iter().zip(ours) {
        for (row, ours) in (1..).zip(ours) {
            let theirs = oracle.ask(case.theirs, row);
            let is_refused_rightly = matches!(ours, Answer::Refused(_)) && theirs.is_past_our_range();
            if !ours.agrees(&theirs) && !is_refused_rightly {
                writeln!(wrong, "{} in row {row}: {ours:?}, Postgres: {theirs:?}", case.ours).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn logic_is_that_of_postgres() {
    check(include_str!("postgres/logic.txt"));
}

#[test]
fn numbers_are_those_of_postgres() {
    check(include_str!("postgres/numbers.txt"));
}

#[test]
fn casts_are_those_of_postgres() {
    check(include_str!("postgres/casts.txt"));
}

#[test]
fn text_is_that_of_postgres() {
    check(include_str!("postgres/text.txt"));
}

#[test]
fn times_are_those_of_postgres() {
    check(include_str!("postgres/time.txt"));
}

/// What can't be right in any row is an error of both.
#[test]
fn both_refuse_what_has_no_meaning() {
    let oracle = Oracle::start();
    let mut wrong = String::new();
    for case in cases(include_str!("postgres/refused.txt")) {
        if rows::compiles(case.ours) {
            writeln!(wrong, "{}: we take it", case.ours).unwrap();
        }
        if let answer @ (Answer::Null | Answer::Text(_)) = oracle.ask(case.theirs, 1) {
            writeln!(wrong, "{}: Postgres takes it: {answer:?}", case.theirs).unwrap();
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// The rows of the table under "Where we differ from Postgres": expression, ours, Postgres', why.
fn differences() -> Vec<[String; 4]> {
    let page = include_str!("../../docs/mapping.md");
    let section = page.split("## Where we differ from Postgres").nth(1).expect("the page has the section");
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<String> =
            row.trim_matches('|').split(" | ").map(|cell| cell.trim().replace("\\|", "|")).collect();
        cells.try_into().unwrap_or_else(|cells| panic!("a row of four cells: {cells:?}"))
    })
    .collect()
}

#[test]
fn the_differences_are_those_of_the_documentation() {
    let oracle = Oracle::start();
    let mut wrong = String::new();
    let differences = differences();
    assert!(differences.len() > 10, "the table is found");
    for [expression, ours, theirs, _] in differences {
        let expression = expression.trim_matches('`');
        let found = match rows::compiles(expression) {
            true => rows::evaluate(&[expression])[0][0].shown(),
            false => "refused".to_string(),
        };
        let theirs_found = oracle.ask(expression, 1).shown();
        if (found.as_str(), theirs_found.as_str()) != (ours.as_str(), theirs.as_str()) {
            writeln!(wrong, "{expression}: {found}, Postgres: {theirs_found}").unwrap();
        }
        assert_ne!(found, theirs_found, "{expression} doesn't differ");
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
