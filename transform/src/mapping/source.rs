//! A file of mappings as it was read, and the way from the parser's places to diagnostics.

use std::ops::Range;
use std::path::PathBuf;

use etl_schemas::diagnostic::Diagnostic;
use sqlparser::tokenizer::{Location, Span};

/// A file with mappings.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// Its path, relative to the project's folder.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// Byte at which each line begins.
    line_starts: Vec<usize>,
}

impl SourceFile {
    pub(crate) fn new(path: PathBuf, text: String) -> SourceFile {
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let line_starts = [0].into_iter().chain(newlines.map(|(at, _)| at + 1)).collect();
        SourceFile { path, text, line_starts }
    }

    /// An error at a place that the parser names.
    pub(crate) fn error(&self, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::at(&self.path, &self.text, self.bytes(span), message)
    }

    /// The bytes of a span, whose lines and columns count from 1 and in characters.
    pub(crate) fn bytes(&self, span: Span) -> Range<usize> {
        let start = self.byte(span.start);
        start..self.byte(span.end).max(start)
    }

    fn byte(&self, location: Location) -> usize {
        let line = usize::try_from(location.line).unwrap_or(usize::MAX);
        let Some(start) = line.checked_sub(1).and_then(|line| self.line_starts.get(line)) else {
            return self.text.len();
        };
        let column = usize::try_from(location.column).unwrap_or(usize::MAX).saturating_sub(1);
        self.text[*start..].char_indices().nth(column).map_or(self.text.len(), |(at, _)| start + at)
    }
}
