//! Ctrl-C and SIGTERM: the first asks the run to stop where it can go on later, the second ends the process at once.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Starts to listen. Call it once, before anything long.
pub(crate) fn listen() -> anyhow::Result<()> {
    ctrlc::set_handler(|| {
        if REQUESTED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
    })
    .context("listen for Ctrl-C")
}

/// Whether the user asked to stop.
pub(crate) fn requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}

/// The flag itself, for the libraries to look at between two steps.
pub(crate) fn flag() -> &'static AtomicBool {
    &REQUESTED
}
