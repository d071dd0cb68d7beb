//! Keeping account of a run: rows into the ledger, rejected ones into quarantine.

use std::collections::HashMap;

use etl_schemas::dump::{BlockBuffer, Dump};

use super::RunOptions;
use crate::error::TransformError;
use crate::ledger::{CausalityLedger, Ledger, MappingLedger, TableLedger};
use crate::mapping::Program;
use crate::order::Duplicate;
use crate::quarantine::{Quarantine, Rejected};
use crate::scan::{ScannedBlock, Source, key_text};

/// The ledger while it grows.
pub(super) struct Account {
    ledger: Ledger,
    quarantine: Quarantine,
    /// Which rows of a block are in quarantine, a bit for each; only blocks with such rows are here. So a row counts
    /// once, however many mappings reject it.
    rejected_rows: HashMap<usize, Vec<u64>>,
    rejects: u64,
    max_rejects: Option<u64>,
}

impl Account {
    pub(super) fn new(program: &Program, dump: &Dump, options: &RunOptions) -> Result<Account, TransformError> {
        let rows = |table| dump.table(table).map_or(0, etl_schemas::dump::DumpTable::rows);
        let tables = program.scans.iter().map(|scan| TableLedger {
            table: scan.table.name.clone(),
            rows: rows(&scan.table.name),
            rows_read: 0,
            rows_with_events: 0,
            rows_filtered: 0,
            rows_quarantined: 0,
        });
        let mappings = program.mappings.iter().map(|mapping| MappingLedger {
            mapping: mapping.name.clone(),
            table: program.scans[mapping.scan].table.name.clone(),
            event: program.catalog.types[usize::from(mapping.rank)].name.clone(),
            events: 0,
            rejected: 0,
            duplicates: 0,
        });
        let only_looked_up = program.lookups.iter().map(|lookup| &lookup.table.name);
        let only_looked_up =
            only_looked_up.filter(|table| !program.scans.iter().any(|scan| scan.table.name == **table));
        let ledger = Ledger {
            tables: tables.collect(),
            mappings: mappings.collect(),
            lookups: only_looked_up.map(|table| (table.clone(), rows(table))).collect(),
            unread: program.unread.iter().map(|table| (table.clone(), rows(table))).collect(),
            causality: Vec::new(),
            events: 0,
            complete: false,
        };
        Ok(Account {
            ledger,
            quarantine: Quarantine::create(&options.work_folder)?,
            rejected_rows: HashMap::new(),
            rejects: 0,
            max_rejects: options.max_rejects,
        })
    }

    pub(super) fn rows_read(&self) -> u64 {
        self.ledger.tables.iter().map(|table| table.rows_read).sum()
    }

    pub(super) fn rejects(&self) -> u64 {
        self.rejects
    }

    pub(super) fn released(&mut self, events: u64) {
        self.ledger.events = events;
    }

    /// Takes a block into account.
    pub(super) fn block(
        &mut self,
        source: &Source,
        place: usize,
        scanned: &ScannedBlock,
    ) -> Result<(), TransformError> {
        let planned = source.plan.blocks[place];
        for (mapping, run) in &scanned.runs {
            self.ledger.mappings[*mapping].events += run.entries.len() as u64;
        }
        let table = &mut self.ledger.tables[planned.scan];
        table.rows_read += scanned.rows;
        table.rows_with_events += scanned.with_events;
        table.rows_filtered += scanned.filtered;
        for reject in &scanned.rejects {
            let mapping = match reject.mapping {
                None => "",
                Some(mapping) => {
                    self.ledger.mappings[mapping].rejected += 1;
                    &source.program.mappings[mapping].name
                }
            };
            self.ledger.tables[planned.scan].rows_quarantined += u64::from(self.mark(place, reject.row));
            self.quarantine.add(&Rejected {
                table: &source.program.scans[planned.scan].table.name,
                key: &reject.key,
                mapping,
                reason: &reject.reason,
                part: planned.part,
                block: planned.block,
                row: reject.row,
                content: &reject.content,
            })?;
            self.count(&reject.reason)?;
        }
        Ok(())
    }

    /// Moves a row whose event turned out to be a duplicate into quarantine.
    pub(super) fn duplicate(&mut self, source: &Source, duplicate: &Duplicate) -> Result<(), TransformError> {
        let place = duplicate.entry.block as usize;
        let planned = source.plan.blocks[place];
        let mapping = usize::from(duplicate.entry.mapping);
        let (first_place, first_row, first_mapping) = duplicate.first;
        let first = source.plan.blocks[first_place as usize];
        let reason = format!(
            "duplicate: key {} at {} is there already, from {}, block {}, row {} by {}",
            duplicate.key,
            duplicate.entry.occurred_at,
            source.parts[first.scan][first.part].path().display(),
            first.block,
            first_row,
            source.program.mappings[usize::from(first_mapping)].name,
        );
        let ledger = &mut self.ledger.mappings[mapping];
        ledger.events -= 1;
        ledger.rejected += 1;
        ledger.duplicates += 1;
        if self.mark(place, duplicate.entry.row) {
            let table = &mut self.ledger.tables[planned.scan];
            table.rows_with_events -= 1;
            table.rows_quarantined += 1;
        }
        // Duplicates are few, so their rows are read again rather than kept.
        let part = &source.parts[planned.scan][planned.part];
        let mut buffer = BlockBuffer::new();
        part.read(planned.block, &mut buffer)?;
        let content = buffer.rows().nth(duplicate.entry.row as usize).unwrap_or_default();
        let table = &source.program.scans[planned.scan].table;
        self.quarantine.add(&Rejected {
            table: &table.name,
            key: &key_text(table, part.layout(), content),
            mapping: &source.program.mappings[mapping].name,
            reason: &reason,
            part: planned.part,
            block: planned.block,
            row: duplicate.entry.row,
            content,
        })?;
        self.count(&reason)
    }

    /// Whether the row wasn't in quarantine before.
    fn mark(&mut self, block: usize, row: u32) -> bool {
        let bits = self.rejected_rows.entry(block).or_default();
        let (word, bit) = (row as usize / 64, 1u64 << (row % 64));
        if bits.len() <= word {
            bits.resize(word + 1, 0);
        }
        let is_new = bits[word] & bit == 0;
        bits[word] |= bit;
        is_new
    }

    /// Counts a reject, and stops the run when there are too many.
    fn count(&mut self, reason: &str) -> Result<(), TransformError> {
        self.rejects += 1;
        match self.max_rejects {
            Some(max_rejects) if self.rejects > max_rejects => {
                self.quarantine.close()?;
                Err(TransformError::TooManyRejects {
                    rejects: self.rejects,
                    max_rejects,
                    last: reason.to_string(),
                    folder: self.quarantine.folder().to_path_buf(),
                })
            }
            _ => Ok(()),
        }
    }

    /// Closes the quarantine and hands over the ledger.
    pub(super) fn finish(mut self, complete: bool, causality: Vec<CausalityLedger>) -> Result<Ledger, TransformError> {
        self.quarantine.close()?;
        self.ledger.causality = causality;
        self.ledger.complete = complete;
        Ok(self.ledger)
    }
}
