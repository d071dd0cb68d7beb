//! `[[after]]`: which events follow from which.
//!
//! ```toml
//! [[after]]
//! effect = "MessageRead.message_id"   # comes after
//! cause = "MessageSent.message_id"    # the event whose field has the same value
//! repair = true                       # move the effect behind its cause; without it, effects that come first are counted
//! ```

use std::path::Path;

use serde::Deserialize;
use serde_spanned::Spanned;

use crate::diagnostic::Diagnostic;

/// One constraint, as the project file has it; whether its names exist says the transform.
#[derive(Clone, Debug)]
pub struct After {
    /// What comes after its cause.
    pub effect: EventFieldName,
    /// What it follows from.
    pub cause: EventFieldName,
    /// Whether an effect that comes first is moved behind its cause; else it is counted only.
    pub repair: bool,
}

/// `MessageSent.message_id`: a field of an event, and where the project file names it.
#[derive(Clone, Debug)]
pub struct EventFieldName {
    /// The event.
    pub event: String,
    /// Its field.
    pub field: String,
    place: Diagnostic,
}

impl EventFieldName {
    /// An error about this name, shown at its place.
    pub fn diagnostic(&self, message: impl Into<String>, help: impl Into<String>) -> Diagnostic {
        Diagnostic { message: message.into(), help: Some(help.into()), ..self.place.clone() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileAfter {
    effect: Spanned<String>,
    cause: Spanned<String>,
    #[serde(default)]
    repair: bool,
}

impl FileAfter {
    pub(super) fn checked(&self, path: &Path, text: &str) -> Result<After, Box<Diagnostic>> {
        let name = |written: &Spanned<String>| {
            let place = Diagnostic::at(path, text, written.span(), "this names no field of an event");
            match written.get_ref().split_once('.') {
                Some((event, field)) if !event.is_empty() && !field.is_empty() => {
                    Ok(EventFieldName { event: event.to_string(), field: field.to_string(), place })
                }
                _ => Err(Box::new(place.help("write <event>.<field>, like \"MessageSent.message_id\""))),
            }
        };
        Ok(After { effect: name(&self.effect)?, cause: name(&self.cause)?, repair: self.repair })
    }
}
