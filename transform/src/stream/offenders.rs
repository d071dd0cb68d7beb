//! The ledger of constraints: tallies with their worst offenders by name. Offenders are few, so their rows are read again
//! rather than kept.

use etl_schemas::dump::BlockBuffer;
use etl_schemas::event::EventKey;

use crate::causality::{Numbering, Offense, Tally};
use crate::error::TransformError;
use crate::ledger::{CausalityLedger, Offender};
use crate::scan::{Source, TableScanner, TraceOutcome, key_text};

/// One entry for each constraint: from the run where it is only counted, from the scans before it where it is repaired.
pub(super) fn causality(
    source: &Source,
    repaired: &[Tally],
    observed: &[Tally],
) -> Result<Vec<CausalityLedger>, TransformError> {
    let mut ledgers = Vec::with_capacity(source.program.constraints.len());
    for (place, constraint) in source.program.constraints.iter().enumerate() {
        let found = if constraint.repair { repaired.get(place) } else { observed.get(place) };
        let tally = found.cloned().unwrap_or_default();
        let worst = tally.worst.iter().filter_map(|offense| offender(source, offense).transpose());
        ledgers.push(CausalityLedger {
            effect: constraint.effect.name.clone(),
            cause: constraint.cause.name.clone(),
            effects: tally.effects,
            early: tally.early,
            moved: tally.moved,
            without_cause: tally.without_cause,
            worst: worst.collect::<Result<_, _>>()?,
        });
    }
    Ok(ledgers)
}

fn offender(source: &Source, offense: &Offense) -> Result<Option<Offender>, TransformError> {
    let (scan, part, block) = Numbering::new(&source.parts).place(offense.block);
    let part = &source.parts[scan][part];
    let mut buffer = BlockBuffer::new();
    part.read(block, &mut buffer)?;
    let row = buffer.rows().nth(offense.row as usize).unwrap_or_default();
    let traces = TableScanner::new(&source.program, &source.dump, scan)?.trace(row, &source.lookups);
    let mut traces = traces.unwrap_or_default().into_iter();
    let Some(trace) = traces.find(|trace| trace.mapping == usize::from(offense.mapping)) else { return Ok(None) };
    let TraceOutcome::Event(entry, arena) = trace.outcome else { return Ok(None) };
    let stream = &entry.payload(&arena)[usize::from(entry.key_len)..][..usize::from(entry.stream_len)];
    let table = &source.program.scans[scan].table;
    Ok(Some(Offender {
        table: table.name.clone(),
        row: key_text(table, part.layout(), row),
        key: EventKey::from_bytes(entry.key(&arena)).map_or_else(String::new, |key| key.to_string()),
        stream: String::from_utf8_lossy(stream).into_owned(),
        effect_at: offense.effect_at,
        cause_at: offense.cause_at,
    }))
}
