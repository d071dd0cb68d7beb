//! `etl events --explain TABLE KEY`: what one source row became, for a person or as JSON.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;

use anyhow::Context;
use etl_load::jsonl::JsonLines;
use etl_load::sink::Sink;
use etl_schemas::event::EventBatch;
use etl_schemas::table::TableName;
use etl_transform::{Explanation, MappingExplanation, RowOutcome, ValueExplanation, explain};
use serde_json::{Value, json};

use super::super::pipeline::Pipeline;
use crate::arguments::EventsArguments;
use crate::failure::Outcome;
use crate::output::stdout;

pub(super) fn run(pipeline: &Pipeline, arguments: &EventsArguments, table: &str, key: &str) -> anyhow::Result<Outcome> {
    let name: TableName = table.parse().unwrap_or_else(|never| match never {});
    let explanations = explain(&pipeline.program, &pipeline.dump, &name, key, arguments.transform.memory / 2)?;
    let mut out = stdout();
    for explanation in &explanations {
        match arguments.json {
            true => writeln!(out, "{}", as_json(pipeline, explanation)?)?,
            false => write!(out, "{}", as_text(pipeline, explanation)?)?,
        }
    }
    out.flush()?;
    Ok(Outcome::Done)
}

fn as_text(pipeline: &Pipeline, explanation: &Explanation) -> anyhow::Result<String> {
    let Explanation { table, key, part, block, row, blocks_read, .. } = explanation;
    let (read, all) = blocks_read;
    let mut text =
        format!("{table} {key}: {}, block {block}, row {row} ({read} of {all} blocks read)\n", part.display());
    if let Some(content) = &explanation.content {
        writeln!(text, "  {content}")?;
    }
    if let Some(reason) = &explanation.unreadable {
        writeln!(text, "  quarantined: {reason}")?;
    } else if explanation.mappings.is_empty() {
        writeln!(text, "  no mapping is driven by {table}, so its rows make no events")?;
    }
    for mapping in &explanation.mappings {
        mapping_text(pipeline, mapping, &mut text)?;
    }
    Ok(text)
}

fn mapping_text(pipeline: &Pipeline, mapping: &MappingExplanation, text: &mut String) -> anyhow::Result<()> {
    let outcome = match &mapping.outcome {
        RowOutcome::Event(_) => "an event".to_string(),
        RowOutcome::Filtered(by) => format!("filtered by {by}"),
        RowOutcome::Quarantined(reason) => format!("quarantined: {reason}"),
    };
    writeln!(text, "\n{}: {outcome}", mapping.mapping)?;
    for (join, found) in &mapping.joins {
        let found = if *found { "found" } else { "not there" };
        writeln!(text, "  {}: {} is {found}", join.expression, shown(join))?;
    }
    for condition in &mapping.conditions {
        writeln!(text, "  WHERE {}: {}", condition.expression, shown(condition))?;
    }
    for value in &mapping.values {
        writeln!(text, "  {} = {}: {}", value.name, value.expression, shown(value))?;
    }
    if let RowOutcome::Event(batch) = &mapping.outcome {
        writeln!(text, "  -> {}", line(pipeline, batch)?)?;
    }
    Ok(())
}

fn shown(value: &ValueExplanation) -> String {
    match &value.value {
        Ok(Some(text)) => text.clone(),
        Ok(None) => "NULL".to_string(),
        Err(reason) => format!("no value ({reason})"),
    }
}

/// The event as `etl events` prints it, but for its position.
fn line(pipeline: &Pipeline, batch: &EventBatch) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    let mut lines = JsonLines::new("explain", &mut bytes, &pipeline.catalog).without_positions();
    lines.write(&Arc::new(batch.clone()))?;
    lines.finish()?;
    drop(lines);
    Ok(String::from_utf8(bytes).context("JSON is UTF-8")?.trim_end().to_string())
}

fn as_json(pipeline: &Pipeline, explanation: &Explanation) -> anyhow::Result<Value> {
    let content = explanation.content.as_deref().map(serde_json::from_str::<Value>).transpose()?;
    let mappings: anyhow::Result<Vec<Value>> =
        explanation.mappings.iter().map(|mapping| mapping_json(pipeline, mapping)).collect();
    Ok(json!({
        "table": explanation.table.to_string(), "key": explanation.key, "part": explanation.part,
        "block": explanation.block, "row": explanation.row, "blocks_read": explanation.blocks_read.0,
        "blocks": explanation.blocks_read.1, "content": content, "unreadable": explanation.unreadable,
        "mappings": mappings?,
    }))
}

fn mapping_json(pipeline: &Pipeline, mapping: &MappingExplanation) -> anyhow::Result<Value> {
    let (outcome, because, event) = match &mapping.outcome {
        RowOutcome::Event(batch) => ("event", None, Some(serde_json::from_str::<Value>(&line(pipeline, batch)?)?)),
        RowOutcome::Filtered(by) => ("filtered", Some(by), None),
        RowOutcome::Quarantined(reason) => ("quarantined", Some(reason), None),
    };
    let value = |explained: &ValueExplanation| {
        let (value, error) = match &explained.value {
            Ok(value) => (value.clone(), None),
            Err(reason) => (None, Some(reason.clone())),
        };
        json!({ "name": explained.name, "expression": explained.expression, "value": value, "error": error })
    };
    let joins: Vec<Value> = (mapping.joins.iter())
        .map(|(join, found)| json!({ "join": join.expression, "key": join.value.as_ref().ok(), "found": found }))
        .collect();
    Ok(json!({
        "mapping": mapping.mapping, "type": mapping.event, "outcome": outcome, "because": because, "event": event,
        "joins": joins, "conditions": mapping.conditions.iter().map(value).collect::<Vec<_>>(),
        "values": mapping.values.iter().map(value).collect::<Vec<_>>(),
    }))
}
