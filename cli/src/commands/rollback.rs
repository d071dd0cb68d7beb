//! `etl rollback`: modules go back to the tables that were live before the last replace.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::anyhow;
use etl_load::postgres::{Described, roll_back};
use serde_json::json;

use super::databases::Databases;
use crate::arguments::RollbackArguments;
use crate::failure::Outcome;
use crate::output::{count, stdout, table};

pub(super) fn run(project: &Path, arguments: &RollbackArguments) -> anyhow::Result<Outcome> {
    let databases = Databases::open(project, &arguments.to, &arguments.module)?;
    let patience = Duration::from_secs(arguments.retry_for);
    let (mut live, mut failures) = (Vec::new(), Vec::new());
    // A module that can't go back doesn't keep the others from it.
    for (module, database) in &databases.modules {
        match roll_back(&databases.server, database, patience) {
            Ok(described) => live.push((module.as_str(), described)),
            Err(error) => failures.push(format!("{module}: {error}")),
        }
    }
    let mut out = stdout();
    match arguments.json {
        true => writeln!(out, "{:#}", as_json(&live))?,
        false if live.is_empty() => {}
        false => write!(out, "{}", as_text(&live))?,
    }
    out.flush()?;
    match failures.is_empty() {
        true => Ok(Outcome::Done),
        false => Err(anyhow!(failures.join("\n"))),
    }
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
