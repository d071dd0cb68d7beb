//! `etl topology`: what the modules need on a broker, compared with what is there, and declared.

use std::io::Write;
use std::path::Path;

use etl_load::rabbitmq::topology::Topology;
use etl_load::rabbitmq::{Declared, State, apply, inspect};
use serde_json::{Value, json};

use super::opened::Opened;
use super::target;
use crate::arguments::TopologyArguments;
use crate::failure::Outcome;
use crate::interrupt;
use crate::output::{count, stdout, table};

pub(super) fn run(project: &Path, arguments: &TopologyArguments) -> anyhow::Result<Outcome> {
    let opened = Opened::open(project)?;
    let (broker, kind) = target::rabbit(&opened.project, "--to", &arguments.to)?;
    let topology = Topology::new(&opened.project.name, &opened.selected(&[])?, &opened.catalog, kind)?;
    let mut out = stdout();
    if arguments.dot {
        write!(out, "{}", topology.to_dot())?;
        out.flush()?;
        return Ok(Outcome::Done);
    }
    let declared = match arguments.apply {
        true => apply(&broker, &topology, interrupt::flag())?,
        false => inspect(&broker, &topology, interrupt::flag())?,
    };
    match arguments.json {
        true => writeln!(out, "{:#}", as_json(&topology, &declared))?,
        false => write!(out, "{}", as_text(&topology, &declared))?,
    }
    out.flush()?;
    let differs = declared.iter().any(|declared| matches!(declared.state, State::Differs(_)));
    Ok(if differs { Outcome::Rejects } else { Outcome::Done })
}

fn as_text(topology: &Topology, declared: &[Declared]) -> String {
    let rows = declared.iter().map(|one| {
        let keys = topology.queues.iter().find(|queue| queue.name == one.name).map_or(0, |queue| queue.keys.len());
        let keys = if keys == 0 { "-".to_string() } else { keys.to_string() };
        vec![one.what.to_string(), one.name.clone(), one.kind.to_string(), keys, state(&one.state)]
    });
    let mut text = table(&["", "name", "kind", "bindings", "on the broker"], rows);
    if declared.iter().any(|one| matches!(one.state, State::Differs(_))) {
        text.push_str(
            "\nnothing was declared; delete what differs when it is empty (rabbitmqctl delete_queue), or write its kind \
             into module.toml: queue = \"classic\"\n",
        );
    } else if declared.iter().any(|one| one.state == State::Missing) {
        text.push_str("\n`--apply` declares what is missing, and binds\n");
    }
    text
}

fn state(state: &State) -> String {
    match state {
        State::Missing => "missing".to_string(),
        State::There(0) => "there".to_string(),
        State::There(messages) => format!("there, {} messages", count(u64::from(*messages))),
        State::Made => "declared".to_string(),
        State::Differs(how) => format!("differs: {how}"),
    }
}

fn as_json(topology: &Topology, declared: &[Declared]) -> Value {
    let one = |one: &Declared| {
        let queue = topology.queues.iter().find(|queue| queue.name == one.name);
        json!({
            "what": one.what, "name": one.name, "kind": one.kind, "state": state(&one.state),
            "module": queue.map(|queue| &queue.module), "bindings": queue.map(|queue| &queue.keys),
        })
    };
    json!({ "exchange": topology.exchange, "declared": declared.iter().map(one).collect::<Vec<_>>() })
}
