//! Which modules take which events, and by which key a message finds their queues.

use etl_schemas::event::{Event, EventCatalog};
use etl_schemas::uuid5::uuid5;
use uuid::Uuid;

use crate::module::Module;

/// A routing key has at most so many bytes.
const KEY_BYTES_MAX: usize = 255;

/// Modules by event type.
#[derive(Clone, Debug)]
pub struct Routes {
    /// Names, in order.
    pub(super) modules: Vec<String>,
    /// For each event type the modules that take it, as places in `modules`.
    by_rank: Vec<Vec<usize>>,
}

impl Routes {
    /// Of these modules.
    pub fn new(modules: &[Module], catalog: &EventCatalog) -> Routes {
        let mut by_rank = vec![Vec::new(); catalog.types.len()];
        let mut sorted: Vec<&Module> = modules.iter().collect();
        sorted.sort_by(|a, b| a.name.cmp(&b.name));
        for (index, module) in sorted.iter().enumerate() {
            for handler in &module.handlers {
                by_rank[usize::from(handler.rank)].push(index);
            }
        }
        Routes { modules: sorted.iter().map(|module| module.name.clone()).collect(), by_rank }
    }

    /// The modules that take events of this type.
    pub(super) fn takers(&self, rank: u16) -> &[usize] {
        &self.by_rank[usize::from(rank)]
    }

    /// Changes when a module takes other types: what was published before doesn't fit then.
    pub(super) fn fingerprint(&self) -> String {
        uuid5(&Uuid::NAMESPACE_OID, format!("{:?}{:?}", self.modules, self.by_rank).as_bytes()).to_string()
    }
}

/// `<stream category>.<EventType>`: of the stream `member/17` the category is `member`. Words of a key are parted by dots,
/// so a category has `_` instead, and it is cut where the key would be too long.
pub(super) fn routing_key(event: &Event<'_>) -> String {
    let name = &event.event_type().name;
    let stream = event.stream();
    let mut category = stream.split_once('/').map_or(stream, |(category, _)| category);
    while category.len() + 1 + name.len() > KEY_BYTES_MAX {
        let Some((last, _)) = category.char_indices().next_back() else { break };
        category = &category[..last];
    }
    format!("{}.{name}", category.replace('.', "_"))
}

/// Binds a queue to all events of a type.
pub(super) fn binding_key(event_type: &str) -> String {
    format!("*.{event_type}")
}

/// Leads the marker that ends the stream to one module. It has three words, so that it is no event's.
pub(super) fn end_key(module: &str) -> String {
    format!("etl.end.{module}")
}
