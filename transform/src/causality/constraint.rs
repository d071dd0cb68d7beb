//! Constraints, checked against the event types.

use etl_schemas::diagnostic::{Diagnostic, did_you_mean};
use etl_schemas::event::{EventCatalog, EventField, EventFieldKind};
use etl_schemas::project::{After, EventFieldName};

/// An effect comes after the first cause that has the same value in its field.
#[derive(Clone, Debug)]
pub(crate) struct Constraint {
    pub effect: Side,
    pub cause: Side,
    pub repair: bool,
    /// In which scan its moves are found, from 1: behind those of all constraints that move its cause.
    pub level: usize,
}

/// One end of a constraint.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    pub rank: u16,
    pub field: u32,
    pub kind: EventFieldKind,
    pub optional: bool,
    /// `MessageSent.message_id`
    pub name: String,
}

/// All constraints of a project, or all that is wrong with them.
pub(crate) fn compile(after: &[After], catalog: &EventCatalog) -> Result<Vec<Constraint>, Vec<Diagnostic>> {
    let (mut constraints, mut errors) = (Vec::new(), Vec::new());
    for after in after {
        match (side(&after.effect, catalog), side(&after.cause, catalog)) {
            (Ok(effect), Ok(cause)) => match fits(after, &effect, &cause) {
                Ok(()) => constraints.push(Constraint { effect, cause, repair: after.repair, level: 1 }),
                Err(error) => errors.push(error),
            },
            (effect, cause) => errors.extend(effect.err().into_iter().chain(cause.err())),
        }
    }
    if errors.is_empty()
        && let Err(place) = levels(&mut constraints)
    {
        let help = "leave `repair` out of one of them; it is then counted only";
        errors
            .push(after[place].effect.diagnostic("repairs go in a circle: each effect moves the other's cause", help));
    }
    if errors.is_empty() { Ok(constraints) } else { Err(errors) }
}

fn side(name: &EventFieldName, catalog: &EventCatalog) -> Result<Side, Diagnostic> {
    let Some(event_type) = catalog.event_type(&name.event) else {
        let known = catalog.types.iter().map(|known| known.name.as_str());
        let message = format!("events.proto has no message `{}`", name.event);
        return Err(name.diagnostic(message, did_you_mean(&name.event, known)));
    };
    let Some(EventField { number, kind, optional, .. }) = event_type.field(&name.field) else {
        let known = event_type.fields.iter().map(|known| known.name.as_str());
        let message = format!("{} has no field `{}`", name.event, name.field);
        return Err(name.diagnostic(message, did_you_mean(&name.field, known)));
    };
    let name = format!("{}.{}", name.event, name.field);
    Ok(Side { rank: event_type.rank, field: *number, kind: kind.clone(), optional: *optional, name })
}

fn fits(after: &After, effect: &Side, cause: &Side) -> Result<(), Diagnostic> {
    if effect.rank == cause.rank {
        let message = format!("{} would be its own cause", after.effect.event);
        return Err(after.cause.diagnostic(message, "name two types of events"));
    }
    match effect.kind == cause.kind {
        true => Ok(()),
        false => {
            let message = format!("{} is {:?} and {} is {:?}", cause.name, cause.kind, effect.name, effect.kind);
            Err(after.cause.diagnostic(message, "name two fields of one type in events.proto"))
        }
    }
}

/// Finds every level; the error is a constraint within a circle.
fn levels(constraints: &mut [Constraint]) -> Result<(), usize> {
    for _ in 0..=constraints.len() {
        let mut changed = None;
        for place in 0..constraints.len() {
            // All constraints that move one effect are answered together, when the last of its causes has its time.
            let (effect, cause) = (constraints[place].effect.rank, constraints[place].cause.rank);
            let moved_before = |other: &&Constraint| other.repair && other.effect.rank == cause;
            let beside = |other: &&Constraint| other.repair && other.effect.rank == effect;
            let level = constraints.iter().filter(moved_before).map(|other| other.level + 1);
            let level = level.chain(constraints.iter().filter(beside).map(|other| other.level)).max().unwrap_or(1);
            if constraints[place].repair && level > constraints[place].level {
                constraints[place].level = level;
                changed = Some(place);
            }
        }
        match changed {
            None => return Ok(()),
            Some(place) if constraints[place].level > constraints.len() => return Err(place),
            Some(_) => {}
        }
    }
    Ok(())
}
