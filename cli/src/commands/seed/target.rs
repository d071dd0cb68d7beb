//! Where a seed goes: a target of the project by name, or said on the command line.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, bail};
use etl_load::jsonl::JsonLines;
use etl_load::module::Module;
use etl_load::null::NullSink;
use etl_load::postgres::{self, PostgresOptions, PostgresSink, PostgresTarget, StreamFingerprint};
use etl_load::sink::Sink;
use etl_schemas::diagnostic::did_you_mean;
use etl_schemas::project::{Project, Setting};
use secrecy::ExposeSecret;

use super::super::check::all_modules;
use super::super::pipeline::Pipeline;
use crate::arguments::{IfExists, SeedArguments};

/// Where events go.
pub(crate) enum Target {
    Postgres {
        server: PostgresTarget,
        database_prefix: String,
    },
    /// `None` is stdout.
    JsonLines(Option<PathBuf>),
    Null,
}

impl Target {
    /// From `--to`.
    pub(crate) fn parse(project: &Project, text: &str) -> anyhow::Result<Target> {
        if text == "null:" {
            return Ok(Target::Null);
        }
        if let Some(path) = text.strip_prefix("jsonl:") {
            return match path {
                "" => bail!("`--to jsonl:` names no file; write jsonl:FILE, or jsonl:- for stdout"),
                "-" => Ok(Target::JsonLines(None)),
                path => Ok(Target::JsonLines(Some(PathBuf::from(path)))),
            };
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            let server = PostgresTarget::parse(text, None)?;
            return Ok(Target::Postgres { server, database_prefix: String::new() });
        }
        let Some(target) = project.targets.get(text) else {
            let help = did_you_mean(text, project.targets.keys().map(String::as_str));
            bail!(
                "--to {text}: no such target in etl.toml; {help}\n\
                 or write postgres://user@host:port, jsonl:FILE, jsonl:- or null:"
            );
        };
        let password = target.password.as_ref().map(Setting::resolve).transpose()?;
        let url = target.url.resolve()?;
        let server =
            PostgresTarget::parse(url.expose_secret(), password).with_context(|| format!("[targets.{text}]"))?;
        Ok(Target::Postgres { server, database_prefix: target.database_prefix.clone() })
    }

    /// Whether stdout carries events.
    pub(super) fn takes_stdout(&self) -> bool {
        matches!(self, Target::JsonLines(None))
    }
}

/// Opens every sink of the target, so that what can't be loaded is known before a row is read.
pub(crate) fn open_sinks(
    pipeline: &Pipeline,
    target: &Target,
    arguments: &SeedArguments,
) -> anyhow::Result<Vec<Box<dyn Sink>>> {
    let (server, database_prefix) = match target {
        Target::Null => return Ok(vec![Box::new(NullSink::new())]),
        Target::JsonLines(path) => {
            let (name, writer): (String, Box<dyn Write + Send>) = match path {
                None => ("jsonl:-".to_string(), Box::new(io::stdout())),
                Some(path) => {
                    let file = File::create(path).with_context(|| path.display().to_string())?;
                    (format!("jsonl:{}", path.display()), Box::new(file))
                }
            };
            return Ok(vec![Box::new(JsonLines::new(name, writer, &pipeline.catalog))]);
        }
        Target::Postgres { server, database_prefix } => (server, database_prefix),
    };
    let options = PostgresOptions {
        if_exists: match arguments.if_exists {
            IfExists::Resume => postgres::IfExists::Resume,
            IfExists::Fail => postgres::IfExists::Fail,
            IfExists::Replace => postgres::IfExists::Replace,
        },
        database_prefix: database_prefix.clone(),
        rejects_max: arguments.transform.max_rejects,
        ..PostgresOptions::default()
    };
    let fingerprint = StreamFingerprint {
        dump: pipeline.dump.fingerprint().to_string(),
        mappings: pipeline.program.fingerprint().to_string(),
    };
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    for module in selected(all_modules(&pipeline.project, &pipeline.catalog)?, &arguments.module)? {
        let sink = PostgresSink::open(server, &module, &pipeline.catalog, &fingerprint, &options)?;
        sinks.push(Box::new(sink));
    }
    Ok(sinks)
}

/// The modules named with `--module`, or all.
pub(crate) fn selected(modules: Vec<Module>, names: &[String]) -> anyhow::Result<Vec<Module>> {
    if modules.is_empty() {
        bail!(
            "the project has no modules, so there is nothing to load; make a folder under modules/ with a module.toml"
        );
    }
    for name in names {
        if !modules.iter().any(|module| module.name == *name) {
            let help = did_you_mean(name, modules.iter().map(|module| module.name.as_str()));
            bail!("--module {name}: no such module; {help}");
        }
    }
    Ok(modules.into_iter().filter(|module| names.is_empty() || names.contains(&module.name)).collect())
}
