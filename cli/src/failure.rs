//! What a run came to, and how an error is told.

use std::fmt;
use std::io;

use etl_load::LoadError;

/// What the process ends with; `main` turns it into the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All done.
    Done,
    /// Done, but rows were rejected or damage was found.
    Rejects,
    /// Not done.
    Failed,
    /// Stopped by the user; the same command goes on from there.
    Interrupted,
}

/// The error of a run that stopped because the user asked it to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// Many errors told one after another, each with its place: what `etl check` finds.
#[derive(Debug)]
pub(crate) struct Findings(Vec<String>);

impl Findings {
    /// An error that lists them all; they must not be empty.
    pub(crate) fn error(findings: impl IntoIterator<Item = impl fmt::Display>) -> anyhow::Error {
        anyhow::Error::new(Findings(findings.into_iter().map(|finding| finding.to_string()).collect()))
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n\n"))?;
        match self.0.len() {
            1 => Ok(()),
            many => write!(f, "\n\n{many} errors"),
        }
    }
}

impl std::error::Error for Findings {}

/// Tells the error on stderr, each cause once, and says what the process ends with. `goes_on` says whether the command
/// goes on where it stopped when it is run again.
#[allow(clippy::print_stderr, reason = "this is the one place where errors are told")]
pub(crate) fn report(error: &anyhow::Error, goes_on: bool) -> Outcome {
    let (outcome, told) = ending(error, goes_on);
    if let Some(told) = told {
        eprintln!("{told}");
    }
    outcome
}

/// What the error comes to, and what is said of it. A reader that went away (a broken pipe) has all it wanted, and an
/// interrupted run is no failure. What failed otherwise is told, also after Ctrl-C.
fn ending(error: &anyhow::Error, goes_on: bool) -> (Outcome, Option<String>) {
    if is_broken_pipe(error) {
        return (Outcome::Done, None);
    }
    if let Some(stopped) = error.chain().find_map(|cause| cause.downcast_ref()).filter(|error| was_stopped(error)) {
        return (Outcome::Interrupted, Some(format!("interrupted: {stopped}")));
    }
    if error.chain().any(<dyn std::error::Error>::is::<Interrupted>) {
        let advice = if goes_on { "; run the same command again to go on from here" } else { "" };
        return (Outcome::Interrupted, Some(format!("interrupted{advice}")));
    }
    let mut told = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        // Many libraries repeat their cause in their own text.
        if !told.contains(&text) {
            told.push_str(if told.is_empty() { "" } else { ": " });
            told.push_str(&text);
        }
    }
    (Outcome::Failed, Some(format!("error: {told}")))
}

/// Whether something was waited for, and no more because the user asked to stop.
pub(crate) fn was_stopped(error: &LoadError) -> bool {
    matches!(error, LoadError::Stopped { .. })
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let by_writing = cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe);
        by_writing || matches!(cause.downcast_ref(), Some(LoadError::BrokenPipe { .. }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, anyhow};

    #[test]
    fn only_what_the_interrupt_ended_counts_as_interrupted() {
        let outcome = |error: anyhow::Error| ending(&error, true).0;
        assert_eq!(outcome(Interrupted.into()), Outcome::Interrupted);
        assert_eq!(outcome(Err::<(), _>(Interrupted).context("seed").unwrap_err()), Outcome::Interrupted);
        // Whatever else went wrong is told, whether the user wanted to stop or not.
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert_eq!(outcome(LoadError::Write { sink: "jsonl:x".to_string(), source: full }.into()), Outcome::Failed);
        assert_eq!(outcome(anyhow!("the ledger doesn't add up")), Outcome::Failed);
    }

    #[test]
    fn what_was_waited_for_when_the_user_stopped_is_no_failure() {
        let text = |text: &str| text.to_string();
        let stopped = LoadError::Stopped { who: text("chat"), problem: text("stopped"), help: text("run it again") };
        let (outcome, told) = ending(&Err::<(), _>(stopped).context("seed").unwrap_err(), false);
        assert_eq!(
            (outcome, told.as_deref()),
            (Outcome::Interrupted, Some("interrupted: chat: stopped; run it again"))
        );
    }

    #[test]
    fn only_a_command_that_goes_on_is_advised_to_be_run_again() {
        let told = |goes_on| ending(&Interrupted.into(), goes_on).1.unwrap();
        assert_eq!(told(true), "interrupted; run the same command again to go on from here");
        assert_eq!(told(false), "interrupted");
    }
}
