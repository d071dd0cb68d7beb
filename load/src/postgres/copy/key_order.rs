//! The rows of a transaction in the order of their table's key.
//!
//! Keys of migrated rows are hashes, so in the order of events each row would go to another page of the key's index. In the
//! order of the key many go to one page, and the server spends little more than half of the CPU time on a copy. When the
//! transaction commits, all of its rows appear at once, so nobody can tell but by where they lie on disk: a table is in the
//! order of events from transaction to transaction, and within one in that of its key.
//!
//! In: rows as they are encoded, in the order of events. Out: the same rows, each once, in chunks. Which tables don't allow
//! it, [`crate::postgres::catalog::sortable_key`] says.

use bytes::Bytes;

/// Where rows lie, and how they are ordered.
pub(super) struct KeyOrder {
    /// Place of the key among the row's columns.
    place: usize,
    rows: Vec<Row>,
}

struct Row {
    /// The first eight bytes of its key; rows that share them stay in the order of events.
    prefix: u64,
    start: usize,
    end: usize,
    /// Place in the order of events.
    number: usize,
}

impl KeyOrder {
    pub(super) fn new(place: usize) -> KeyOrder {
        KeyOrder { place, rows: Vec::new() }
    }

    /// No rows, by the same key.
    pub(super) fn twin(&self) -> KeyOrder {
        KeyOrder::new(self.place)
    }

    /// Notes the row that begins at `start`, the last one of `bytes`.
    pub(super) fn add(&mut self, bytes: &[u8], start: usize) {
        let prefix = self.prefix(&bytes[start..]).unwrap_or_default();
        self.rows.push(Row { prefix, start, end: bytes.len(), number: self.rows.len() });
    }

    /// Of a row; `None` where the key is NULL.
    fn prefix(&self, row: &[u8]) -> Option<u64> {
        // Behind the number of columns stand length and bytes of each; NULL has the length -1.
        let mut fields = row.get(size_of::<u16>()..)?;
        for _ in 0..self.place {
            let (length, rest) = fields.split_first_chunk()?;
            fields = rest.get(usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0)..)?;
        }
        let (length, key) = fields.split_first_chunk()?;
        usize::try_from(i32::from_be_bytes(*length)).ok()?;
        key.first_chunk().map(|first| u64::from_be_bytes(*first))
    }

    /// Puts the rows noted so far in order.
    pub(super) fn sort(&mut self) {
        self.rows.sort_unstable_by_key(|row| (row.prefix, row.number));
    }

    /// The sorted rows, which lie in `bytes`, in chunks of so many bytes at most; a longer row is a chunk by itself.
    pub(super) fn chunks<'a>(&'a self, bytes: &'a [u8], chunk_bytes: usize) -> impl Iterator<Item = Bytes> + 'a {
        let mut rows = self.rows.iter().peekable();
        std::iter::from_fn(move || {
            rows.peek()?;
            let mut chunk = Vec::with_capacity(chunk_bytes);
            while let Some(row) =
                rows.next_if(|row| chunk.is_empty() || chunk.len() + row.end - row.start <= chunk_bytes)
            {
                chunk.extend_from_slice(&bytes[row.start..row.end]);
            }
            Some(Bytes::from(chunk))
        })
    }

    /// Of the sorted rows, the place of one in the order of events.
    pub(super) fn number(&self, sorted: usize) -> Option<usize> {
        self.rows.get(sorted).map(|row| row.number)
    }

    pub(super) fn clear(&mut self) {
        self.rows.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A row of two columns: text, or NULL, and a key.
    fn row(text: Option<&str>, key: Option<u128>) -> Vec<u8> {
        let mut row = 2u16.to_be_bytes().to_vec();
        for value in [text.map(|text| text.as_bytes().to_vec()), key.map(|key| key.to_be_bytes().to_vec())] {
            let length = value.as_ref().map_or(-1, |value| value.len() as i32);
            row.extend_from_slice(&length.to_be_bytes());
            row.extend(value.unwrap_or_default());
        }
        row
    }

    proptest! {
        #[test]
        fn every_row_comes_once_in_the_order_of_keys(
            rows in prop::collection::vec((prop::option::of(".{0,20}"), prop::option::of(any::<u128>())), 0..60),
            chunk_bytes in 1usize..300,
        ) {
            let (mut bytes, mut order) = (b"a header".to_vec(), KeyOrder::new(1));
            for (text, key) in &rows {
                let start = bytes.len();
                bytes.extend(row(text.as_deref(), *key));
                order.add(&bytes, start);
            }
            order.sort();
            let sent: Vec<Bytes> = order.chunks(&bytes, chunk_bytes).collect();
            let mut expected: Vec<_> = rows.iter().enumerate().collect();
            expected.sort_by_key(|(_, (_, key))| key.map_or(0, |key| key >> 64));
            let wanted: Vec<u8> = expected.iter().flat_map(|(_, (text, key))| row(text.as_deref(), *key)).collect();
            prop_assert_eq!(sent.concat(), wanted);
            let numbers: Vec<_> = (0..rows.len()).filter_map(|sorted| order.number(sorted)).collect();
            prop_assert_eq!(numbers, expected.iter().map(|(number, _)| *number).collect::<Vec<_>>());
        }
    }
}
