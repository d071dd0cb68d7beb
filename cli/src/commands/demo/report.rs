//! The demo's closing page: where every row went, how long it took, and what to type next.

use std::io::Write;

use etl_extract::report::ExtractReport;

use super::super::seed::{Seeded, ledger_table, module_table};
use super::folders::Folders;
use crate::arguments::DemoArguments;
use crate::output::{count, rate, stdout, table};

/// What happened, phase by phase.
pub(super) struct Phases<'a> {
    pub(super) generated_rows: u64,
    /// Seconds.
    pub(super) generated: f64,
    pub(super) extracted: &'a ExtractReport,
    pub(super) seeded: &'a Seeded,
}

pub(super) fn print(phases: &Phases<'_>, folders: &Folders, arguments: &DemoArguments) -> anyhow::Result<()> {
    let mut out = stdout();
    writeln!(out, "happypancake at scale {}, seed {}\n", arguments.scale, arguments.seed)?;
    if let Some(ledger) = &phases.seeded.ledger {
        writeln!(out, "{}", ledger_table(ledger))?;
    }
    writeln!(out, "{}", module_table(&phases.seeded.sinks))?;
    writeln!(out, "{}", phase_table(phases))?;
    let program = std::env::current_exe()?;
    writeln!(out, "project   {}", folders.project.display())?;
    writeln!(out, "dump      {}", folders.dump.display())?;
    writeln!(out, "postgres  {} (a database for each module)", folders.postgres.display())?;
    writeln!(out, "\nNext, in the project's folder:")?;
    writeln!(out, "  cd {}", folders.project.display())?;
    writeln!(out, "  alias etl={}", program.display())?;
    for command in [
        "etl dump ls ../dump",
        "etl dump cat ../dump dbo.Messages --limit 3",
        "etl check --from ../dump --plan",
        "etl events --from ../dump --limit 5",
        "etl seed --from ../dump --to jsonl:events.jsonl",
        "etl quarantine --from ../dump      # the rows that a mapping couldn't take, and why",
    ] {
        writeln!(out, "  {command}")?;
    }
    out.flush()?;
    Ok(())
}

fn phase_table(phases: &Phases<'_>) -> String {
    let rows: u64 = phases.extracted.tables.iter().map(|table| table.rows).sum();
    let events = phases.seeded.ledger.as_ref().map_or(0, |ledger| ledger.events);
    let line = |phase: &str, seconds: f64, number: u64, unit: &str| {
        vec![
            phase.to_string(),
            format!("{seconds:.1}"),
            format!("{} {unit}", count(number)),
            rate(number, seconds).replace("/s", &format!(" {unit}/s")),
        ]
    };
    table(
        &["phase", "seconds", "", ""],
        [
            line("generate the legacy database", phases.generated, phases.generated_rows, "rows"),
            line("extract", phases.extracted.elapsed.as_secs_f64(), rows, "rows"),
            line("seed", phases.seeded.elapsed.as_secs_f64(), events, "events"),
        ],
    )
}

/// With `--keep-running`: how to reach the servers from another terminal.
pub(super) fn print_servers(source: &str, source_password: &str, postgres: &str) -> anyhow::Result<()> {
    let mut out = stdout();
    writeln!(out, "\nThe servers are up until Ctrl-C. In another terminal:")?;
    for (name, value) in [
        ("ETL_SOURCE_URL", source),
        // The stand-in's password guards made-up data only, and the demo would be of no use without it.
        ("ETL_SOURCE_PASSWORD", source_password),
        ("ETL_STAGING_URL", postgres),
        ("ETL_STAGING_PASSWORD", "none"),
    ] {
        writeln!(out, "  export {name}='{value}'")?;
    }
    writeln!(out, "  etl extract --out ../dump2 && etl seed --from ../dump2 --to staging --if-exists replace")?;
    out.flush()?;
    Ok(())
}
