//! Errors in what a person wrote (project file, mappings, module specifications), shown with the line they stand on.
//!
//! In: a file's text and a byte range of it. Out: file, line, column, the offending text underlined, and what would be
//! right. A diagnostic never shows text outside the line it points at, so a secret elsewhere in the file stays there.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// One error with its place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file as the user named it.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Number of characters to underline, at least 1.
    pub width: usize,
    /// The whole line, without its end.
    pub text: String,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
}

impl Diagnostic {
    /// Points at `span`, a byte range of `source`; a span beyond the end points at the last character.
    pub fn at(file: &Path, source: &str, span: Range<usize>, message: impl Into<String>) -> Diagnostic {
        let start = floor_boundary(source, span.start);
        let line_start = source[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = source[start..].find('\n').map_or(source.len(), |length| start + length);
        let end = floor_boundary(source, span.end).clamp(start, line_end);
        Diagnostic {
            file: file.to_path_buf(),
            line: source[..line_start].matches('\n').count() + 1,
            column: source[line_start..start].chars().count() + 1,
            width: source[start..end].chars().count().max(1),
            text: source[line_start..line_end].trim_end_matches('\r').to_string(),
            message: message.into(),
            help: None,
        }
    }

    /// Adds what would be right.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}:{}:{}: {}", self.file.display(), self.line, self.column, self.message)?;
        let margin = " ".repeat(self.line.to_string().len());
        writeln!(f, "{margin} |")?;
        writeln!(f, "{} | {}", self.line, self.text)?;
        // Tabs are kept, so that the underline stands under the text whatever a terminal makes of them.
        let indent: String =
            self.text.chars().take(self.column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        write!(f, "{margin} | {indent}{}", "^".repeat(self.width))?;
        match &self.help {
            Some(help) => write!(f, "\n{margin} = {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Diagnostic {}

/// The candidate that a person most likely meant by `name`, if one is near enough to be worth naming.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count().max(lower.chars().count()) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A sentence that offers the nearest candidate, or lists them all where none is near.
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(name, candidates.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let known: Vec<&str> = candidates.into_iter().collect();
            match known.is_empty() {
                true => "there is nothing to choose from here".to_string(),
                false => format!("known here: {}", known.join(", ")),
            }
        }
    }
}

fn floor_boundary(source: &str, at: usize) -> usize {
    let mut at = at.min(source.len());
    while !source.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn the_offending_text_is_underlined() {
        let source = "SELECT m.Id,\n       m.Bödy AS body\nFROM x";
        let at = source.find("m.B").unwrap();
        let shown = Diagnostic::at(Path::new("mappings/chat.sql"), source, at..at + 7, "no such column")
            .help(did_you_mean("Bödy", ["Id", "Body"]));
        expect![[r#"
            mappings/chat.sql:2:8: no such column
              |
            2 |        m.Bödy AS body
              |        ^^^^^^
              = did you mean `Body`?"#]]
        .assert_eq(&shown.to_string());
    }

    #[test]
    fn a_span_past_the_end_points_at_the_last_line() {
        let shown = Diagnostic::at(Path::new("a"), "x\ny", 99..120, "cut short");
        assert_eq!((shown.line, shown.column, shown.width), (2, 2, 1));
    }

    #[test]
    fn names_too_far_off_are_not_offered() {
        assert_eq!(nearest("message_sent", ["MessageSent", "body"]), Some("MessageSent"));
        assert_eq!(nearest("zzz", ["MessageSent", "body"]), None);
    }
}
