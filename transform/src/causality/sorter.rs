//! External sort of records of fixed size: what exceeds the budget waits on disk, in sorted files with a checksum.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::PathBuf;

use crate::error::TransformError;
use crate::order::SpillFolder;

/// More files than this are merged into one, so that those open at a time stay few.
const FILES_MAX: usize = 64;
const BUFFER_BYTES: usize = 64 << 10;

/// Takes records in any order.
pub(crate) struct Sorter<const N: usize> {
    folder: SpillFolder,
    budget: usize,
    records: Vec<[u8; N]>,
    files: Vec<SortedFile>,
}

/// A file of records in order.
struct SortedFile {
    path: PathBuf,
    bytes: u64,
    checksum: u32,
}

impl<const N: usize> Sorter<N> {
    /// Holds at most `budget_bytes` of records in memory, and files in `folder`.
    pub(crate) fn new(folder: SpillFolder, budget_bytes: usize) -> Sorter<N> {
        Sorter { folder, budget: (budget_bytes / N).max(1), records: Vec::new(), files: Vec::new() }
    }

    pub(crate) fn add(&mut self, record: [u8; N]) -> Result<(), TransformError> {
        self.records.push(record);
        match self.records.len() >= self.budget {
            true => self.spill(),
            false => Ok(()),
        }
    }

    fn spill(&mut self) -> Result<(), TransformError> {
        let mut records = std::mem::take(&mut self.records);
        records.sort_unstable();
        let file = write(self.folder.next_file(), |out| records.iter().try_for_each(|record| out.put(record)))?;
        self.files.push(file);
        records.clear();
        self.records = records;
        if self.files.len() < FILES_MAX {
            return Ok(());
        }
        let files = std::mem::take(&mut self.files);
        let path = self.folder.next_file();
        let merged = write(path, |out| merge::<N>(&files, &[], &mut |record| out.put(record)))?;
        self.files.push(merged);
        remove(&files);
        Ok(())
    }

    /// Hands over every record, in order, and gives the folder back.
    pub(crate) fn finish(
        mut self,
        mut take: impl FnMut(&[u8; N]) -> Result<(), TransformError>,
    ) -> Result<SpillFolder, TransformError> {
        self.records.sort_unstable();
        merge(&self.files, &self.records, &mut take)?;
        remove(&self.files);
        Ok(self.folder)
    }
}

/// What can't be removed now goes with the whole folder.
fn remove(files: &[SortedFile]) {
    for file in files {
        let _ = std::fs::remove_file(&file.path);
    }
}

struct Output {
    path: PathBuf,
    file: BufWriter<File>,
    hasher: crc32fast::Hasher,
    bytes: u64,
}

impl Output {
    fn put(&mut self, record: &[u8]) -> Result<(), TransformError> {
        self.hasher.update(record);
        self.bytes += record.len() as u64;
        let written = self.file.write_all(record);
        written.map_err(|source| TransformError::Work { path: self.path.clone(), source })
    }
}

fn write(
    path: PathBuf,
    fill: impl FnOnce(&mut Output) -> Result<(), TransformError>,
) -> Result<SortedFile, TransformError> {
    let failed = |source| TransformError::Work { path: path.clone(), source };
    let file = BufWriter::with_capacity(BUFFER_BYTES, File::create(&path).map_err(failed)?);
    let mut output = Output { path: path.clone(), file, hasher: crc32fast::Hasher::new(), bytes: 0 };
    fill(&mut output)?;
    output.file.flush().map_err(failed)?;
    Ok(SortedFile { path, bytes: output.bytes, checksum: output.hasher.finalize() })
}

/// One sorted source while it is merged.
struct Cursor<'a, const N: usize> {
    file: Option<(&'a SortedFile, BufReader<File>, crc32fast::Hasher)>,
    memory: std::slice::Iter<'a, [u8; N]>,
    next: Option<[u8; N]>,
    left: u64,
}

impl<'a, const N: usize> Cursor<'a, N> {
    fn file(file: &'a SortedFile) -> Result<Cursor<'a, N>, TransformError> {
        let failed = |source| TransformError::Work { path: file.path.clone(), source };
        let reader = BufReader::with_capacity(BUFFER_BYTES, File::open(&file.path).map_err(failed)?);
        let source = Some((file, reader, crc32fast::Hasher::new()));
        let mut cursor = Cursor { file: source, memory: [].iter(), next: None, left: file.bytes };
        cursor.advance()?;
        Ok(cursor)
    }

    fn advance(&mut self) -> Result<(), TransformError> {
        let Some((file, reader, hasher)) = &mut self.file else {
            self.next = self.memory.next().copied();
            return Ok(());
        };
        if self.left == 0 {
            self.next = None;
            return match hasher.clone().finalize() == file.checksum {
                true => Ok(()),
                false => Err(TransformError::Spill { path: file.path.clone(), offset: 0 }),
            };
        }
        let mut record = [0; N];
        reader.read_exact(&mut record).map_err(|source| TransformError::Work { path: file.path.clone(), source })?;
        hasher.update(&record);
        self.left -= N as u64;
        self.next = Some(record);
        Ok(())
    }
}

fn merge<const N: usize>(
    files: &[SortedFile],
    memory: &[[u8; N]],
    take: &mut dyn FnMut(&[u8; N]) -> Result<(), TransformError>,
) -> Result<(), TransformError> {
    let mut cursors = files.iter().map(Cursor::file).collect::<Result<Vec<_>, _>>()?;
    let mut last = Cursor { file: None, memory: memory.iter(), next: None, left: 0 };
    last.advance()?;
    cursors.push(last);
    // The sources are few, and the heap orders them by their next record.
    let mut heap: std::collections::BinaryHeap<std::cmp::Reverse<([u8; N], usize)>> = (cursors.iter().enumerate())
        .filter_map(|(place, cursor)| cursor.next.map(|next| std::cmp::Reverse((next, place))))
        .collect();
    while let Some(std::cmp::Reverse((record, place))) = heap.pop() {
        take(&record)?;
        cursors[place].advance()?;
        if let Some(next) = cursors[place].next {
            heap.push(std::cmp::Reverse((next, place)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sorted(records: &[[u8; 3]], budget_bytes: usize) -> Vec<[u8; 3]> {
        let work = tempfile::tempdir().unwrap();
        let mut sorter = Sorter::new(SpillFolder::create(work.path()).unwrap(), budget_bytes);
        records.iter().for_each(|record| sorter.add(*record).unwrap());
        let mut found = Vec::new();
        let folder = sorter.finish(|record| {
            found.push(*record);
            Ok(())
        });
        drop(folder.unwrap());
        assert!(std::fs::read_dir(work.path().join("spill")).unwrap().next().is_none());
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        /// A budget of one record makes more files than are kept open.
        #[test]
        fn any_budget_gives_a_plain_sort(mut records: Vec<[u8; 3]>, budget_bytes in 0usize..600) {
            let found = sorted(&records, budget_bytes);
            records.sort_unstable();
            prop_assert_eq!(found, records);
        }
    }

    #[test]
    fn more_files_than_are_open_at_a_time_are_merged() {
        let records: Vec<[u8; 3]> = (0..3 * FILES_MAX as u32).map(|n| [(n * 97 % 251) as u8, n as u8, 0]).collect();
        let mut expected = records.clone();
        expected.sort_unstable();
        assert_eq!(sorted(&records, 3), expected);
    }

    #[test]
    fn a_changed_file_is_found() {
        let work = tempfile::tempdir().unwrap();
        let mut sorter = Sorter::new(SpillFolder::create(work.path()).unwrap(), 6);
        [[1, 0, 0], [2, 0, 0], [3, 0, 0]].into_iter().for_each(|record: [u8; 3]| sorter.add(record).unwrap());
        std::fs::write(&sorter.files[0].path, [1, 0, 0, 2, 0, 1]).unwrap();
        assert!(matches!(sorter.finish(|_| Ok(())), Err(TransformError::Spill { .. })));
    }
}
