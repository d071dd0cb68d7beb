//! Opens what a seed writes to: a database for each module, a broker, a file, or nothing.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use anyhow::{anyhow, bail};
use etl_load::jsonl::JsonLines;
use etl_load::null::NullSink;
use etl_load::postgres::{self, PostgresOptions, PostgresSink, StreamFingerprint};
use etl_load::rabbitmq::topology::Topology;
use etl_load::rabbitmq::{Format, IfPublished, PublishOptions, RabbitSink, RabbitTarget, Routes};
use etl_load::sink::Sink;
use etl_schemas::project::QueueKind;

use super::super::opened::{all_modules, selected};
use super::super::pipeline::Pipeline;
use super::super::servers::Servers;
use super::super::target::Target;
use super::super::work_folder::WorkFolder;
use crate::arguments::{BodyFormat, Durability, IfExists, SeedArguments};
use crate::interrupt;

/// Opens every sink of the target, so that what can't be loaded is known before a row is read.
pub(crate) fn open_sinks(
    pipeline: &Pipeline,
    target: &Target,
    arguments: &SeedArguments,
    work: &WorkFolder,
) -> anyhow::Result<Vec<Box<dyn Sink>>> {
    let takes_modules = matches!(target, Target::Postgres(_));
    if !arguments.module.is_empty() && !takes_modules {
        bail!("--module: only databases are loaded module by module; leave --module out, or name a Postgres server");
    }
    match target {
        Target::Null => Ok(vec![Box::new(NullSink::new())]),
        Target::JsonLines(None) => Ok(vec![Box::new(JsonLines::new("jsonl:-", io::stdout(), &pipeline.catalog))]),
        Target::JsonLines(Some(path)) => {
            let (name, file) = (format!("jsonl:{}", path.display()), open_file(path, arguments.if_exists)?);
            Ok(vec![Box::new(JsonLines::new(name, file, &pipeline.catalog))])
        }
        Target::Rabbit { broker, queue } => open_broker(pipeline, broker, *queue, arguments, work),
        Target::Postgres(servers) => open_databases(pipeline, servers, arguments),
    }
}

/// A file can't be gone on with, so it is written from the start, unless it must be new.
fn open_file(path: &Path, if_exists: IfExists) -> anyhow::Result<File> {
    let opened = match if_exists {
        IfExists::Fail => File::create_new(path),
        IfExists::Resume | IfExists::Replace => File::create(path),
    };
    opened.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            anyhow!("{}: it exists; name another file, or write it anew with --if-exists replace", path.display())
        }
        _ => anyhow::Error::new(error).context(path.display().to_string()),
    })
}

/// A sink for each module.
fn open_databases(
    pipeline: &Pipeline,
    servers: &Servers,
    arguments: &SeedArguments,
) -> anyhow::Result<Vec<Box<dyn Sink>>> {
    let modules = selected(all_modules(&pipeline.project, &pipeline.catalog)?, &arguments.module)?;
    let options = PostgresOptions {
        if_exists: match arguments.if_exists {
            IfExists::Resume => postgres::IfExists::Resume,
            IfExists::Fail => postgres::IfExists::Fail,
            IfExists::Replace => postgres::IfExists::Replace,
        },
        database_prefix: servers.database_prefix.clone(),
        durability: match arguments.durability {
            Durability::Server => postgres::Durability::Server,
            Durability::Relaxed => postgres::Durability::Relaxed,
        },
        retry_time_max: Duration::from_secs(arguments.retry_for),
        stop: interrupt::flag(),
        rejects_max: arguments.transform.max_rejects,
        ..PostgresOptions::default().one_of(modules.len())
    };
    let fingerprint = fingerprint(pipeline);
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    for (module, place) in modules.iter().zip(servers.of_all(&modules)?) {
        let sink = PostgresSink::open(&place.target, module, &pipeline.catalog, &fingerprint, &options);
        sinks.push(Box::new(sink.map_err(|error| place.failed(error))?));
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
