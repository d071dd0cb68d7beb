//! `etl extract`: reads the source's tables into a dump.

mod bars;
mod report;

use std::io::Write;
use std::path::Path;

use anyhow::{Context, anyhow};
use etl_extract::report::{ExtractReport, Outcome as Ending};
use etl_extract::run::{Extract, Gentleness, Limits, PartSize, extract, plan};
use etl_extract::url::{Authentication, SourceUrl};
use etl_schemas::dump::Level;
use etl_schemas::project::{Consistency, Project, Setting, Source};
use secrecy::{ExposeSecret, SecretString};

use super::inspect;
use crate::arguments::{ExtractArguments, GentlenessArguments};
use crate::failure::{Interrupted, Outcome};
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
        let survey = plan(&options, interrupt::flag())?.ok_or(Interrupted)?;
        return inspect::show(&survey, arguments.json);
    }
    let progress = Progress::new();
    if options.consistency == Consistency::NoLock {
        progress.say(
            "warning: with nolock, rows that are being written may come twice, half or not at all, and rows that were \
             never committed may come too",
        );
    }
    let report = extract(&options, &Bars::new(&progress), interrupt::flag())?;
    if report.outcome == Ending::Cancelled {
        // A report of a part of the work isn't the result, but what the source had to bear is worth knowing.
        progress.say(report::as_text(&report).trim_end());
        return outcome(&report, &options.out);
    }
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
    let consistency = arguments.consistency.or(source.consistency).unwrap_or_default();
    Ok(Extract {
        url,
        password,
        client: arguments.client.unwrap_or(source.client),
        tables: project.tables.clone(),
        casts: project.casts.clone(),
        consistency,
        jobs: arguments.jobs.map(usize::from).or(source.jobs).unwrap_or(JOBS),
        out: arguments.out.clone().unwrap_or_default(),
        level: Level::new(arguments.level).context("compression levels are 1 to 9")?,
        restart: arguments.restart,
        part_size: PartSize { rows: arguments.part_rows, bytes: arguments.part_bytes as u64 },
        gentleness: gentleness(&arguments.gentleness, source),
    })
}

/// What the command line says goes before what the project says.
fn gentleness(arguments: &GentlenessArguments, source: &Source) -> Gentleness {
    let &GentlenessArguments { longest_query, max_rows_per_second, max_bytes_per_second } = arguments;
    let limits = Limits {
        rows_per_second: max_rows_per_second.or(source.max_rows_per_second),
        bytes_per_second: max_bytes_per_second.map(|bytes| bytes as u64).or(source.max_bytes_per_second),
    };
    let usual = Gentleness::default().longest_query;
    Gentleness { longest_query: longest_query.or(source.longest_query).unwrap_or(usual), limits }
}

/// The project's source, its URL, and its password or access token.
pub(super) fn source(project: &Project) -> anyhow::Result<(&Source, SourceUrl, Option<SecretString>)> {
    let source = project.source.as_ref().with_context(|| {
        format!("{}: no [source] in etl.toml, so there is nothing to read from", project.folder.display())
    })?;
    let url = source.url.resolve()?;
    let url: SourceUrl =
        url.expose_secret().parse().map_err(|error| anyhow!("{}", source.url.diagnostic(format!("{error}"), "")))?;
    let mut url = url;
    let secret = match (&source.access_token, &source.password) {
        (Some(token), None) => {
            url.authentication = Authentication::AccessToken;
            Some(token)
        }
        (Some(token), Some(_)) => {
            let message = "`access_token` and `password` both say who reads";
            return Err(anyhow!("{}", token.diagnostic(message, "keep one of them")));
        }
        (None, password) => password.as_ref(),
    };
    Ok((source, url, secret.map(Setting::resolve).transpose()?))
}

/// What the run came to; tables that failed are named with what to do.
fn outcome(report: &ExtractReport, out: &Path) -> anyhow::Result<Outcome> {
    match report.outcome {
        Ending::Complete => Ok(Outcome::Done),
        Ending::Cancelled => Err(Interrupted.into()),
        Ending::TablesFailed => {
            let failed: Vec<String> =
                report.failed.iter().map(|failed| format!("{}: {}", failed.table, failed.reason)).collect();
            let (failed, folder) = (failed.join("\n"), out.display());
            Err(anyhow!("{failed}\n{folder} is unfinished; run the same command again to read what is missing"))
        }
    }
}
