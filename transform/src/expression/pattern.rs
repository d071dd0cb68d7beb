//! Regular expressions, compiled once with the mapping.
//!
//! The engine is that of the `regex` crate: it takes time linear in the text, so that no row can hang a run, and in turn
//! knows no back references and no look-around. The engine is called directly because it takes the places of groups
//! into an array of the caller's, where `regex` itself would allocate for every row.

use bumpalo::Bump;
use bumpalo::collections::String as ArenaString;
use regex_automata::meta::{Config, Regex};
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::util::syntax;
use regex_automata::{Input, meta};
use thiserror::Error;

/// Why a regular expression can't be used: a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct PatternError(String);

/// A compiled pattern may take this much memory.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// A regular expression.
#[derive(Debug)]
pub struct Pattern {
    /// The pattern and its flags.
    text: (Box<str>, Box<str>),
    regex: Regex,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.text == other.text
    }
}

impl Pattern {
    /// Compiles a pattern with Postgres' flags: `i` without regard to case, `c` with it, `n` or `m` line by line, `s`
    /// across lines (the default), `p` and `w` halves of `n`, `x` with blanks and comments.
    pub fn new(pattern: &str, flags: &str) -> Result<Pattern, PatternError> {
        let mut syntax = syntax::Config::new().dot_matches_new_line(true);
        for flag in flags.chars() {
            syntax = match flag {
                'i' => syntax.case_insensitive(true),
                'c' => syntax.case_insensitive(false),
                'n' | 'm' => syntax.multi_line(true).dot_matches_new_line(false),
                's' => syntax.multi_line(false).dot_matches_new_line(true),
                'p' => syntax.multi_line(false).dot_matches_new_line(false),
                'w' => syntax.multi_line(true).dot_matches_new_line(true),
                'x' => syntax.ignore_whitespace(true),
                other => {
                    return Err(PatternError(format!("there is no flag `{other}`; i, c, n, m, s, p, w and x are")));
                }
            };
        }
        let config = Config::new().nfa_size_limit(Some(PATTERN_BYTES_MAX));
        let built = Regex::builder().syntax(syntax).configure(config).build(pattern);
        built
            .map(|regex| Pattern { text: (pattern.into(), flags.into()), regex })
            .map_err(|error| PatternError(reason(&error)))
    }

    /// Whether it matches anywhere in the text.
    pub(super) fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// Groups in parentheses.
    fn groups(&self) -> usize {
        self.regex.captures_len() - 1
    }
}

/// The parser draws the pattern and ends with `error: <reason>`.
fn reason(error: &meta::BuildError) -> String {
    match error.syntax_error() {
        Some(syntax) => {
            let shown = syntax.to_string();
            shown.rsplit("error: ").next().unwrap_or(&shown).trim().to_string()
        }
        None => format!("it needs more than {PATTERN_BYTES_MAX} bytes when it is compiled"),
    }
}

/// A piece of the text that takes a match's place.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(Box<str>),
    /// A group's text; 0 is the whole match.
    Group(usize),
}

/// A pattern and what takes the place of its matches.
#[derive(Debug, PartialEq)]
pub struct Replacement {
    pattern: Pattern,
    pieces: Vec<Piece>,
    /// All matches, not the first one only.
    is_global: bool,
}

/// Groups are named by one digit, and group 0 is the match.
const GROUPS_MAX: usize = 10;

impl Replacement {
    /// From a replacement in Postgres' form: `\1` to `\9` are groups, `\&` is the match, `\\` is a backslash.
    pub fn new(pattern: Pattern, replacement: &str, is_global: bool) -> Result<Replacement, PatternError> {
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut rest = replacement.chars().peekable();
        while let Some(c) = rest.next() {
            let group = match (c, rest.peek()) {
                ('\\', Some('&')) => 0,
                ('\\', Some(digit @ '1'..='9')) => *digit as usize - '0' as usize,
                ('\\', Some('\\')) => {
                    rest.next();
                    text.push('\\');
                    continue;
                }
                _ => {
                    text.push(c);
                    continue;
                }
            };
            rest.next();
            if group > pattern.groups() {
                let known = pattern.groups();
                return Err(PatternError(format!(
                    "`\\{group}` names no group; the pattern has {known} in parentheses"
                )));
            }
            if !text.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut text).into()));
            }
            pieces.push(Piece::Group(group));
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text.into()));
        }
        Ok(Replacement { pattern, pieces, is_global })
    }

    /// The text with its matches replaced; itself when there is none.
    pub(super) fn apply<'a>(&self, text: &'a str, arena: &'a Bump) -> &'a str {
        let mut slots = [None; GROUPS_MAX * 2];
        let slots = &mut slots[..(self.pattern.groups() + 1).min(GROUPS_MAX) * 2];
        let mut input = Input::new(text);
        let mut out: Option<ArenaString<'a>> = None;
        let mut copied = 0;
        while input.start() <= text.len() && self.pattern.regex.search_slots(&input, slots).is_some() {
            let Some(found) = group(slots, 0) else { break };
            let out = out.get_or_insert_with(|| ArenaString::with_capacity_in(text.len(), arena));
            out.push_str(&text[copied..found.start]);
            for piece in &self.pieces {
                match piece {
                    Piece::Text(text) => out.push_str(text),
                    // A group that took no part in the match is empty.
                    Piece::Group(number) => out.push_str(group(slots, *number).map_or("", |range| &text[range])),
                }
            }
            copied = found.end;
            if !self.is_global {
                break;
            }
            input.set_start(if found.is_empty() { next_character(text, found.end) } else { found.end });
        }
        match out {
            None => text,
            Some(mut out) => {
                out.push_str(&text[copied..]);
                out.into_bump_str()
            }
        }
    }
}

fn group(slots: &[Option<NonMaxUsize>], number: usize) -> Option<std::ops::Range<usize>> {
    Some(slots[number * 2]?.get()..slots[number * 2 + 1]?.get())
}

/// The place behind the character at `at`, past the end when there is none.
fn next_character(text: &str, at: usize) -> usize {
    at + text[at..].chars().next().map_or(1, char::len_utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(text: &str, pattern: &str, replacement: &str, is_global: bool) -> String {
        let arena = Bump::new();
        let pattern = Pattern::new(pattern, "").unwrap();
        Replacement::new(pattern, replacement, is_global).unwrap().apply(text, &arena).to_string()
    }

    #[test]
    fn matches_are_replaced_by_text_and_groups() {
        assert_eq!(replaced("a1b22", "[0-9]+", "#", false), "a#b22");
        assert_eq!(replaced("a1b22", "[0-9]+", "#", true), "a#b#");
        assert_eq!(replaced("åäö", "(.)(.)", r"\2\1", false), "äåö");
        assert_eq!(replaced("ab", "(a)|(b)", r"[\1\2\&\\]", true), r"[aa\][bb\]");
        assert_eq!(replaced("åb", "x*", "-", true), "-å-b-");
        assert_eq!(replaced("aab", "a*", "-", true), "--b-");
        assert_eq!(replaced("abc", "x", "-", true), "abc");
    }

    #[test]
    fn what_can_not_be_compiled_says_why() {
        let reason = |pattern: &str, flags: &str| Pattern::new(pattern, flags).unwrap_err().to_string();
        assert_eq!(reason("(a", ""), "unclosed group");
        assert_eq!(reason(r"(a)\1", ""), "backreferences are not supported");
        assert_eq!(reason("a", "q"), "there is no flag `q`; i, c, n, m, s, p, w and x are");
        assert_eq!(reason("(a{1000}){1000}", ""), "it needs more than 1048576 bytes when it is compiled");
        let pattern = Pattern::new("(a)", "").unwrap();
        let message = Replacement::new(pattern, r"\2", true).unwrap_err().to_string();
        assert_eq!(message, "`\\2` names no group; the pattern has 1 in parentheses");
    }

    /// A backtracking engine would take longer than the world is old.
    #[test]
    fn hostile_text_takes_linear_time() {
        let pattern = Pattern::new("^(a+)+$", "").unwrap();
        assert!(!pattern.is_match(&format!("{}b", "a".repeat(100_000))));
    }
}
