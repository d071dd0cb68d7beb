//! Spill files: sorted events on disk, in checksummed frames of bounded size.
//!
//! A frame is `length u32, count u32, CRC-32 u32`, then `count` entries of fixed size, then their payloads; numbers are
//! little-endian, the length and the checksum are of all that follows. Where frames lie, and the first time in each,
//! stays in memory, so that a frame is loaded only when its events are due.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use etl_schemas::ticks::Ticks;

use super::cursor::Cursor;
use super::entry::{Entry, Run};
use crate::error::TransformError;

const HEADER_BYTES: usize = 12;

#[derive(Clone, Copy, Debug)]
struct Frame {
    offset: u64,
    first: Ticks,
}

/// Writes events, which come in order, to a file.
pub(super) struct SpillWriter {
    path: PathBuf,
    file: BufWriter<File>,
    frame_bytes: usize,
    frames: Vec<Frame>,
    offset: u64,
    entries: Vec<Entry>,
    payload: Vec<u8>,
    encoded: Vec<u8>,
}

impl SpillWriter {
    /// `frame_bytes` is the size at which a frame is closed.
    pub(super) fn create(path: PathBuf, frame_bytes: usize) -> Result<SpillWriter, TransformError> {
        let file = File::options().read(true).write(true).create_new(true).open(&path);
        let file = BufWriter::new(file.map_err(|source| TransformError::Work { path: path.clone(), source })?);
        Ok(SpillWriter {
            path,
            file,
            frame_bytes,
            frames: Vec::new(),
            offset: 0,
            entries: Vec::new(),
            payload: Vec::new(),
            encoded: Vec::new(),
        })
    }

    pub(super) fn add(&mut self, entry: &Entry, arena: &[u8]) -> Result<(), TransformError> {
        let offset = self.payload.len() as u32;
        self.entries.push(Entry { offset, ..*entry });
        self.payload.extend_from_slice(entry.payload(arena));
        match self.payload.len() + self.entries.len() * Entry::ENCODED_BYTES >= self.frame_bytes {
            true => self.close_frame(),
            false => Ok(()),
        }
    }

    fn close_frame(&mut self) -> Result<(), TransformError> {
        let Some(first) = self.entries.first() else { return Ok(()) };
        self.frames.push(Frame { offset: self.offset, first: first.occurred_at });
        self.encoded.clear();
        for entry in &self.entries {
            entry.encode(&mut self.encoded);
        }
        self.encoded.extend_from_slice(&self.payload);
        let mut header = [0; HEADER_BYTES];
        header[..4].copy_from_slice(&(self.encoded.len() as u32).to_le_bytes());
        header[4..8].copy_from_slice(&(self.entries.len() as u32).to_le_bytes());
        header[8..].copy_from_slice(&crc32fast::hash(&self.encoded).to_le_bytes());
        let written = self.file.write_all(&header).and_then(|()| self.file.write_all(&self.encoded));
        written.map_err(|source| TransformError::Work { path: self.path.clone(), source })?;
        self.offset += (HEADER_BYTES + self.encoded.len()) as u64;
        self.entries.clear();
        self.payload.clear();
        Ok(())
    }

    /// Closes the last frame. What was written is read back from the first event on.
    pub(super) fn finish(mut self) -> Result<SpillRun, TransformError> {
        self.close_frame()?;
        let file = self.file.into_inner().map_err(std::io::IntoInnerError::into_error);
        let file = file.map_err(|source| TransformError::Work { path: self.path.clone(), source })?;
        Ok(SpillRun { path: self.path, file, frames: self.frames, next: 0, end: self.offset, loaded: Run::default() })
    }
}

/// A spill file being read. Its file is removed when it is dropped.
#[derive(Debug)]
pub(super) struct SpillRun {
    path: PathBuf,
    file: File,
    frames: Vec<Frame>,
    /// The frame to load next.
    next: usize,
    end: u64,
    /// The frame in memory.
    pub loaded: Run,
}

impl SpillRun {
    /// Whether frames are left on disk.
    pub(super) fn has_more(&self) -> bool {
        self.next < self.frames.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.has_more() && self.loaded.left() == 0
    }

    /// The time of the first event on disk.
    pub(super) fn first_on_disk(&self) -> Option<Ticks> {
        self.frames.get(self.next).map(|frame| frame.first)
    }

    /// Loads the next frame, in place of one whose events are all gone.
    pub(super) fn load(&mut self) -> Result<(), TransformError> {
        debug_assert!(self.loaded.left() == 0);
        let Some(frame) = self.frames.get(self.next).copied() else { return Ok(()) };
        let damaged = || TransformError::Spill { path: self.path.clone(), offset: frame.offset };
        let end = self.frames.get(self.next + 1).map_or(self.end, |next| next.offset);
        let mut bytes = vec![0; (end - frame.offset) as usize];
        let read = self.file.read_exact_at(&mut bytes, frame.offset);
        read.map_err(|source| TransformError::Work { path: self.path.clone(), source })?;
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("the slice has 4 bytes"));
        let (length, count, checksum) = (word(0) as usize, word(4) as usize, word(8));
        let content = &bytes[HEADER_BYTES..];
        if length != content.len() || crc32fast::hash(content) != checksum {
            return Err(damaged());
        }
        let payload_at = HEADER_BYTES + count * Entry::ENCODED_BYTES;
        let (encoded, rest) = content[..payload_at - HEADER_BYTES].as_chunks::<{ Entry::ENCODED_BYTES }>();
        debug_assert!(rest.is_empty());
        let mut entries = Vec::with_capacity(count);
        for encoded in encoded {
            let mut entry = Entry::decode(encoded);
            entry.offset += payload_at as u32;
            entries.push(entry);
        }
        self.loaded = Run::new(entries, bytes);
        self.next += 1;
        Ok(())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SpillRun {
    fn drop(&mut self) {
        // What stays behind goes with the whole folder.
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(file = %self.path().display(), %error, "a spill file can't be removed yet");
        }
    }
}

impl Cursor for SpillRun {
    fn peek(&self) -> Option<(&Entry, &[u8])> {
        self.loaded.peek()
    }

    fn advance(&mut self) -> Result<(), TransformError> {
        self.loaded.skip(1);
        match self.loaded.left() == 0 && self.has_more() {
            true => self.load(),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(folder: &Path) -> SpillRun {
        let mut writer = SpillWriter::create(folder.join("a.run"), 200).unwrap();
        for number in 0..50u32 {
            let payload = number.to_be_bytes();
            let entry = Entry {
                occurred_at: Ticks(i64::from(number)),
                key_prefix: 0,
                offset: 0,
                body_len: 1,
                block: number,
                row: 0,
                mapping: 0,
                rank: 0,
                key_len: 2,
                stream_len: 1,
            };
            writer.add(&entry, &payload).unwrap();
        }
        writer.finish().unwrap()
    }

    #[test]
    fn events_come_back_in_order_and_the_file_goes() {
        let folder = tempfile::tempdir().unwrap();
        let mut run = written(folder.path());
        assert!(run.frames.len() > 5);
        run.load().unwrap();
        for number in 0..50u32 {
            let (entry, arena) = run.peek().unwrap();
            assert_eq!((entry.block, entry.payload(arena)), (number, &number.to_be_bytes()[..]));
            run.advance().unwrap();
        }
        assert!(run.is_empty());
        drop(run);
        assert!(!folder.path().join("a.run").exists());
    }

    #[test]
    fn a_flipped_bit_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let mut run = written(folder.path());
        let path = folder.path().join("a.run");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[40] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(run.load(), Err(TransformError::Spill { offset: 0, .. })));
    }
}
