//! `regexp_like` and `regexp_replace`. Pattern, flags and replacement are constants, so that patterns are compiled
//! once, and a wrong one is an error of the mapping, not of a row.

use std::sync::Arc;

use sqlparser::ast;
use sqlparser::tokenizer::Span;

use super::compile::{Compiler, Reported};
use super::typed::Typed;
use crate::expression::{Expr, Pattern, PatternError, Replacement, Type};

impl Compiler<'_> {
    /// `regexp_like(text, pattern [, flags])`
    pub(super) fn regexp_like(&mut self, arguments: &[&ast::Expr], span: Span) -> Result<Typed, Reported> {
        self.count("regexp_like", arguments, 2..=3, span)?;
        let text = self.text(arguments[0]);
        let pattern = self.pattern(arguments[1], arguments.get(2).copied(), "");
        let (pattern, _) = pattern?;
        Ok(Typed::new(Expr::Matches(Arc::new(pattern), Box::new(text?.expr)), Type::Bool, span))
    }

    /// `regexp_replace(text, pattern, replacement [, flags])`
    pub(super) fn regexp_replace(&mut self, arguments: &[&ast::Expr], span: Span) -> Result<Typed, Reported> {
        self.count("regexp_replace", arguments, 3..=4, span)?;
        let text = self.text(arguments[0]);
        let pattern = self.pattern(arguments[1], arguments.get(3).copied(), "g");
        let (replacement, at) = self.constant_text(arguments[2], "replacement")?;
        let (pattern, flags) = pattern?;
        let replacement = Replacement::new(pattern, &replacement, flags.contains('g'));
        let replacement = self.checked(replacement, at)?;
        Ok(Typed::new(Expr::ReplaceMatches(Arc::new(replacement), Box::new(text?.expr)), Type::Text, span))
    }

    /// A pattern and its flags, of which `own` are the function's and none of the pattern's.
    fn pattern(
        &mut self,
        pattern: &ast::Expr,
        flags: Option<&ast::Expr>,
        own: &str,
    ) -> Result<(Pattern, String), Reported> {
        let pattern = self.constant_text(pattern, "pattern");
        let (flags, flags_at) = match flags {
            Some(flags) => self.constant_text(flags, "flags")?,
            None => (String::new(), Span::empty()),
        };
        let (pattern, at) = pattern?;
        let of_pattern: String = flags.chars().filter(|flag| !own.contains(*flag)).collect();
        // An empty pattern can't be wrong, so what is wrong with it are the flags.
        self.checked(Pattern::new("", &of_pattern), flags_at)?;
        Ok((self.checked(Pattern::new(&pattern, &of_pattern), at)?, flags))
    }

    fn constant_text(&mut self, ast: &ast::Expr, what: &str) -> Result<(String, Span), Reported> {
        let typed = self.text(ast)?;
        match typed.literal_text() {
            Some(text) => Ok((text.to_string(), typed.span)),
            None => {
                let help = "a pattern is compiled once, so write text in quotes";
                self.fail(typed.span, format!("the {what} of a regular expression must be a constant"), help)
            }
        }
    }

    fn checked<T>(&mut self, built: Result<T, PatternError>, at: Span) -> Result<T, Reported> {
        built.or_else(|reason| {
            let help = "see Regular expressions in docs/mapping.md";
            self.fail(at, format!("this regular expression can't be used: {reason}"), help)
        })
    }
}
