//! What a seed did, as tables for a person and as JSON for a machine.

use etl_load::sink::SinkReport;
use etl_schemas::table::TableName;
use etl_transform::{CausalityLedger, Ledger, Offender};
use serde_json::{Value, json};

use super::Seeded;
use crate::output::{count, rate, table};

/// Whether rows or events were rejected.
pub(super) fn has_rejects(seeded: &Seeded) -> bool {
    let rows = seeded.ledger.as_ref().map_or(0, Ledger::rows_quarantined);
    rows > 0 || seeded.sinks.iter().any(|sink| sink.rejected > 0)
}

pub(super) fn as_text(seeded: &Seeded) -> String {
    let Some(ledger) = &seeded.ledger else {
        return format!("{}\nall of it was loaded before; nothing was left to do\n", module_table(&seeded.sinks));
    };
    let seconds = seeded.elapsed.as_secs_f64();
    let mut text = format!("{}\n{}", ledger_table(ledger), module_table(&seeded.sinks));
    text.push_str(&format!("\n{} events in {seconds:.1} s, {}\n", count(ledger.events), rate(ledger.events, seconds)));
    text.push_str(&causality_text(ledger));
    if ledger.rows_quarantined() > 0 {
        let rows = count(ledger.rows_quarantined());
        text.push_str(&format!("{rows} rows are in quarantine; `etl quarantine` prints them with their reasons\n"));
    }
    if let Some(sink) = seeded.sinks.iter().find(|sink| sink.rejected > 0) {
        let place =
            if sink.name == "rabbitmq" { "the checkpoint in the work folder" } else { "its table etl.rejected" };
        text.push_str(&format!("{} rejected events; why, says {place}\n", sink.name));
    }
    for sink in seeded.sinks.iter().filter(|sink| sink.repeated > 0) {
        let repeated = count(sink.repeated);
        text.push_str(&format!("{repeated} messages were published again, because they hadn't been confirmed\n"));
    }
    text
}

/// Where every source row went: a line a table.
pub(crate) fn ledger_table(ledger: &Ledger) -> String {
    let mut rows: Vec<Vec<String>> = ledger
        .tables
        .iter()
        .map(|table| {
            let numbers = [table.rows_read, events(ledger, &table.table), table.rows_filtered, table.rows_quarantined];
            std::iter::once(table.table.to_string()).chain(numbers.map(count)).collect()
        })
        .collect();
    let others = [(&ledger.lookups, "only looked up"), (&ledger.unread, "no mapping reads it")];
    for (tables, why) in others {
        for (name, number) in tables {
            let dashes = std::iter::repeat_n("-".to_string(), 3);
            rows.push([format!("{name}, {why}"), count(*number)].into_iter().chain(dashes).collect());
        }
    }
    rows.sort();
    table(&["table", "rows read", "events made", "rows filtered", "rows quarantined"], rows)
}

/// Effects that came before their cause: a line a constraint, and below it those that came the earliest.
fn causality_text(ledger: &Ledger) -> String {
    if ledger.causality.is_empty() {
        return String::new();
    }
    let rows = ledger.causality.iter().map(|one| {
        let numbers = [one.effects, one.early, one.moved, one.without_cause].map(count);
        [one.effect.clone(), one.cause.clone()].into_iter().chain(numbers).collect()
    });
    let mut text = format!("\n{}", table(&["effect", "after", "effects", "too early", "moved", "without cause"], rows));
    for offender in ledger.causality.iter().flat_map(|one| &one.worst) {
        let Offender { table, row, key, effect_at, cause_at, .. } = offender;
        text.push_str(&format!(" {table} {row}: key {key} at {effect_at}Z, its cause at {cause_at}Z\n"));
    }
    text
}

/// What each module has: a line a module.
pub(crate) fn module_table(sinks: &[SinkReport]) -> String {
    let rows = sinks.iter().map(|sink| {
        let loaded: u64 = sink.tables.iter().map(|table| table.rows).sum();
        let numbers = [loaded, sink.taken, sink.passed_over, sink.rejected];
        let seconds = format!("{:.1}", sink.elapsed.as_secs_f64());
        std::iter::once(sink.name.clone()).chain(numbers.map(count)).chain([seconds]).collect()
    });
    table(&["module", "rows loaded", "events taken", "events of others", "rejected", "seconds"], rows)
}

fn events(ledger: &Ledger, table: &TableName) -> u64 {
    ledger.mappings.iter().filter(|mapping| mapping.table == *table).map(|mapping| mapping.events).sum()
}

pub(super) fn as_json(seeded: &Seeded) -> Value {
    let ledger = seeded.ledger.as_ref();
    json!({
        "seconds": seeded.elapsed.as_secs_f64(),
        "events": ledger.map(|ledger| ledger.events),
        "tables": ledger.map(tables_json),
        "mappings": ledger.map(mappings_json),
        "causality": ledger.map(|ledger| ledger.causality.iter().map(causality_json).collect::<Vec<_>>()),
        "modules": seeded.sinks.iter().map(sink_json).collect::<Vec<_>>(),
    })
}

fn tables_json(ledger: &Ledger) -> Vec<Value> {
    let mut tables: Vec<Value> = ledger
        .tables
        .iter()
        .map(|table| {
            json!({
                "table": table.table.to_string(), "rows": table.rows, "events": events(ledger, &table.table),
                "rows_with_events": table.rows_with_events, "filtered": table.rows_filtered,
                "quarantined": table.rows_quarantined, "looked_up": 0, "unread": 0,
            })
        })
        .collect();
    let without_events = |table: &TableName, rows: u64, looked_up: u64, unread: u64| {
        json!({
            "table": table.to_string(), "rows": rows, "events": 0, "rows_with_events": 0, "filtered": 0,
            "quarantined": 0, "looked_up": looked_up, "unread": unread,
        })
    };
    tables.extend(ledger.lookups.iter().map(|(table, rows)| without_events(table, *rows, *rows, 0)));
    tables.extend(ledger.unread.iter().map(|(table, rows)| without_events(table, *rows, 0, *rows)));
    tables
}

fn mappings_json(ledger: &Ledger) -> Vec<Value> {
    let mapping = |mapping: &etl_transform::MappingLedger| {
        json!({
            "mapping": mapping.mapping, "table": mapping.table.to_string(), "event": mapping.event,
            "events": mapping.events, "rejected": mapping.rejected, "duplicates": mapping.duplicates,
        })
    };
    ledger.mappings.iter().map(mapping).collect()
}

fn causality_json(one: &CausalityLedger) -> Value {
    let worst = one.worst.iter().map(|offender| {
        json!({
            "table": offender.table.to_string(), "row": offender.row, "key": offender.key, "stream": offender.stream,
            "effect_at": format!("{}Z", offender.effect_at), "cause_at": format!("{}Z", offender.cause_at),
        })
    });
    json!({
        "effect": one.effect, "cause": one.cause, "effects": one.effects, "early": one.early, "moved": one.moved,
        "without_cause": one.without_cause, "worst": worst.collect::<Vec<_>>(),
    })
}

pub(crate) fn sink_json(sink: &SinkReport) -> Value {
    let tables = sink.tables.iter().map(|table| (table.table.clone(), Value::from(table.rows)));
    json!({
        "name": sink.name, "complete": sink.complete, "position": sink.position, "taken": sink.taken,
        "passed_over": sink.passed_over, "rejected": sink.rejected, "seconds": sink.elapsed.as_secs_f64(),
        "repeated": sink.repeated,
        "tables": tables.collect::<serde_json::Map<_, _>>(),
    })
}
