//! Where the statements of a script begin, so that an error says a line where the server only counts statements.

/// The line, from 1, of the statement with this number, from 1. `None` where the script has fewer.
pub(super) fn line_of(script: &str, number: usize) -> Option<usize> {
    let bytes = script.as_bytes();
    let (mut at, mut begun) = (0, 0);
    let mut within = false;
    while at < bytes.len() {
        let next = match bytes[at] {
            byte if byte.is_ascii_whitespace() => at + 1,
            b'-' if bytes[at..].starts_with(b"--") => behind(script, at, "\n"),
            b'/' if bytes[at..].starts_with(b"/*") => behind_comment(bytes, at),
            b';' => {
                within = false;
                at + 1
            }
            byte => {
                if !within {
                    within = true;
                    begun += 1;
                    if begun == number {
                        return Some(1 + script[..at].matches('\n').count());
                    }
                }
                match byte {
                    // A doubled quote ends one text and begins another at once, which comes to the same.
                    b'\'' => behind(script, at + 1, "'"),
                    b'"' => behind(script, at + 1, "\""),
                    b'$' => behind_dollar_quotes(script, at),
                    _ => at + 1,
                }
            }
        };
        at = next;
    }
    None
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

    #[test]
    fn statements_are_counted_as_the_server_does() {
        let script =
            "-- one; two\nSELECT ';', \";\" /* ; /* ; */ ; */;\n\n;SELECT $a$ ; $$ ; $a$,\n $1;\nSELECT 'å''';";
        assert_eq!([1, 2, 3, 4].map(|number| line_of(script, number)), [Some(2), Some(4), Some(6), None]);
        assert_eq!(line_of("SELECT 'never ends; SELECT 1", 2), None);
        assert_eq!(line_of("/* never ends; SELECT 1", 1), None);
    }
}
