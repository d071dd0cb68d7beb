//! A setting that may name environment variables as `${VAR}`.

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
        setting.expand(|_| Some(String::new())).map(|_| setting)
    }

    /// The text with every `${VAR}` replaced by the environment's value.
    pub fn resolve(&self) -> Result<SecretString, Box<Diagnostic>> {
        self.expand(|name| std::env::var(name).ok()).map(SecretString::from)
    }

    fn expand(&self, value_of: impl Fn(&str) -> Option<String>) -> Result<String, Box<Diagnostic>> {
        let mut expanded = String::new();
        let mut rest = self.written.as_str();
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, behind)) = after.split_once('}') else {
                return Err(self.diagnostic("`${` is never closed", "write ${NAME}"));
            };
            let Some(value) = value_of(name) else {
                let message = format!("the environment has no variable `{name}`");
                return Err(self.diagnostic(message, format!("set it: export {name}=...")));
            };
            expanded.push_str(before);
            expanded.push_str(&value);
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
        let known = |name: &str| (name == "X").then(|| "1".to_string());
        let missing = value.expand(known).unwrap_err();
        assert!(missing.message.contains("`Y`"));
        assert_eq!(value.expand(|_| Some("1".into())).unwrap(), "a1b1");
        assert!(setting("a${X").is_err());
    }
}
