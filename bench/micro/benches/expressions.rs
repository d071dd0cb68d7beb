//! Expressions: compiled mappings evaluated over messages, one thread.
//!
//! In: a mapping for each kind of expression, which stands in the WHERE and never holds there, so that every row pays for
//! its evaluation and none for an event. Out: evaluations a second.
//!
//! `floor` compares one integer: it is reading stored blocks and decoding the columns, which all of these mappings do
//! alike. The kinds stand in their WHERE many times over, so that the floor is a small part of each. `mapping` is what the
//! chat's MessageSent evaluates for a row, once; with the floor, that is rows a second.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use etl_micro::job::Job;
use etl_micro::recut::{recut, stored};
use etl_micro::sample::{MESSAGES, Sample};
use etl_transform::EventStream;

/// 60,000 messages.
const SCALE: f64 = 0.05;
/// More than such a run takes.
const MEMORY: usize = 512 << 20;
/// How often a kind stands in its WHERE.
const TIMES: usize = 16;

const CONVERSATION: &str = "CASE WHEN m.SenderId < m.ReceiverId THEN concat(m.SenderId, '-', m.ReceiverId) \
     ELSE concat(m.ReceiverId, '-', m.SenderId) END";

/// Conditions that hold for no row of the sample, and how often each is evaluated. The number in each time's is another,
/// because the compiler has equal ones evaluated once.
fn conditions() -> Vec<(&'static str, usize, String)> {
    let times = |one: &dyn Fn(usize) -> String| (0..TIMES).map(one).collect::<Vec<_>>().join(" OR ");
    let time = |n| format!("m.SentAt AT TIME ZONE 'Europe/Stockholm' < '1900-01-01T00:00:{n:02}Z'");
    let concat = |n| format!("{CONVERSATION} = '{n}'");
    let trim = |n| format!("trim(m.Body) = 'nobody writes this {n}'");
    let uuid5 = |kind: &str, n, of: &str| format!("CAST(uuid5('{kind}{n}', {of}) AS text) = ''");
    let mapping = [
        time(0),
        format!("concat('conversation/', {CONVERSATION}) = ''"),
        uuid5("message", 0, "m.Id"),
        uuid5("conversation", 0, CONVERSATION),
        uuid5("member", 0, "m.SenderId"),
        uuid5("member", 0, "m.ReceiverId"),
        "NULLIF(trim(m.Subject), '') = 'nobody writes this'".to_string(),
        trim(0),
    ];
    vec![
        ("floor", 1, "m.Id < 0".to_string()),
        ("time_zone", TIMES, times(&time)),
        ("case_concat", TIMES, times(&concat)),
        ("trim", TIMES, times(&trim)),
        ("uuid5", TIMES, times(&|n| uuid5("message", n, "m.Id"))),
        ("regexp", TIMES, times(&|n| format!("regexp_like(m.Body, '[0-9]{{3}}-[0-9]{{9}}z{n}')"))),
        ("mapping", 1, mapping.join(" OR ")),
    ]
}

fn expressions(criterion: &mut Criterion) {
    let sample = Sample::of(&[MESSAGES], SCALE);
    let dump = recut(&sample.dump, &sample.folder.path().join("stored"), stored(), |block, _| block);
    let rows = sample.table(MESSAGES).rows();
    let mut group = criterion.benchmark_group("expressions");
    group.sample_size(10);
    for (name, times, condition) in conditions() {
        // The columns are all that any of the conditions needs: they are decoded for every row, filtered or not.
        let sql = format!(
            "INSERT INTO MessageSent SELECT m.SentAt AS occurred_at, m.Id AS key, '' AS stream, '' AS message_id, \
             m.SenderId AS sender, m.ReceiverId AS receiver, m.Subject AS subject, m.Body AS body \
             FROM dbo.Messages m WHERE {condition}"
        );
        let job = Job::new("load_job", Some(&sql), &dump, &sample.folder.path().join("work"));
        assert_eq!(filtered(&job), rows, "{name}: the condition is evaluated for every row and never holds");
        group.throughput(Throughput::Elements(rows * times as u64));
        group.bench_function(name, |bencher| {
            // Threads and folders of a run are made before the time is taken, and go after it.
            bencher.iter_batched(|| job.run(MEMORY), |stream| evaluate(black_box(stream)), BatchSize::PerIteration);
        });
    }
    group.finish();
}

/// Has every row read and evaluated.
fn evaluate(mut stream: EventStream) -> EventStream {
    assert!(stream.next_batch().expect("the dump is sound").is_none(), "no row gives an event");
    stream
}

/// Runs the mapping over all rows, and gives how many its WHERE filtered.
fn filtered(job: &Job) -> u64 {
    let ledger = evaluate(job.run(MEMORY)).finish().expect("the stream was read to its end");
    ledger.tables.iter().map(|table| table.rows_filtered).sum()
}

criterion_group!(benches, expressions);
criterion_main!(benches);
