//! Ctrl-C and SIGTERM: the first asks the run to stop where it can go on later, the second ends the process at once.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;

use crate::failure::Interrupted;

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

/// An error as soon as the user asked to stop.
pub(crate) fn check() -> Result<(), Interrupted> {
    match requested() {
        true => Err(Interrupted),
        false => Ok(()),
    }
}

/// The flag itself, for the libraries to look at between two steps.
pub(crate) fn flag() -> &'static AtomicBool {
    &REQUESTED
}
