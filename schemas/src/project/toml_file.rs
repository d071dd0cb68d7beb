//! TOML files that people write: unknown keys and wrong types become diagnostics with their place.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::diagnostic::{Diagnostic, did_you_mean};

/// Reads `text` as a `T` whose structs deny unknown fields.
pub fn parse_toml<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, Box<Diagnostic>> {
    toml::from_str(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        let message = error.message().trim_end();
        let mut diagnostic = Diagnostic::at(path, text, span, message);
        // serde words it: unknown field `a`, expected one of `b`, `c`
        if let Some(names) = message.strip_prefix("unknown field ") {
            let mut quoted = names.split('`').skip(1).step_by(2);
            if let Some(unknown) = quoted.next() {
                let known: Vec<&str> = quoted.collect();
                diagnostic.message = format!("unknown key `{unknown}`");
                diagnostic.help = Some(did_you_mean(unknown, known));
            }
        }
        Box::new(diagnostic)
    })
}
