//! Loaders that are killed, cut off and started again: the tables equal those of an undisturbed run.

use std::sync::Arc;

use etl_load::LoadError;
use etl_load::module::Module;
use etl_load::postgres::{IfExists, PostgresOptions, PostgresSink};
use etl_load::sink::Sink;
use etl_schemas::event::{EventBatch, EventCatalog};

use crate::server::Server;
use crate::stream::{Stream, catalog, fingerprint, module};

const PROTO: &str =
    "message A { int32 n = 1; optional string s = 2; } message B { int32 n = 1; } message C { int32 n = 1; }";
const MODULE: &str = "[on.A]\ncopy = \"a\"\n[on.B]\ncopy = \"b\"\n";
const SCHEMA: &str = "CREATE TABLE a (position bigint, n integer, s varchar(8) CHECK (s <> 'worse')); CREATE TABLE b (position bigint, n integer);";
const INDEXES: &str = "ALTER TABLE a ADD PRIMARY KEY (position); ALTER TABLE b ADD PRIMARY KEY (position);";
pub(crate) const EVENTS: usize = 3_000;

/// Numbers that look random and are the same in every run (SplitMix64).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed >> 33) as usize % limit
    }
}

fn stream(catalog: &Arc<EventCatalog>) -> Stream {
    let mut stream = Stream::new(catalog);
    for n in 0..EVENTS {
        match n % 7 {
            0..=3 if n % 500 == 2 => stream.json("A", &format!("{{\"n\":{n},\"s\":\"far too long\"}}")),
            0..=3 if n % 900 == 1 => stream.json("A", &format!("{{\"n\":{n},\"s\":\"worse\"}}")),
            0..=3 => stream.json("A", &format!("{{\"n\":{n},\"s\":\"text\"}}")),
            4 | 5 => stream.json("B", &format!("{{\"n\":{n}}}")),
            _ => stream.json("C", "{}"),
        };
    }
    stream
}

/// Everything that a run leaves behind, times excepted.
pub(crate) fn content(server: &Server, module: &str) -> Vec<String> {
    let sql = "SELECT md5(string_agg(x::text, ',' ORDER BY position)), count(*) FROM a x
        UNION ALL SELECT md5(string_agg(x::text, ',' ORDER BY position)), count(*) FROM b x
        UNION ALL SELECT md5(string_agg(x::text, ',' ORDER BY position)), count(*) FROM etl.rejected x
        UNION ALL SELECT counts::text || '|' || complete || '|' || occurred_at, position FROM etl.checkpoint";
    server.query(module, sql)
}

pub(crate) struct Case {
    pub(crate) server: Server,
    pub(crate) catalog: Arc<EventCatalog>,
    folder: tempfile::TempDir,
    pub(crate) stream: Stream,
}

impl Case {
    fn new(name: &str) -> Case {
        Case::on(Server::start(name))
    }

    pub(crate) fn on(server: Server) -> Case {
        let catalog = catalog(PROTO);
        let folder = tempfile::tempdir().unwrap();
        Case { server, folder, stream: stream(&catalog), catalog }
    }

    pub(crate) fn module(&self, name: &str) -> Module {
        let toml = format!("name = \"{name}\"\n{MODULE}");
        module(&self.folder.path().join(name), &self.catalog, &toml, SCHEMA, INDEXES).unwrap()
    }

    fn open(&self, module: &Module, rows_per_transaction: usize) -> PostgresSink {
        let options = PostgresOptions { rows_per_transaction, ..self.server.options(IfExists::Resume) };
        PostgresSink::open(&self.server.target(), module, &self.catalog, &fingerprint(), &options).unwrap()
    }

    pub(crate) fn undisturbed(&self) -> Vec<String> {
        let module = self.module("calm");
        let report = self.server.load(&module, &self.catalog, &self.stream.batches(EVENTS)).unwrap();
        assert_eq!(report.taken + report.passed_over + report.rejected, EVENTS as u64);
        assert!(report.rejected > 3 && report.passed_over > 100, "{report:?}");
        content(&self.server, "calm")
    }
}

pub(crate) fn write_all(sink: &mut PostgresSink, batches: &[Arc<EventBatch>]) -> Result<(), LoadError> {
    batches.iter().try_for_each(|batch| sink.write(batch))
}

#[test]
fn a_loader_that_vanishes_anywhere_is_resumed() {
    let case = Case::new("vanish");
    let calm = case.undisturbed();
    let module = case.module("shaken");
    let mut numbers = Numbers(1);
    let mut last = 0;
    for _ in 0..10 {
        // Batches and transactions of other sizes each time: the cuts between them must not matter.
        let batches = case.stream.batches(1 + numbers.below(300));
        let mut sink = case.open(&module, 1 + numbers.below(200));
        assert!(sink.durable_position() >= last, "what was durable stays durable");
        let end = batches.len().min(sink.durable_position() as usize / batches[0].len() + 1 + numbers.below(4));
        write_all(&mut sink, &batches[..end]).unwrap();
        last = sink.durable_position();
        drop(sink);
    }
    assert!(last < EVENTS as u64);
    let mut sink = case.open(&module, 100);
    write_all(&mut sink, &case.stream.batches(64)).unwrap();
    assert_eq!(sink.finish().unwrap().resumed_after, last);
    assert_eq!(content(&case.server, "shaken"), calm);
}

#[test]
fn the_cuts_between_transactions_do_not_matter() {
    let case = Case::new("cuts");
    let calm = case.undisturbed();
    for (name, batch, rows, bytes) in
        [("one", 7, 1_000_000, 2_000), ("two", 1_000, 33, 1 << 20), ("three", 1, 1_000, 1 << 20)]
    {
        let module = case.module(name);
        let options = PostgresOptions {
            rows_per_transaction: rows,
            bytes_per_transaction: bytes,
            ..case.server.options(IfExists::Fail)
        };
        let target = case.server.target();
        let mut sink = PostgresSink::open(&target, &module, &case.catalog, &fingerprint(), &options).unwrap();
        write_all(&mut sink, &case.stream.batches(batch)).unwrap();
        assert!(sink.finish().unwrap().complete);
        drop(sink);
        assert_eq!(content(&case.server, name), calm);
    }
}
