//! A setting that may name environment variables as `${VAR}` and files as `${file:/run/secrets/name}`.

use std::fmt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde_spanned::Spanned;

use crate::diagnostic::Diagnostic;

/// A setting as written, resolved when it is used. Its `Debug` shows the text as written, so never a variable's value.
#[derive(Clone)]
pub struct Setting {
    written: String,
    /// Where it stands, for the message when a variable is missing.
    file: PathBuf,
    line: String,
    place: (usize, usize, usize),
}

impl Setting {
    /// From a value of `text`; refuses a `${` that is never closed.
    pub(super) fn new(path: &Path, text: &str, value: &Spanned<String>) -> Result<Setting, Box<Diagnostic>> {
        let at = Diagnostic::at(path, text, value.span(), "");
        let setting = Setting {
            written: value.get_ref().clone(),
            file: at.file,
            line: at.text,
            place: (at.line, at.column, at.width),
        };
        setting.expand(|_| Ok(String::new())).map(|_| setting)
    }

    /// As [`new`](Self::new), but refuses a secret that is written out: project files are committed and copied.
    pub(super) fn secret(
        path: &Path,
        text: &str,
        name: &str,
        value: &Spanned<String>,
    ) -> Result<Setting, Box<Diagnostic>> {
        let setting = Setting::new(path, text, value)?;
        match setting.written.is_empty() || setting.written.contains("${") {
            true => Ok(setting),
            false => {
                let mut at = Diagnostic::at(path, text, value.span(), format!("`{name}` stands here in the clear"));
                // The line would show it.
                (at.text, at.width) = (format!("{name} = ..."), 0);
                let help =
                    format!("write `{name} = \"${{NAME}}\"` for an environment variable, or `\"${{file:PATH}}\"`");
                Err(Box::new(at.help(help)))
            }
        }
    }

    /// The text with every `${VAR}` replaced by the environment's value, and every `${file:PATH}` by the file's first line.
    pub fn resolve(&self) -> Result<SecretString, Box<Diagnostic>> {
        self.expand(value_of).map(SecretString::from)
    }

    fn expand(&self, value_of: impl Fn(&str) -> Result<String, (String, String)>) -> Result<String, Box<Diagnostic>> {
        let mut expanded = String::new();
        let mut rest = self.written.as_str();
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, behind)) = after.split_once('}') else {
                return Err(self.diagnostic("`${` is never closed", "write ${NAME}"));
            };
            expanded.push_str(before);
            expanded.push_str(&value_of(name).map_err(|(message, help)| self.diagnostic(message, help))?);
            rest = behind;
        }
        expanded.push_str(rest);
        Ok(expanded)
    }

    /// An error about this setting, shown at its place.
    pub fn diagnostic(&self, message: impl Into<String>, help: impl Into<String>) -> Box<Diagnostic> {
        let (line, column, width) = self.place;
        let (file, text) = (self.file.clone(), self.line.clone());
        Box::new(Diagnostic { file, line, column, width, text, message: message.into(), help: Some(help.into()) })
    }
}

/// What stands behind a name, or what is wrong and what to do.
fn value_of(name: &str) -> Result<String, (String, String)> {
    match name.strip_prefix("file:") {
        None => std::env::var(name)
            .map_err(|_| (format!("the environment has no variable `{name}`"), format!("set it: export {name}=..."))),
        Some(file) => match std::fs::read_to_string(file) {
            Ok(text) => Ok(text.lines().next().unwrap_or_default().to_string()),
            Err(error) => Err((format!("{file}: {error}"), "name a file that can be read".to_string())),
        },
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Setting({}:{})", self.file.display(), self.place.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(written: &str) -> Result<Setting, Box<Diagnostic>> {
        let text = format!("url = \"{written}\"");
        Setting::new(Path::new("etl.toml"), &text, &Spanned::new(6..text.len(), written.to_string()))
    }

    #[test]
    fn variables_are_replaced_and_missing_ones_named() {
        let value = setting("a${X}b${Y}").unwrap();
        let missing = |name: &str| Err((format!("no `{name}`"), String::new()));
        assert!(
            value
                .expand(|name| if name == "X" { Ok("1".into()) } else { missing(name) })
                .unwrap_err()
                .message
                .contains("`Y`")
        );
        assert_eq!(value.expand(|_| Ok("1".into())).unwrap(), "a1b1");
        assert!(setting("a${X").is_err());
    }

    #[test]
    fn a_file_is_read_up_to_its_first_line_break() {
        use secrecy::ExposeSecret;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        std::fs::write(&file, "S3 cret\n").unwrap();
        let value = setting(&format!("${{file:{}}}", file.display())).unwrap();
        assert_eq!(value.resolve().unwrap().expose_secret(), "S3 cret");
        let missing = setting("${file:/nowhere}").unwrap().resolve().unwrap_err();
        assert!(missing.message.starts_with("/nowhere: "), "{}", missing.message);
    }

    #[test]
    fn a_secret_in_the_clear_is_refused_and_not_shown() {
        let text = "[source]\npassword = \"S3cret\"";
        let error = Setting::secret(Path::new("etl.toml"), text, "password", &Spanned::new(20..28, "S3cret".into()));
        let shown = format!("{}", error.unwrap_err());
        assert!(shown.contains("etl.toml:2:12") && !shown.contains("S3cret"), "{shown}");
    }
}
