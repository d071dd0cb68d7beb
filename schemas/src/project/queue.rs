//! Kinds of queues, as projects and modules name them.

use std::path::Path;

use serde_spanned::Spanned;

use crate::diagnostic::{Diagnostic, did_you_mean};

/// What kind of queue a module has on a broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueueKind {
    /// Replicated by a log that a majority of the brokers has; the default.
    #[default]
    Quorum,
    /// On one broker.
    Classic,
    /// A log that readers don't empty.
    Stream,
}

impl QueueKind {
    /// As people and the broker write it.
    pub fn name(self) -> &'static str {
        match self {
            QueueKind::Quorum => "quorum",
            QueueKind::Classic => "classic",
            QueueKind::Stream => "stream",
        }
    }

    /// From a value of `text`.
    ///
    /// # Errors
    /// When there is no such kind, with its place and the nearest one.
    pub fn checked(path: &Path, text: &str, written: &Spanned<String>) -> Result<QueueKind, Box<Diagnostic>> {
        let kinds = [QueueKind::Quorum, QueueKind::Classic, QueueKind::Stream];
        kinds.into_iter().find(|kind| kind.name() == written.get_ref()).ok_or_else(|| {
            let help = did_you_mean(written.get_ref(), kinds.iter().map(|kind| kind.name()));
            Box::new(Diagnostic::at(path, text, written.span(), "there is no such kind of queue").help(help))
        })
    }
}
