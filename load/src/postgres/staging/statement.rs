//! The statements of a script, parted as the server does.

use std::ops::Range;

/// A text in SQL that has no line breaks, whatever the server's settings of quotes.
pub(super) fn on_one_line(text: &str) -> String {
    let text = text.replace('\\', r"\\").replace('\'', "''").replace('\n', r"\n").replace('\r', r"\r");
    format!("E'{text}'")
}

/// The statements of a script, as bytes of it: each from its first word to its semicolon or the script's end. What lies
/// between them is left out, as are statements of nothing.
pub(super) fn statements(script: &str) -> Vec<Range<usize>> {
    let bytes = script.as_bytes();
    let (mut found, mut open) = (Vec::new(), None::<Open>);
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        at = behind_token(script, start);
        match &bytes[start..at] {
            [byte, ..] if byte.is_ascii_whitespace() => {}
            [b'-', b'-', ..] | [b'/', b'*', ..] => {}
            b";" if open.as_ref().is_none_or(Open::may_end) => found.extend(open.take().map(|open| open.start..start)),
            _ => open.get_or_insert_with(|| Open::at(start)).take(&script[start..at]),
        }
    }
    found.extend(open.map(|open| open.start..bytes.len()));
    found
}

/// A statement whose end hasn't come yet. It may hold others: in brackets, as a rule does, or in a function's body
/// (`BEGIN ATOMIC ...; END`).
struct Open {
    start: usize,
    brackets: usize,
    /// BEGIN and CASE, each with an END to come.
    blocks: usize,
    /// Its first words, as many as tell whether it makes a function.
    words: Vec<String>,
}

impl Open {
    fn at(start: usize) -> Open {
        Open { start, brackets: 0, blocks: 0, words: Vec::new() }
    }

    fn may_end(&self) -> bool {
        self.brackets == 0 && self.blocks == 0
    }

    fn take(&mut self, token: &str) {
        match token {
            "(" => self.brackets += 1,
            ")" => self.brackets = self.brackets.saturating_sub(1),
            word if word.as_bytes().first().is_some_and(begins_word) => self.take_word(&word.to_ascii_lowercase()),
            _ => {}
        }
    }

    fn take_word(&mut self, word: &str) {
        if self.words.len() < 4 {
            self.words.push(word.to_string());
        }
        match word {
            "begin" if self.makes_routine() && self.brackets == 0 => self.blocks += 1,
            "case" if self.blocks > 0 => self.blocks += 1,
            "end" => self.blocks = self.blocks.saturating_sub(1),
            _ => {}
        }
    }

    fn makes_routine(&self) -> bool {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let (["create", "or", "replace", kind] | ["create", kind, ..]) = words[..] else { return false };
        matches!(kind, "function" | "procedure")
    }
}

/// Behind the token, comment or white space that begins at `at`.
fn behind_token(script: &str, at: usize) -> usize {
    let bytes = script.as_bytes();
    match bytes[at] {
        b'-' if bytes[at..].starts_with(b"--") => behind(script, at, "\n"),
        b'/' if bytes[at..].starts_with(b"/*") => behind_comment(bytes, at),
        // A doubled quote ends one text and begins another at once, which comes to the same.
        b'\'' => behind(script, at + 1, "'"),
        b'"' => behind(script, at + 1, "\""),
        b'$' => behind_dollar_quotes(script, at),
        byte if begins_word(&byte) => {
            let end = at + length_of(&bytes[at..], is_within_word);
            match (&bytes[at..end], bytes.get(end)) {
                (b"e" | b"E", Some(b'\'')) => behind_escaped(bytes, end + 1),
                _ => end,
            }
        }
        _ => at + 1,
    }
}

fn begins_word(byte: &u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'_' | 0x80..)
}

fn is_within_word(byte: &u8) -> bool {
    begins_word(byte) || byte.is_ascii_digit() || *byte == b'$'
}

fn length_of(bytes: &[u8], belongs: impl Fn(&u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| belongs(byte)).count()
}

/// Behind the text that lies around `at`, in which a backslash takes away the meaning of what follows it. It goes on
/// behind a doubled quote, and on another line.
fn behind_escaped(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'\'' => {
                at += 1;
                let space = length_of(&bytes[at..], u8::is_ascii_whitespace);
                let goes_on = space == 0 || bytes[at..at + space].contains(&b'\n');
                match bytes.get(at + space) {
                    Some(b'\'') if goes_on => at += space + 1,
                    _ => return at,
                }
            }
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Behind the next `end` from `at`, or at the script's end.
fn behind(script: &str, at: usize, end: &str) -> usize {
    script.as_bytes()[at..]
        .windows(end.len())
        .position(|window| window == end.as_bytes())
        .map_or(script.len(), |found| at + found + end.len())
}

/// Comments of this kind may hold others.
fn behind_comment(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0);
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => (at, depth) = (at + 2, depth + 1),
            [b'*', b'/', ..] => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

/// The quotes may have a name, which no digit begins: `$1` is a parameter.
fn behind_dollar_quotes(script: &str, at: usize) -> usize {
    let bytes = &script.as_bytes()[at + 1..];
    let name = match bytes.first().is_some_and(begins_word) {
        true => length_of(bytes, |byte| is_within_word(byte) && *byte != b'$'),
        false => 0,
    };
    match bytes.get(name) {
        Some(b'$') => behind(script, at + name + 2, &script[at..at + name + 2]),
        _ => at + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(script: &str) -> Vec<&str> {
        statements(script).into_iter().map(|range| &script[range]).collect()
    }

    #[test]
    fn statements_are_parted_as_the_server_does() {
        let script =
            "-- one; two\nSELECT ';', \";\" /* ; /* ; */ ; */;\n\n;SELECT $a$ ; $$ ; $a$,\n $1;\nSELECT 'å''';";
        let expected = ["SELECT ';', \";\" /* ; /* ; */ ; */", "SELECT $a$ ; $$ ; $a$,\n $1", "SELECT 'å'''"];
        assert_eq!(texts(script), expected);
        assert_eq!(texts("SELECT 'never ends; SELECT 1"), ["SELECT 'never ends; SELECT 1"]);
        assert!(texts("/* never ends; SELECT 1").is_empty());
        assert!(texts(" ;; ").is_empty());
    }

    #[test]
    fn words_are_whole() {
        assert_eq!(texts("SELECT a$b$; SELECT å$b$; SELECT 2"), ["SELECT a$b$", "SELECT å$b$", "SELECT 2"]);
        assert_eq!(texts("SELECT $1$; SELECT $1$"), ["SELECT $1$", "SELECT $1$"]);
        assert_eq!(texts("SELECT $å1$;$å1$, $$;$$; SELECT 1"), ["SELECT $å1$;$å1$, $$;$$", "SELECT 1"]);
    }

    #[test]
    fn statements_within_others_end_none() {
        let rule = "CREATE RULE r AS ON INSERT TO t DO (DELETE FROM a; DELETE FROM b)";
        assert_eq!(texts(&format!("{rule}; SELECT 1")), [rule, "SELECT 1"]);
        let cases = "BEGIN ATOMIC SELECT CASE WHEN x THEN 1 END; SELECT 2; END";
        for begins in ["create FUNCTION", "CREATE OR REPLACE PROCEDURE"] {
            let routine = format!("{begins} f(x boolean) {cases}");
            assert_eq!(texts(&format!("{routine}; SELECT 1")), [routine.as_str(), "SELECT 1"]);
        }
        assert_eq!(texts("SELECT 1 AS begin; SELECT 2; END"), ["SELECT 1 AS begin", "SELECT 2", "END"]);
        assert_eq!(texts("SELECT 1); SELECT 2"), ["SELECT 1)", "SELECT 2"]);
    }

    #[test]
    fn backslashes_count_in_escaped_texts_alone() {
        assert_eq!(texts(r"SELECT E'\';'; SELECT 1"), [r"SELECT E'\';'", "SELECT 1"]);
        assert_eq!(texts(r"SELECT '\'; SELECT 1"), [r"SELECT '\'", "SELECT 1"]);
        assert_eq!(texts(r"SELECT 'a' LIKE'\'; SELECT 1"), [r"SELECT 'a' LIKE'\'", "SELECT 1"]);
        assert_eq!(texts(r"SELECT e'\"), [r"SELECT e'\"]);
        assert_eq!(texts(r"SELECT E'a''\';'; SELECT 1"), [r"SELECT E'a''\';'", "SELECT 1"]);
        assert_eq!(texts("SELECT E'a' \n '\\';'; SELECT 1"), ["SELECT E'a' \n '\\';'", "SELECT 1"]);
        assert_eq!(texts("SELECT E'a', '\\'; SELECT 1"), ["SELECT E'a', '\\'", "SELECT 1"]);
    }
}
