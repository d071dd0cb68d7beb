//! LIKE and ILIKE.

use super::Expr;

/// A text and the pattern that it is held against.
#[derive(Clone, Debug, PartialEq)]
pub struct Like {
    /// The text.
    pub text: Expr,
    /// The pattern: `%` stands for any run of characters, `_` for any one.
    pub pattern: Expr,
    /// What takes the next character's meaning; `\` by default, as in Postgres.
    pub escape: Option<char>,
    /// ILIKE: without regard to case.
    pub ignores_case: bool,
}

/// What a pattern wants next.
enum Wanted {
    Run,
    One,
    Just(char),
}

impl Like {
    /// Whether the whole text matches. A pattern that ends in its escape character never does.
    pub(super) fn matches(&self, text: &str, pattern: &str) -> bool {
        let (mut text, mut pattern) = (text, pattern);
        // Where to go on when what follows the last `%` doesn't match: the pattern behind it, one character later.
        let mut retry: Option<(&str, &str)> = None;
        loop {
            let step = self.next(pattern);
            match (step, text.chars().next()) {
                (Some((Wanted::Run, rest)), _) => {
                    pattern = rest;
                    retry = Some((text, rest));
                    continue;
                }
                (None, None) => return true,
                (Some((Wanted::One, rest)), Some(found)) => {
                    (text, pattern) = (&text[found.len_utf8()..], rest);
                    continue;
                }
                (Some((Wanted::Just(wanted), rest)), Some(found)) if self.equal(wanted, found) => {
                    (text, pattern) = (&text[found.len_utf8()..], rest);
                    continue;
                }
                _ => {}
            }
            let Some((from, behind)) = retry else { return false };
            let Some(skipped) = from.chars().next() else { return false };
            text = &from[skipped.len_utf8()..];
            pattern = behind;
            retry = Some((text, behind));
        }
    }

    fn next<'p>(&self, pattern: &'p str) -> Option<(Wanted, &'p str)> {
        let mut chars = pattern.chars();
        let wanted = match chars.next()? {
            first if Some(first) == self.escape => Wanted::Just(chars.next().unwrap_or(first)),
            '%' => Wanted::Run,
            '_' => Wanted::One,
            other => Wanted::Just(other),
        };
        Some((wanted, chars.as_str()))
    }

    fn equal(&self, left: char, right: char) -> bool {
        left == right || self.ignores_case && left.to_lowercase().eq(right.to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn like(text: &str, pattern: &str, ignores_case: bool) -> bool {
        let like = Like { text: Expr::null(), pattern: Expr::null(), escape: Some('\\'), ignores_case };
        like.matches(text, pattern)
    }

    #[test]
    fn patterns_match_as_in_postgres() {
        for (text, pattern) in [
            ("", ""),
            ("", "%"),
            ("abc", "a%"),
            ("abc", "%c"),
            ("abc", "_b_"),
            ("aXbXc", "a%b%c"),
            ("ååå", "_å_"),
            ("aab", "%ab"),
            ("mississippi", "%iss%ip%i"),
            ("50%", "50\\%"),
        ] {
            assert!(like(text, pattern, false), "{text} LIKE {pattern}");
        }
        for (text, pattern) in [("", "_"), ("abc", "b%"), ("abc", "ab"), ("50x", "50\\%"), ("ABC", "abc"), ("a", "a_")]
        {
            assert!(!like(text, pattern, false), "{text} NOT LIKE {pattern}");
        }
        assert!(like("ÅSA", "åS%", true));
    }
}
