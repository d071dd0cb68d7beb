use etl_schemas::event::{EventKey, put_integer_key};
use proptest::prelude::*;

use super::*;

fn catalog() -> Arc<EventCatalog> {
    let text = "syntax = \"proto3\"; message A {} message B {}";
    Arc::new(EventCatalog::parse("events.proto".as_ref(), text, uuid::Uuid::nil()).unwrap())
}

/// `(time, rank, key)`, which is what events are ordered by.
type Order = (i64, u16, i64);

fn run(block: u32, events: &[Order]) -> Run {
    let (mut entries, mut arena) = (Vec::new(), Vec::new());
    for (row, (time, rank, key)) in events.iter().enumerate() {
        let offset = arena.len();
        put_integer_key(&mut arena, *key);
        let key_len = arena.len() - offset;
        arena.extend_from_slice(b"stream and body");
        entries.push(Entry {
            occurred_at: Ticks(*time),
            key_prefix: Entry::prefix(&arena[offset..]),
            offset: offset as u32,
            body_len: 9,
            block,
            row: row as u32,
            mapping: 0,
            rank: *rank,
            key_len: key_len as u16,
            stream_len: 6,
        });
    }
    Run::sorted(entries, arena)
}

/// Blocks of events, each with the time before which it brings nothing; merged under a budget. Gives what was
/// released, the number of duplicates, and how many events went by way of the disk.
fn merged(mut blocks: Vec<(i64, Vec<Order>)>, budget_bytes: usize, bounded: bool) -> (Vec<Order>, usize, u64) {
    blocks.sort_by_key(|block| block.0);
    let work = tempfile::tempdir().unwrap();
    let mut merge = Merge::new(catalog(), SpillFolder::create(work.path()).unwrap(), budget_bytes);
    let (mut released, mut duplicates) = (Vec::new(), 0);
    for (place, (_, events)) in blocks.iter().enumerate() {
        merge.add(run(place as u32, events));
        let frontier = match blocks.get(place + 1) {
            None => Frontier::End,
            Some(_) if !bounded => Frontier::Unknown,
            Some((bound, _)) => Frontier::Before(Ticks(*bound)),
        };
        while let Some(batch) = merge.next_batch(frontier).unwrap() {
            assert!(batch.len() <= BATCH_EVENTS);
            released.extend(batch.events().map(|event| {
                let EventKey::Integer(key) = event.key() else { panic!("keys are integers") };
                assert_eq!((event.stream(), event.body), ("stream", &b" and body"[..]));
                (event.occurred_at.0, event.rank, key)
            }));
        }
        duplicates += merge.take_duplicates().len();
    }
    assert_eq!(merge.events(), released.len() as u64);
    (released, duplicates, merge.spilled_events())
}

fn check(blocks: &[(i64, Vec<Order>)], budget_bytes: usize, bounded: bool) -> u64 {
    let mut sorted: Vec<Order> = blocks.iter().flat_map(|(_, events)| events.iter().copied()).collect();
    let all = sorted.len();
    sorted.sort_unstable();
    sorted.dedup();
    let (released, duplicates, spilled) = merged(blocks.to_vec(), budget_bytes, bounded);
    assert!(released == sorted, "the events are those of a plain sort, each once");
    assert_eq!(duplicates, all - sorted.len());
    spilled
}

fn blocks() -> impl Strategy<Value = Vec<(i64, Vec<Order>)>> {
    let event = (0i64..60, 0u16..2, -3i64..40);
    let block = (0i64..200, proptest::collection::vec(event, 0..40));
    // Within a block, times count from its bound; so bounds hold, and blocks overlap.
    let placed = |(bound, events): (i64, Vec<Order>)| {
        (bound, events.into_iter().map(|(time, rank, key)| (bound + time, rank, key)).collect())
    };
    proptest::collection::vec(block.prop_map(placed), 1..40)
}

proptest! {
    #[test]
    fn the_merge_is_a_sort_without_duplicates(blocks in blocks(), bounded: bool) {
        check(&blocks, 64 << 20, bounded);
        check(&blocks, 4 << 10, bounded);
    }
}

/// More spill files than are kept open: they are merged on disk, more than once.
#[test]
fn many_spill_files_become_one() {
    let blocks: Vec<(i64, Vec<Order>)> = (0..400i64)
        .map(|block| (0, (0..60).map(|row| ((row * 7_919 + block * 31) % 50_000, (row % 2) as u16, block)).collect()))
        .collect();
    let spilled = check(&blocks, 1 << 10, false);
    assert!(spilled >= 400 * 60 - 60, "{spilled}");
}

/// More runs than a batch can number arenas for, each with an event that stays for long.
#[test]
fn stragglers_of_many_runs_are_brought_together() {
    let blocks: Vec<(i64, Vec<Order>)> =
        (0..5_000i64).map(|block| (block, vec![(block, 0, block), (1_000_000 - block, 1, block)])).collect();
    assert_eq!(check(&blocks, 64 << 20, true), 0);
}
