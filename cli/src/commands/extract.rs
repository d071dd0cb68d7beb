//! `etl extract`: reads the source's tables into a dump.

mod bars;
mod report;

use std::io::Write;
use std::path::Path;

use anyhow::{Context, anyhow};
use etl_extract::report::{ExtractReport, Outcome as Ending};
use etl_extract::run::{Extract, Gentleness, Limits, PartSize, extract, plan};
use etl_extract::url::SourceUrl;
use etl_schemas::dump::Level;
use etl_schemas::project::{Project, Setting, Source};
use secrecy::{ExposeSecret, SecretString};

use super::inspect;
use crate::arguments::{ExtractArguments, GentlenessArguments};
use crate::failure::Outcome;
use crate::interrupt;
use crate::output::stdout;
use crate::progress::Progress;
pub(super) use bars::Bars;

/// Connections when neither the command line nor the project says how many.
const JOBS: usize = 4;

pub(super) fn run(project: &Path, arguments: &ExtractArguments) -> anyhow::Result<Outcome> {
    let project = Project::open(project)?;
    let options = options(&project, arguments)?;
    if arguments.plan {
        let survey = plan(&options, interrupt::flag())?.context("interrupted")?;
        return inspect::show(&survey, arguments.json);
    }
    let progress = Progress::new();
    let report = extract(&options, &Bars::new(&progress), interrupt::flag())?;
    let mut out = stdout();
    match arguments.json {
        true => writeln!(out, "{:#}", report::as_json(&report))?,
        false => write!(out, "{}", report::as_text(&report))?,
    }
    out.flush()?;
    outcome(&report, &options.out)
}

/// What the project and the command line say together, checked.
fn options(project: &Project, arguments: &ExtractArguments) -> anyhow::Result<Extract> {
    let (source, url, password) = source(project)?;
    Ok(Extract {
        url,
        password,
        tables: project.tables.clone(),
        jobs: arguments.jobs.map(usize::from).or(source.jobs).unwrap_or(JOBS),
        out: arguments.out.clone().unwrap_or_default(),
        level: Level::new(arguments.level).context("compression levels are 1 to 9")?,
        restart: arguments.restart,
        part_size: PartSize { rows: arguments.part_rows, bytes: arguments.part_bytes as u64 },
        gentleness: gentleness(&arguments.gentleness),
    })
}

fn gentleness(arguments: &GentlenessArguments) -> Gentleness {
    let &GentlenessArguments { longest_query, max_rows_per_second, max_bytes_per_second } = arguments;
    let limits = Limits {
        rows_per_second: max_rows_per_second,
        bytes_per_second: max_bytes_per_second.map(|bytes| bytes as u64),
    };
    Gentleness { longest_query, limits }
}

/// The project's source, its URL and its password.
pub(super) fn source(project: &Project) -> anyhow::Result<(&Source, SourceUrl, Option<SecretString>)> {
    let source = project.source.as_ref().with_context(|| {
        format!("{}: no [source] in etl.toml, so there is nothing to read from", project.folder.display())
    })?;
    let url = source.url.resolve()?;
    let url: SourceUrl =
        url.expose_secret().parse().map_err(|error| anyhow!("{}", source.url.diagnostic(format!("{error}"), "")))?;
    Ok((source, url, source.password.as_ref().map(Setting::resolve).transpose()?))
}

/// What the run came to; tables that failed are named with what to do.
fn outcome(report: &ExtractReport, out: &Path) -> anyhow::Result<Outcome> {
    match report.outcome {
        Ending::Complete => Ok(Outcome::Done),
        Ending::Cancelled => Err(anyhow!("interrupted")),
        Ending::TablesFailed => {
            let failed: Vec<String> =
                report.failed.iter().map(|failed| format!("{}: {}", failed.table, failed.reason)).collect();
            let (failed, folder) = (failed.join("\n"), out.display());
            Err(anyhow!("{failed}\n{folder} is unfinished; run the same command again to read what is missing"))
        }
    }
}
