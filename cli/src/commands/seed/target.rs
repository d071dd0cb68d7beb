//! Where a seed goes: a target of the project by name, or said on the command line.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use etl_load::jsonl::JsonLines;
use etl_load::module::Module;
use etl_load::null::NullSink;
use etl_load::postgres::{self, PostgresOptions, PostgresSink, PostgresTarget, StreamFingerprint};
use etl_load::rabbitmq::topology::Topology;
use etl_load::rabbitmq::{Format, IfPublished, PublishOptions, RabbitSink, RabbitTarget, Routes};
use etl_load::sink::Sink;
use etl_schemas::diagnostic::did_you_mean;
use etl_schemas::project::{Project, QueueKind, Setting};
use secrecy::ExposeSecret;

use super::super::check::all_modules;
use super::super::pipeline::Pipeline;
use super::super::work_folder::WorkFolder;
use crate::arguments::{BodyFormat, Durability, IfExists, SeedArguments};
use crate::interrupt;

/// Where events go.
pub(crate) enum Target {
    Postgres {
        server: PostgresTarget,
        database_prefix: String,
    },
    Rabbit {
        broker: RabbitTarget,
        /// For modules that say none themselves.
        queue: QueueKind,
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
        if RabbitTarget::is_url(text) {
            return Ok(Target::Rabbit { broker: RabbitTarget::parse(text, None)?, queue: QueueKind::default() });
        }
        let Some(target) = project.targets.get(text) else {
            let help = did_you_mean(text, project.targets.keys().map(String::as_str));
            bail!(
                "--to {text}: no such target in etl.toml; {help}\n\
                 or write postgres://user@host:port, amqp://user@host:port/virtual-host, jsonl:FILE, jsonl:- or null:"
            );
        };
        let password = target.password.as_ref().map(Setting::resolve).transpose()?;
        let url = target.url.resolve()?;
        if RabbitTarget::is_url(url.expose_secret()) {
            let broker = RabbitTarget::parse(url.expose_secret(), password);
            let broker = broker.with_context(|| format!("[targets.{text}]"))?;
            return Ok(Target::Rabbit { broker, queue: target.queue });
        }
        let server =
            PostgresTarget::parse(url.expose_secret(), password).with_context(|| format!("[targets.{text}]"))?;
        Ok(Target::Postgres { server, database_prefix: target.database_prefix.clone() })
    }

    /// The server and the prefix of its databases' names; `option` is what named the target.
    pub(crate) fn postgres(self, option: &str) -> anyhow::Result<(PostgresTarget, String)> {
        match self {
            Target::Postgres { server, database_prefix } => Ok((server, database_prefix)),
            Target::Rabbit { .. } | Target::JsonLines(_) | Target::Null => {
                bail!("{option}: this needs a Postgres server")
            }
        }
    }

    /// The broker, and the kind of queue for modules that say none; `option` is what named the target.
    pub(crate) fn rabbit(self, option: &str) -> anyhow::Result<(RabbitTarget, QueueKind)> {
        match self {
            Target::Rabbit { broker, queue } => Ok((broker, queue)),
            Target::Postgres { .. } | Target::JsonLines(_) | Target::Null => {
                bail!("{option}: this needs a RabbitMQ broker: amqp://user@host:port/virtual-host")
            }
        }
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
    work: &WorkFolder,
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
        Target::Rabbit { broker, queue } => return open_broker(pipeline, broker, *queue, arguments, work),
        Target::Postgres { server, database_prefix } => (server, database_prefix),
    };
    let options = PostgresOptions {
        if_exists: match arguments.if_exists {
            IfExists::Resume => postgres::IfExists::Resume,
            IfExists::Fail => postgres::IfExists::Fail,
            IfExists::Replace => postgres::IfExists::Replace,
        },
        database_prefix: database_prefix.clone(),
        durability: match arguments.durability {
            Durability::Server => postgres::Durability::Server,
            Durability::Relaxed => postgres::Durability::Relaxed,
        },
        retry_time_max: Duration::from_secs(arguments.retry_for),
        stop: interrupt::flag(),
        rejects_max: arguments.transform.max_rejects,
        ..PostgresOptions::default()
    };
    let fingerprint = fingerprint(pipeline);
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    for module in selected(all_modules(&pipeline.project, &pipeline.catalog)?, &arguments.module)? {
        let sink = PostgresSink::open(server, &module, &pipeline.catalog, &fingerprint, &options)?;
        sinks.push(Box::new(sink));
    }
    Ok(sinks)
}

/// What the stream is made from.
fn fingerprint(pipeline: &Pipeline) -> StreamFingerprint {
    StreamFingerprint {
        dump: pipeline.dump.fingerprint().to_string(),
        mappings: pipeline.program.fingerprint().to_string(),
    }
}

/// One sink for all modules: the exchange leads events to their queues.
fn open_broker(
    pipeline: &Pipeline,
    broker: &RabbitTarget,
    queue: QueueKind,
    arguments: &SeedArguments,
    work: &WorkFolder,
) -> anyhow::Result<Vec<Box<dyn Sink>>> {
    if !arguments.module.is_empty() {
        bail!("--module: the exchange leads every event to all modules that take it; leave --module out");
    }
    let catalog = &pipeline.catalog;
    let modules = selected(all_modules(&pipeline.project, catalog)?, &[])?;
    let topology = Topology::new(&pipeline.project.name, &modules, catalog, queue)?;
    let publish = &arguments.publish;
    let options = PublishOptions {
        format: match publish.format {
            BodyFormat::Protobuf => Format::Protobuf,
            BodyFormat::Json => Format::Json,
        },
        window: publish.window as usize,
        channels: usize::from(publish.channels),
        rate: publish.rate,
        body_bytes_max: publish.max_message,
        if_published: match arguments.if_exists {
            IfExists::Resume => IfPublished::Resume,
            IfExists::Fail => IfPublished::Fail,
            IfExists::Replace => IfPublished::Replace,
        },
        retry_time_max: Duration::from_secs(arguments.retry_for),
        folder: work.path().to_path_buf(),
        stop: interrupt::flag(),
        rejects_max: arguments.transform.max_rejects,
    };
    let routes = Routes::new(&modules, catalog);
    let sink = RabbitSink::open(broker, &topology, routes, catalog, &fingerprint(pipeline), &options)?;
    Ok(vec![Box::new(sink)])
}

/// The modules named with `--module`, or all.
pub(crate) fn selected(modules: Vec<Module>, names: &[String]) -> anyhow::Result<Vec<Module>> {
    if modules.is_empty() {
        bail!("the project has no modules, and this needs one; make a folder under modules/ with a module.toml");
    }
    for name in names {
        if !modules.iter().any(|module| module.name == *name) {
            let help = did_you_mean(name, modules.iter().map(|module| module.name.as_str()));
            bail!("--module {name}: no such module; {help}");
        }
    }
    Ok(modules.into_iter().filter(|module| names.is_empty() || names.contains(&module.name)).collect())
}
