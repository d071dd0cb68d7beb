//! Whether a key tells the events of its type apart: ids are made from it, so two events with one key would have one id.
//!
//! Events of equal key and time meet in the merge, which finds them. Those of equal key and different times don't; they
//! are looked for here, exactly. In: the plan's zone maps, then every run. Out: two events that share a key, if any do.
//!
//! Where one mapping makes a type's events and its key is an integer column whose zones don't overlap from block to
//! block, as with every identity, only blocks are looked at one by one, which costs a comparison an event. For all
//! other types id and time of each event go to files, partitioned by id, and every partition is sorted at the end. So
//! memory is bounded, and no event waits.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, Write};
use std::path::PathBuf;
use std::sync::Arc;

use etl_schemas::dump::Part;
use etl_schemas::event::{EventCatalog, EventKey};
use etl_schemas::ticks::Ticks;

use super::entry::{Entry, Run};
use super::spill_folder::SpillFolder;
use crate::error::TransformError;
use crate::expression::{Expr, Slot};
use crate::mapping::{Mapping, Program};

/// A partition is sorted in memory in pieces of about this size.
const PIECE_BYTES: u64 = 8 << 20;
const PARTITIONS_MAX: u64 = 256;
const BUFFER_BYTES: usize = 16 << 10;

/// An event that may share its id: id, time, and its source's block, row and mapping.
type Record = ([u8; 16], i64, u32, u32, u16);
const RECORD_BYTES: usize = 34;

/// Where an event comes from: block of the plan, row, mapping, and when it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Origin {
    pub occurred_at: Ticks,
    pub block: u32,
    pub row: u32,
    pub mapping: u16,
}

/// Two events of one key and of different times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Repeated {
    pub first: Origin,
    pub second: Origin,
}

struct Partition {
    path: PathBuf,
    file: BufWriter<File>,
}

/// The check while events go by.
pub(crate) struct KeyCheck {
    catalog: Arc<EventCatalog>,
    /// By rank: whether the zone maps tell the blocks' keys apart.
    apart: Vec<bool>,
    partitions: Vec<Partition>,
}

impl KeyCheck {
    /// Looks at the plan, and makes files when some type needs them.
    pub(crate) fn create(
        program: &Program,
        parts: &[Vec<Part>],
        folder: &mut SpillFolder,
    ) -> Result<KeyCheck, TransformError> {
        let apart: Vec<bool> = (0..program.catalog.types.len()).map(|rank| are_apart(program, parts, rank)).collect();
        let unsettled = program.mappings.iter().filter(|mapping| !apart[usize::from(mapping.rank)]);
        let rows: u64 = unsettled.map(|mapping| parts[mapping.scan].iter().map(Part::rows).sum::<u64>()).sum();
        let count = match rows {
            0 => 0,
            rows => (rows * RECORD_BYTES as u64 / PIECE_BYTES + 1).min(PARTITIONS_MAX),
        };
        let mut partitions = Vec::new();
        for _ in 0..count {
            let path = folder.next_file();
            let file = File::options().read(true).write(true).create_new(true).open(&path);
            let file = file.map_err(|source| TransformError::Work { path: path.clone(), source })?;
            partitions.push(Partition { path, file: BufWriter::with_capacity(BUFFER_BYTES, file) });
        }
        Ok(KeyCheck { catalog: Arc::clone(&program.catalog), apart, partitions })
    }

    /// Looks at the events of one mapping in one block.
    pub(crate) fn look_at(&mut self, run: &Run) -> Result<Option<Repeated>, TransformError> {
        let Some(rank) = run.entries.first().map(|entry| entry.rank) else { return Ok(None) };
        match self.apart[usize::from(rank)] {
            true if run.keys_rise => Ok(None),
            true => Ok(repeated_within(run)),
            false => self.keep(run).map(|()| None),
        }
    }

    fn keep(&mut self, run: &Run) -> Result<(), TransformError> {
        for entry in run.entries.iter() {
            let key = EventKey::from_bytes(entry.key(&run.arena)).expect("the scan writes keys by `put_*_key`");
            let id = self.catalog.event_id(entry.rank, &key).into_bytes();
            let place = usize::from(u16::from_be_bytes([id[0], id[1]])) % self.partitions.len();
            let partition = &mut self.partitions[place];
            let record = (id, entry.occurred_at.0, entry.block, entry.row, entry.mapping);
            let written = partition.file.write_all(&encoded(record));
            written.map_err(|source| TransformError::Work { path: partition.path.clone(), source })?;
        }
        Ok(())
    }

    /// Sorts what was kept, when every event has gone by. Files go with the run's folder.
    pub(crate) fn finish(&mut self) -> Result<Option<Repeated>, TransformError> {
        for mut partition in self.partitions.drain(..) {
            let failed = |source| TransformError::Work { path: partition.path.clone(), source };
            partition.file.flush().map_err(failed)?;
            let file = partition.file.get_mut();
            let bytes = file.stream_position().map_err(failed)?;
            for piece in 0..=bytes / (2 * PIECE_BYTES) {
                let found = repeated_in(file, piece, bytes / (2 * PIECE_BYTES) + 1).map_err(failed)?;
                if found.is_some() {
                    return Ok(found);
                }
            }
            // What was looked through gives its room on disk back at once.
            std::fs::remove_file(&partition.path).map_err(failed)?;
        }
        Ok(None)
    }
}

/// Whether a type's keys come from one integer column, and no two blocks can hold the same.
fn are_apart(program: &Program, parts: &[Vec<Part>], rank: usize) -> bool {
    let mut mappings = program.mappings.iter().filter(|mapping| usize::from(mapping.rank) == rank);
    let (Some(mapping), None) = (mappings.next(), mappings.next()) else { return false };
    let Mapping { key: Expr::Column(Slot::Row(place)), scan, .. } = mapping else { return false };
    let column = program.scans[*scan].columns[*place];
    let mut last = None;
    for block in parts[*scan].iter().flat_map(Part::blocks) {
        let Some(zone) = block.zone(column) else { return false };
        let Some((least, most)) = zone.range else { continue };
        if last.is_some_and(|last| least <= last) {
            return false;
        }
        last = Some(most);
    }
    true
}

/// Two events of a block with one key, at different times.
#[cold]
fn repeated_within(run: &Run) -> Option<Repeated> {
    let mut entries: Vec<&Entry> = run.entries.iter().collect();
    entries.sort_unstable_by_key(|entry| (entry.key(&run.arena), entry.occurred_at, entry.row));
    let origin = |entry: &Entry| {
        let Entry { occurred_at, block, row, mapping, .. } = *entry;
        Origin { occurred_at, block, row, mapping }
    };
    let is_repeated = |pair: &&[&Entry]| {
        pair[0].key(&run.arena) == pair[1].key(&run.arena) && pair[0].occurred_at != pair[1].occurred_at
    };
    let pair = entries.windows(2).find(is_repeated)?;
    Some(Repeated { first: origin(pair[0]), second: origin(pair[1]) })
}

/// Two events of one id in a piece of a partition: those whose id's third and fourth byte leave this remainder.
fn repeated_in(file: &mut File, piece: u64, pieces: u64) -> std::io::Result<Option<Repeated>> {
    file.rewind()?;
    let mut reader = std::io::BufReader::with_capacity(RECORD_BYTES << 12, file);
    let mut records: Vec<Record> = Vec::new();
    let mut bytes = [0; RECORD_BYTES];
    loop {
        match reader.read_exact(&mut bytes) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error),
            Ok(()) => {
                let record = decoded(&bytes);
                if u64::from(u16::from_be_bytes([record.0[2], record.0[3]])) % pieces == piece {
                    records.push(record);
                }
            }
        }
    }
    records.sort_unstable();
    let origin =
        |(_, occurred_at, block, row, mapping): Record| Origin { occurred_at: Ticks(occurred_at), block, row, mapping };
    let pair = records.windows(2).find(|pair| pair[0].0 == pair[1].0 && pair[0].1 != pair[1].1);
    Ok(pair.map(|pair| Repeated { first: origin(pair[0]), second: origin(pair[1]) }))
}

fn encoded((id, occurred_at, block, row, mapping): Record) -> [u8; RECORD_BYTES] {
    let mut bytes = [0; RECORD_BYTES];
    bytes[..16].copy_from_slice(&id);
    bytes[16..24].copy_from_slice(&occurred_at.to_le_bytes());
    bytes[24..28].copy_from_slice(&block.to_le_bytes());
    bytes[28..32].copy_from_slice(&row.to_le_bytes());
    bytes[32..].copy_from_slice(&mapping.to_le_bytes());
    bytes
}

fn decoded(bytes: &[u8; RECORD_BYTES]) -> Record {
    let (id, rest) = bytes.split_first_chunk().expect("a record begins with 16 bytes");
    let (occurred_at, rest) = rest.split_first_chunk().expect("eight bytes of time follow");
    let (block, rest) = rest.split_first_chunk().expect("four bytes of block follow");
    let (row, rest) = rest.split_first_chunk().expect("four bytes of row follow");
    let mapping = rest.first_chunk().expect("two bytes of mapping end it");
    (
        *id,
        i64::from_le_bytes(*occurred_at),
        u32::from_le_bytes(*block),
        u32::from_le_bytes(*row),
        u16::from_le_bytes(*mapping),
    )
}
