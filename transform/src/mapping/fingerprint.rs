//! What decides which events a dump gives, as one hash: downstream checkpoints name it and refuse to go on when it
//! has changed.

use etl_schemas::event::{EventCatalog, EventFieldKind};
use sha2::{Digest, Sha256};

use crate::causality::Constraint;
use crate::derived::DerivedTable;
use crate::zone::Zone;

/// Raised when evaluation itself changes in a way that gives other events.
const VERSION: u32 = 1;

/// SHA-256, hex. The statements come in the parser's wording, so that comments and layout don't count.
pub(super) fn fingerprint(
    statements: &[String],
    catalog: &EventCatalog,
    zone: Option<&Zone>,
    constraints: &[Constraint],
    derived: &[DerivedTable],
) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    add(&format!("etl program {VERSION}"));
    add(&catalog.namespace.to_string());
    add(zone.map_or("", Zone::name));
    for event_type in &catalog.types {
        add(&event_type.name);
        for field in &event_type.fields {
            add(&format!("{} {} {} {}", field.number, field.name, field.optional, kind(&field.kind)));
        }
    }
    for statement in statements {
        add(statement);
    }
    for table in derived {
        add(&table.definition());
    }
    // What is only counted changes no event.
    for constraint in constraints.iter().filter(|constraint| constraint.repair) {
        add(&format!("{} after {}", constraint.effect.name, constraint.cause.name));
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn kind(kind: &EventFieldKind) -> String {
    match kind {
        EventFieldKind::Enum(descriptor) => {
            let values: Vec<String> =
                descriptor.values().map(|value| format!("{}={}", value.name(), value.number())).collect();
            format!("{} {}", descriptor.full_name(), values.join(","))
        }
        plain => format!("{plain:?}"),
    }
}
