//! Moves: which rows' events get a later time, on disk by block, so that they cost memory by the block and not by the
//! event.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use etl_schemas::ticks::Ticks;

use super::record::first;
use crate::error::TransformError;
use crate::order::SpillFolder;

/// Bytes of a move.
pub(super) const BYTES: usize = 18;

/// An event that gets another time. Ordered as bytes by block, row, mapping and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Move {
    pub block: u32,
    pub row: u32,
    pub mapping: u16,
    pub time: Ticks,
}

impl Move {
    pub(super) fn encode(&self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes[..4].copy_from_slice(&self.block.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.row.to_be_bytes());
        bytes[8..10].copy_from_slice(&self.mapping.to_be_bytes());
        bytes[10..].copy_from_slice(&(self.time.0 as u64 ^ 1 << 63).to_be_bytes());
        bytes
    }

    fn decode(bytes: &[u8; BYTES]) -> Move {
        Move {
            block: u32::from_be_bytes(first(&bytes[..4])),
            row: u32::from_be_bytes(first(&bytes[4..8])),
            mapping: u16::from_be_bytes(first(&bytes[8..10])),
            time: Ticks((u64::from_be_bytes(first(&bytes[10..])) ^ 1 << 63) as i64),
        }
    }
}

/// Where a block's moves lie: offset, number, CRC-32.
type Place = (u64, u32, u32);

/// All moves of a run, by block.
#[derive(Debug)]
pub(crate) struct Moves {
    path: PathBuf,
    file: File,
    blocks: HashMap<u32, Place>,
    /// Removes the file in the end.
    _folder: SpillFolder,
}

/// Writes moves that come in order.
pub(super) struct MovesWriter {
    path: PathBuf,
    file: BufWriter<File>,
    offset: u64,
    block: Vec<Move>,
    blocks: HashMap<u32, Place>,
}

impl MovesWriter {
    pub(super) fn create(path: PathBuf) -> Result<MovesWriter, TransformError> {
        let file = File::options().read(true).write(true).create_new(true).open(&path);
        let file = BufWriter::new(file.map_err(|source| TransformError::Work { path: path.clone(), source })?);
        Ok(MovesWriter { path, file, offset: 0, block: Vec::new(), blocks: HashMap::new() })
    }

    /// Takes the next move. Of two of one event the later time holds.
    pub(super) fn add(&mut self, bytes: &[u8; BYTES]) -> Result<(), TransformError> {
        let next = Move::decode(bytes);
        if self.block.first().is_some_and(|first| first.block != next.block) {
            self.close_block()?;
        }
        match self.block.last_mut() {
            Some(last) if (last.row, last.mapping) == (next.row, next.mapping) => *last = next,
            _ => self.block.push(next),
        }
        Ok(())
    }

    fn close_block(&mut self) -> Result<(), TransformError> {
        let Some(first) = self.block.first() else { return Ok(()) };
        let bytes: Vec<u8> = self.block.iter().flat_map(Move::encode).collect();
        self.blocks.insert(first.block, (self.offset, self.block.len() as u32, crc32fast::hash(&bytes)));
        self.file.write_all(&bytes).map_err(|source| TransformError::Work { path: self.path.clone(), source })?;
        self.offset += bytes.len() as u64;
        self.block.clear();
        Ok(())
    }

    pub(super) fn finish(mut self, folder: SpillFolder) -> Result<Moves, TransformError> {
        self.close_block()?;
        let file = self.file.into_inner().map_err(std::io::IntoInnerError::into_error);
        let file = file.map_err(|source| TransformError::Work { path: self.path.clone(), source })?;
        Ok(Moves { path: self.path, file, blocks: self.blocks, _folder: folder })
    }
}

impl Moves {
    /// Whether any event of the block moves.
    pub(crate) fn has(&self, block: u32) -> bool {
        self.blocks.contains_key(&block)
    }

    /// The block's moves, by row and mapping.
    pub(super) fn of(&self, block: u32) -> Result<Vec<Move>, TransformError> {
        let Some((offset, count, checksum)) = self.blocks.get(&block).copied() else { return Ok(Vec::new()) };
        let mut bytes = vec![0; count as usize * BYTES];
        let read = self.file.read_exact_at(&mut bytes, offset);
        read.map_err(|source| TransformError::Work { path: self.path.clone(), source })?;
        if crc32fast::hash(&bytes) != checksum {
            return Err(TransformError::Spill { path: self.path.clone(), offset });
        }
        let (moves, _) = bytes.as_chunks::<BYTES>();
        Ok(moves.iter().map(Move::decode).collect())
    }

    /// The numbers of all blocks with moves, in order.
    pub(super) fn blocks(&self) -> Vec<u32> {
        let mut blocks: Vec<u32> = self.blocks.keys().copied().collect();
        blocks.sort_unstable();
        blocks
    }
}
