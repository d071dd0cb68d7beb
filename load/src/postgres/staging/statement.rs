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
    let mut found = Vec::new();
    let (mut at, mut begun) = (0, None);
    while at < bytes.len() {
        at = match bytes[at] {
            byte if byte.is_ascii_whitespace() => at + 1,
            b'-' if bytes[at..].starts_with(b"--") => behind(script, at, "\n"),
            b'/' if bytes[at..].starts_with(b"/*") => behind_comment(bytes, at),
            b';' => {
                found.extend(begun.take().map(|start| start..at));
                at + 1
            }
            byte => {
                begun.get_or_insert(at);
                match byte {
                    b'\'' if is_escaped(bytes, at) => behind_escaped(bytes, at + 1),
                    // A doubled quote ends one text and begins another at once, which comes to the same.
                    b'\'' => behind(script, at + 1, "'"),
                    b'"' => behind(script, at + 1, "\""),
                    b'$' => behind_dollar_quotes(script, at),
                    _ => at + 1,
                }
            }
        };
    }
    found.extend(begun.map(|start| start..bytes.len()));
    found
}

/// Whether the quote opens a text with backslashes, `E'...'`.
fn is_escaped(bytes: &[u8], quote: usize) -> bool {
    let is_word = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..);
    let word = bytes[..quote].iter().rev().take_while(is_word).count();
    word == 1 && bytes[quote - 1].eq_ignore_ascii_case(&b'e')
}

/// Behind the text that lies around `at`, in which a backslash takes away the meaning of what follows it.
fn behind_escaped(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'\'' => return at + 1,
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

fn behind_dollar_quotes(script: &str, at: usize) -> usize {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let name = script[at + 1..].find(|c: char| !is_name(c)).unwrap_or(script.len() - at - 1);
    match script[at + 1 + name..].starts_with('$') {
        true => behind(script, at + name + 2, &script[at..at + name + 2]),
        false => at + 1,
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
    fn backslashes_count_in_escaped_texts_alone() {
        assert_eq!(texts(r"SELECT E'\';'; SELECT 1"), [r"SELECT E'\';'", "SELECT 1"]);
        assert_eq!(texts(r"SELECT '\'; SELECT 1"), [r"SELECT '\'", "SELECT 1"]);
        assert_eq!(texts(r"SELECT 'a' LIKE'\'; SELECT 1"), [r"SELECT 'a' LIKE'\'", "SELECT 1"]);
        assert_eq!(texts(r"SELECT e'\"), [r"SELECT e'\"]);
    }
}
