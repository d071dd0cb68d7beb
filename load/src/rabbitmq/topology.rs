//! What must be declared on the broker: one topic exchange, a queue for each module, and where dead letters go.
//!
//! In: a project's name and its modules. Out: a [`Topology`], which is shown, compared with the broker and declared. All
//! policies are arguments of the queues, so that an account that may declare needs nothing more.

use etl_schemas::event::EventCatalog;
use lapin::types::{AMQPValue, FieldTable, ShortString};

use super::routes::{binding_key, end_key};
use crate::LoadError;
use crate::module::{Module, QueueKind};

/// AMQP's room for names and keys.
const NAME_BYTES_MAX: usize = 255;
/// What stands in the place of a module's name for messages that no consumer can read.
const DEAD: &str = "dead";

/// All that is declared for a project.
#[derive(Clone, Debug)]
pub struct Topology {
    /// The topic exchange; named like the project.
    pub exchange: String,
    /// The fanout exchange and the queue of messages that no consumer can read; both have this name.
    pub dead: String,
    /// Whether the queue of dead letters is replicated.
    pub dead_is_quorum: bool,
    /// A queue a module, in the order of their names.
    pub queues: Vec<ModuleQueue>,
}

/// The queue of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleQueue {
    /// The module.
    pub module: String,
    /// The queue.
    pub name: String,
    /// What kind of queue.
    pub kind: QueueKind,
    /// The keys it is bound to: one for each type that the module takes, and the one of the end.
    pub keys: Vec<String>,
}

impl Topology {
    /// For these modules; `kind` is for those that say none themselves.
    ///
    /// # Errors
    /// When a module's queue would be that of the dead letters, or a name has more bytes than AMQP has room for.
    pub fn new(
        project: &str,
        modules: &[Module],
        catalog: &EventCatalog,
        kind: QueueKind,
    ) -> Result<Topology, LoadError> {
        if let Some(module) = modules.iter().find(|module| module.name == DEAD) {
            let problem = format!("its queue would be `{project}.{DEAD}`, which is the one of dead letters");
            let diagnostic =
                module.at_name(problem).help("name the module otherwise; by way of RabbitMQ it can't be this");
            return Err(LoadError::Invalid(vec![diagnostic]));
        }
        let mut queues: Vec<ModuleQueue> = modules
            .iter()
            .map(|module| {
                let types = module.handlers.iter().map(|handler| &catalog.types[usize::from(handler.rank)].name);
                let keys = types.map(|name| binding_key(name)).chain([end_key(&module.name)]).collect();
                let kind = module.queue.unwrap_or(kind);
                ModuleQueue { module: module.name.clone(), name: format!("{project}.{}", module.name), kind, keys }
            })
            .collect();
        queues.sort_by(|a, b| a.module.cmp(&b.module));
        let dead_is_quorum = kind != QueueKind::Classic;
        let topology =
            Topology { exchange: project.to_string(), dead: format!("{project}.{DEAD}"), dead_is_quorum, queues };
        let names = topology.queues.iter().flat_map(|queue| queue.keys.iter().chain([&queue.name]));
        let long = names.chain([&topology.dead]).find(|name| name.len() > NAME_BYTES_MAX).cloned();
        match long {
            None => Ok(topology),
            Some(long) => {
                let problem = format!("`{long}` has more than {NAME_BYTES_MAX} bytes, which AMQP has no room for");
                Err(LoadError::Target { problem, help: "shorten the names of project and event types".to_string() })
            }
        }
    }

    /// The queue of a module.
    pub fn queue(&self, module: &str) -> Option<&ModuleQueue> {
        self.queues.iter().find(|queue| queue.module == module)
    }

    pub(super) fn arguments(&self, queue: &ModuleQueue) -> FieldTable {
        let mut arguments = FieldTable::default();
        let mut put = |name: &str, value: AMQPValue| {
            arguments.insert(name.into(), value);
        };
        put("x-queue-type", text(queue.kind.name()));
        if queue.kind != QueueKind::Stream {
            // One consumer at a time, so that several may stand by and order is kept.
            put("x-single-active-consumer", AMQPValue::Boolean(true));
            put("x-dead-letter-exchange", text(&self.dead));
        }
        if queue.kind == QueueKind::Quorum {
            // A dead letter is kept until its queue has confirmed it; that needs a queue which refuses what is too much.
            put("x-dead-letter-strategy", text("at-least-once"));
            put("x-overflow", text("reject-publish"));
        }
        arguments
    }

    pub(super) fn dead_arguments(&self) -> FieldTable {
        let mut arguments = FieldTable::default();
        let kind = if self.dead_is_quorum { QueueKind::Quorum } else { QueueKind::Classic };
        arguments.insert("x-queue-type".into(), text(kind.name()));
        arguments
    }

    /// The exchange, the queues and their bindings as a graph for Graphviz.
    pub fn to_dot(&self) -> String {
        let mut dot = "digraph topology {\n  rankdir=LR; node [fontname=\"sans-serif\"];\n".to_string();
        dot.push_str(&format!("  \"{}\" [shape=cds];\n  \"dead: {}\" [shape=box];\n", self.exchange, self.dead));
        for queue in &self.queues {
            let ModuleQueue { name, kind, keys, .. } = queue;
            dot.push_str(&format!("  \"{name}\" [shape=box, label=\"{name}\\n{}\"];\n", kind.name()));
            for key in keys {
                dot.push_str(&format!("  \"{}\" -> \"{name}\" [label=\"{key}\"];\n", self.exchange));
            }
            if *kind != QueueKind::Stream {
                dot.push_str(&format!("  \"{name}\" -> \"dead: {}\" [style=dashed];\n", self.dead));
            }
        }
        dot.push_str("}\n");
        dot
    }
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

/// A name as AMQP wants it.
pub(super) fn short(name: &str) -> ShortString {
    ShortString::try_new(name).expect("names and keys are checked when the topology is made, or cut")
}
