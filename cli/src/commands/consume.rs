//! `etl consume`: a module's database from its queue.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use etl_load::LoadError;
use etl_load::postgres::{Origin, PostgresOptions, PostgresSink, StreamFingerprint};
use etl_load::rabbitmq::topology::Topology;
use etl_load::rabbitmq::{ConsumeOptions, consume};
use etl_load::sink::{Sink, SinkReport};
use serde_json::json;

use super::opened::Opened;
use super::seed::{module_table, sink_json};
use super::target;
use crate::arguments::ConsumeArguments;
use crate::failure::Outcome;
use crate::interrupt;
use crate::output::{count, stdout};
use crate::progress::Progress;

pub(super) fn run(project: &Path, arguments: &ConsumeArguments) -> anyhow::Result<Outcome> {
    let opened = Opened::open(project)?;
    let Opened { project, catalog, modules } = &opened;
    let (broker, kind) = target::rabbit(project, "--from", &arguments.from)?;
    let servers = target::postgres(project, "--to", &arguments.to)?;
    let topology = Topology::new(&project.name, modules, catalog, kind)?;
    let module = opened.selected(std::slice::from_ref(&arguments.module))?.remove(0);
    let place = servers.of(&module.name)?;
    let retry_time_max = Duration::from_secs(arguments.retry_for);
    let to = PostgresOptions {
        origin: Origin::Queue,
        database_prefix: servers.database_prefix.clone(),
        retry_time_max,
        stop: interrupt::flag(),
        rejects_max: arguments.max_rejects,
        ..PostgresOptions::default()
    };
    let mut open = |stream: &StreamFingerprint| -> Result<Box<dyn Sink>, LoadError> {
        Ok(Box::new(PostgresSink::open(&place.target, &module, catalog, stream, &to)?))
    };
    let (prefetch, until_idle) = (arguments.prefetch, arguments.until_idle);
    let options = ConsumeOptions { prefetch, until_idle, retry_time_max, stop: interrupt::flag() };
    let progress = Progress::new();
    let task = progress.task(&format!("consume {}", module.name), 0, "events");
    let mut moved = |position: u64| {
        if position != u64::MAX {
            task.set(position);
        }
    };
    let report = consume(&broker, &topology, &module, catalog, &mut open, &options, &mut moved);
    let report = report.map_err(|error| place.failed(error))?;
    drop(task);
    let mut out = stdout();
    match arguments.json {
        true => writeln!(out, "{:#}", json!({ "module": report.as_ref().map(sink_json) }))?,
        false => write!(out, "{}", as_text(report.as_ref()))?,
    }
    out.flush()?;
    Ok(match report {
        _ if interrupt::requested() => Outcome::Interrupted,
        Some(report) if report.rejected > 0 => Outcome::Rejects,
        _ => Outcome::Done,
    })
}

fn as_text(report: Option<&SinkReport>) -> String {
    let Some(report) = report else { return "no message came\n".to_string() };
    let mut text = module_table(std::slice::from_ref(report));
    if report.repeated > 0 {
        text.push_str(&format!("\n{} deliveries had taken effect before and were dropped\n", count(report.repeated)));
    }
    if report.rejected > 0 {
        text.push_str(&format!("\n{} rejected events; why, says its table etl.rejected\n", report.name));
    }
    match report.complete {
        true => text.push_str("\nthe stream is complete\n"),
        false => text.push_str(&format!(
            "\nnot complete: loaded up to event {}; the same command goes on\n",
            count(report.position)
        )),
    }
    text
}
