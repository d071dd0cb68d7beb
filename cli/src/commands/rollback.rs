//! `etl rollback`: modules go back to the tables that were live before the last replace.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::anyhow;
use etl_load::postgres::{Described, roll_back};
use serde_json::json;

use super::databases::databases;
use crate::arguments::RollbackArguments;
use crate::failure::Outcome;
use crate::interrupt;
use crate::output::{count, stdout, table};

pub(super) fn run(project: &Path, arguments: &RollbackArguments) -> anyhow::Result<Outcome> {
    let databases = databases(project, &arguments.to, &arguments.module)?;
    let time_max = Duration::from_secs(arguments.retry_for);
    let (mut live, mut left, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    // A module that can't go back doesn't keep the others from it.
    for place in &databases {
        let module = place.module.as_str();
        if interrupt::requested() {
            left.push(module);
            continue;
        }
        match roll_back(&place.target, &place.database, time_max, interrupt::flag()) {
            Ok(described) => live.push((module, described)),
            Err(error) => {
                left.push(module);
                failures.push(format!("{place}: {error}"));
            }
        }
    }
    let mut out = stdout();
    match arguments.json {
        true => writeln!(out, "{:#}", as_json(&live))?,
        false if live.is_empty() => {}
        false => write!(out, "{}", as_text(&live))?,
    }
    out.flush()?;
    if left.is_empty() {
        return Ok(Outcome::Done);
    }
    failures.push(not_done(project, &arguments.to, &live, &left));
    let told = failures.join("\n");
    if interrupt::requested() {
        // The usual word, to run the same command again, would bring the others forward again.
        writeln!(std::io::stderr(), "{told}")?;
        return Ok(Outcome::Interrupted);
    }
    Err(anyhow!(told))
}

/// Which modules are left, and the command for just them: a second rollback of the others would undo the first.
fn not_done(project: &Path, to: &str, live: &[(&str, Described)], left: &[&str]) -> String {
    let done = match live.is_empty() {
        true => String::new(),
        false => format!(" (done: {})", live.iter().map(|(module, _)| *module).collect::<Vec<_>>().join(", ")),
    };
    let within = if project == Path::new(".") { String::new() } else { format!(" -C {}", project.display()) };
    let modules: String = left.iter().map(|module| format!(" --module {module}")).collect();
    format!("not rolled back: {}{done}; for just these: etl{within} rollback --to {to}{modules}", left.join(", "))
}

fn as_text(live: &[(&str, Described)]) -> String {
    let rows = live.iter().map(|(module, described)| {
        let last = described.occurred_at.clone().unwrap_or_else(|| "-".to_string());
        vec![(*module).to_string(), count(described.position), last, described.loaded_at.clone()]
    });
    table(&["module", "live up to event", "of (UTC)", "loaded (UTC)"], rows)
}

fn as_json(live: &[(&str, Described)]) -> serde_json::Value {
    let module = |(module, described): &(&str, Described)| {
        json!({
            "name": module, "database": described.database, "position": described.position,
            "occurred_at": described.occurred_at, "loaded_at": described.loaded_at,
        })
    };
    json!({ "modules": live.iter().map(module).collect::<Vec<_>>() })
}
