//! Which target an option names: one of the project's by its name, or one that is written out.
//!
//! In: the project, the option and its text. Out: a server, a broker or a file that the command can use. An error names
//! the option, and offers only what the command can use.

use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use etl_load::postgres::PostgresTarget;
use etl_load::rabbitmq::RabbitTarget;
use etl_schemas::diagnostic::did_you_mean;
use etl_schemas::project::{self, Project, QueueKind, Setting};
use secrecy::ExposeSecret;

use super::servers::Servers;

/// Where events go or come from.
pub(super) enum Target {
    Postgres(Servers),
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
    /// Whether stdout carries events.
    pub(super) fn takes_stdout(&self) -> bool {
        matches!(self, Target::JsonLines(None))
    }
}

/// What a target is, for commands that can't use every kind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Postgres,
    Rabbit,
    JsonLines,
    Null,
}

const ALL: [Kind; 4] = [Kind::Postgres, Kind::Rabbit, Kind::JsonLines, Kind::Null];

impl Kind {
    /// Of a target that is written out; `None` for what can only be a name.
    fn of(text: &str) -> Option<Kind> {
        match text {
            "null:" => Some(Kind::Null),
            text if text.starts_with("jsonl:") => Some(Kind::JsonLines),
            text if text.starts_with("postgres://") || text.starts_with("postgresql://") => Some(Kind::Postgres),
            text if RabbitTarget::is_url(text) => Some(Kind::Rabbit),
            _ => None,
        }
    }

    /// Of a target of the project. One whose URL can't be told now may be either.
    fn may_be_of(self, target: &project::Target) -> bool {
        match (target.server.url.resolve(), self) {
            (Ok(url), Kind::Rabbit) => RabbitTarget::is_url(url.expose_secret()),
            (Ok(url), Kind::Postgres) => !RabbitTarget::is_url(url.expose_secret()),
            (Err(_), Kind::Rabbit | Kind::Postgres) => true,
            (_, Kind::JsonLines | Kind::Null) => false,
        }
    }

    fn written(self) -> &'static str {
        match self {
            Kind::Postgres => "postgres://user@host:port",
            Kind::Rabbit => "amqp://user@host:port/virtual-host",
            Kind::JsonLines => "jsonl:FILE, jsonl:-",
            Kind::Null => "null:",
        }
    }
}

/// The servers that an option such as `--to` names.
pub(super) fn postgres(project: &Project, option: &str, text: &str) -> anyhow::Result<Servers> {
    match of_kinds(&[Kind::Postgres], project, option, text)? {
        Target::Postgres(servers) => Ok(servers),
        _ => Err(misfit(option, text, "a Postgres server", Kind::Postgres)),
    }
}

/// The broker that an option such as `--from` names, and the kind of queue for modules that say none.
pub(super) fn rabbit(project: &Project, option: &str, text: &str) -> anyhow::Result<(RabbitTarget, QueueKind)> {
    match of_kinds(&[Kind::Rabbit], project, option, text)? {
        Target::Rabbit { broker, queue } => Ok((broker, queue)),
        _ => Err(misfit(option, text, "a RabbitMQ broker", Kind::Rabbit)),
    }
}

/// Whatever an option names.
pub(super) fn of_any_kind(project: &Project, option: &str, text: &str) -> anyhow::Result<Target> {
    of_kinds(&ALL, project, option, text)
}

fn misfit(option: &str, text: &str, needed: &str, kind: Kind) -> anyhow::Error {
    anyhow!("{option} {text}: this needs {needed}: a target of etl.toml by name, or {}", kind.written())
}

/// The target; of a kind that isn't among these only where the text itself says so.
fn of_kinds(kinds: &[Kind], project: &Project, option: &str, text: &str) -> anyhow::Result<Target> {
    let told = || option.to_string();
    match Kind::of(text) {
        Some(Kind::Null) => Ok(Target::Null),
        Some(Kind::JsonLines) => match text.strip_prefix("jsonl:").unwrap_or_default() {
            "" => bail!("{option} jsonl: names no file; write jsonl:FILE, or jsonl:- for stdout"),
            "-" => Ok(Target::JsonLines(None)),
            path => Ok(Target::JsonLines(Some(PathBuf::from(path)))),
        },
        Some(Kind::Postgres) => {
            let server = PostgresTarget::parse(text, None).with_context(told)?;
            Ok(Target::Postgres(Servers::all_on(server, format!("{option} {text}"))))
        }
        Some(Kind::Rabbit) => {
            let broker = RabbitTarget::parse(text, None).with_context(told)?;
            Ok(Target::Rabbit { broker, queue: QueueKind::default() })
        }
        None => match project.targets.get(text) {
            Some(target) => of_project(target, text),
            None => Err(unknown(kinds, project, option, text)),
        },
    }
}

fn of_project(target: &project::Target, name: &str) -> anyhow::Result<Target> {
    let url = match target.server.url.resolve() {
        Ok(url) => url,
        // Modules with servers of their own don't need it.
        Err(_) if !target.modules.is_empty() => return Ok(Target::Postgres(Servers::of_target(target, name))),
        Err(missing) => return Err(missing.into()),
    };
    if !RabbitTarget::is_url(url.expose_secret()) {
        return Ok(Target::Postgres(Servers::of_target(target, name)));
    }
    let told = format!("[targets.{name}]");
    if !target.modules.is_empty() {
        bail!("{told}: a broker has queues for all modules; leave [targets.{name}.modules] out");
    }
    let password = target.server.password.as_ref().map(Setting::resolve).transpose()?;
    let broker = RabbitTarget::parse(url.expose_secret(), password).context(told)?;
    Ok(Target::Rabbit { broker, queue: target.queue })
}

fn unknown(kinds: &[Kind], project: &Project, option: &str, text: &str) -> anyhow::Error {
    let fits = |target: &project::Target| kinds.iter().any(|kind| kind.may_be_of(target));
    let known: Vec<&str> =
        project.targets.iter().filter(|(_, target)| fits(target)).map(|(name, _)| name.as_str()).collect();
    let written: Vec<&str> = kinds.iter().map(|kind| kind.written()).collect();
    let help = match known.is_empty() {
        true => "write".to_string(),
        false => format!("{}\nor write", did_you_mean(text, known)),
    };
    anyhow!("{option} {}: no such target in etl.toml; {help} {}", shown(text), written.join(", "))
}

/// A text that is no target, as an error may show it. What looks like a URL of an unknown scheme may hold a password, so
/// nothing behind its scheme is shown.
fn shown(text: &str) -> String {
    match text.contains("://") || text.contains('@') {
        true => format!("{}...", text.find(':').map_or("", |colon| &text[..=colon])),
        false => text.to_string(),
    }
}
