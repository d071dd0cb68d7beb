//! `etl test`: runs the use cases of the modules in temporary databases.

use std::io::Write;
use std::path::Path;

use anyhow::bail;
use etl_load::LoadError;
use etl_load::module::Module;
use etl_load::postgres::try_out;
use etl_load::usecase::UseCase;
use etl_schemas::diagnostic::{Diagnostic, did_you_mean};

use super::opened::{Opened, all_use_cases};
use super::server::Server;
use crate::arguments::TestArguments;
use crate::failure::Outcome;
use crate::interrupt;
use crate::output::{count, stdout};

pub(super) fn run(project: &Path, arguments: &TestArguments) -> anyhow::Result<Outcome> {
    let opened = Opened::open(project)?;
    let cases = all_use_cases(&opened.selected(&arguments.module)?, &opened.catalog)?;
    let chosen = chosen(&cases, arguments.name.as_deref())?;
    let server = Server::open(&opened.project, arguments.on.as_deref())?;
    let mut out = stdout();
    let (mut failed, mut first_failed) = (0u64, None);
    for (index, (module, case)) in chosen.iter().enumerate() {
        interrupt::check()?;
        let prefix = format!("etl_test_{}_{index}_", std::process::id());
        let place = server.servers.of(&module.name)?;
        let diagnostics = match try_out(&place.target, module, case, &opened.catalog, &prefix, interrupt::flag()) {
            Ok(diagnostics) => diagnostics,
            // What doesn't fit in a module fails all its use cases in the same way; it is told once, as an error.
            Err(LoadError::Invalid(diagnostics)) => return Err(crate::failure::Findings::error(diagnostics)),
            Err(other) => return Err(place.failed(other)),
        };
        let verdict = if diagnostics.is_empty() { "holds" } else { "FAILS" };
        writeln!(out, "{verdict}  {}/{}: {}", module.name, case.name, case.title)?;
        write!(out, "{}", indented(&diagnostics))?;
        out.flush()?;
        if !diagnostics.is_empty() {
            failed += 1;
            first_failed.get_or_insert_with(|| format!("{}/{}", module.name, case.name));
        }
    }
    let all = count(chosen.len() as u64);
    match failed {
        0 => writeln!(out, "{all} use cases: all hold")?,
        failed => writeln!(out, "{all} use cases: {} failed", count(failed))?,
    }
    if let Some(first) = first_failed {
        writeln!(out, "mend the file at the line that is named, or the handler; then run one alone: etl test {first}")?;
    }
    out.flush()?;
    Ok(if failed == 0 { Outcome::Done } else { Outcome::Rejects })
}

/// The use cases whose name, with or without the module's before it, holds the text.
fn chosen<'a>(
    cases: &'a [(Module, Vec<UseCase>)],
    name: Option<&str>,
) -> anyhow::Result<Vec<(&'a Module, &'a UseCase)>> {
    let all = || cases.iter().flat_map(|(module, cases)| cases.iter().map(move |case| (module, case)));
    let full_name = |(module, case): &(&Module, &UseCase)| format!("{}/{}", module.name, case.name);
    let chosen: Vec<_> = all().filter(|case| name.is_none_or(|name| full_name(case).contains(name))).collect();
    match (chosen.is_empty(), name) {
        (false, _) => Ok(chosen),
        (true, Some(name)) => {
            let known: Vec<String> = all().map(|case| full_name(&case)).collect();
            bail!("{name}: no such use case; {}", did_you_mean(name, known.iter().map(String::as_str)))
        }
        (true, None) => bail!("there are no use cases; write some as modules/NAME/usecases/*.toml"),
    }
}

fn indented(diagnostics: &[Diagnostic]) -> String {
    diagnostics
        .iter()
        .flat_map(|diagnostic| diagnostic.to_string().lines().map(|line| format!("    {line}\n")).collect::<Vec<_>>())
        .collect()
}
