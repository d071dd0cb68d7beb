//! Publishing and consuming as a library, against a private broker: with sinks that note what they get, or fail.
//! `cli/tests/rabbitmq*.rs` is about whole runs.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use etl_fixtures::rabbitmq::{PrivateRabbit, RabbitOptions};
use etl_load::LoadError;
use etl_load::module::{Module, QueueKind};
use etl_load::postgres::StreamFingerprint;
use etl_load::rabbitmq::topology::Topology;
use etl_load::rabbitmq::{
    ConsumeOptions, Format, IfPublished, PublishOptions, RabbitSink, RabbitTarget, Routes, apply, consume,
};
use etl_load::sink::{Sink, SinkReport};
use etl_schemas::event::{EventBatch, EventCatalog};
use lapin::options::{BasicGetOptions, BasicPublishOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties};
use secrecy::SecretString;

use crate::server::Server;
use crate::stream::{Stream, catalog, fingerprint, module};

static RUNNING: AtomicBool = AtomicBool::new(false);

/// One broker for all tests of this process; each has a virtual host of its own.
fn broker() -> &'static PrivateRabbit {
    static BROKER: OnceLock<PrivateRabbit> = OnceLock::new();
    BROKER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("load-rabbitmq");
        PrivateRabbit::start(&folder, &RabbitOptions::default()).unwrap()
    })
}

struct Trial {
    folder: tempfile::TempDir,
    catalog: Arc<EventCatalog>,
    module: Module,
    target: RabbitTarget,
    topology: Topology,
    url: String,
}

impl Trial {
    /// The module `m` of project `p`, declared on a virtual host with nothing in it.
    fn new(test: &str) -> Trial {
        let (folder, catalog) = (tempfile::tempdir().unwrap(), catalog("message A { string body = 1; }"));
        let toml = "name = \"m\"\n[on.A]\ncopy = \"a\"\n";
        let module = module(folder.path(), &catalog, toml, "CREATE TABLE a (body text NOT NULL);", "").unwrap();
        broker().make_virtual_host(test).unwrap();
        let target = RabbitTarget::parse(&broker().url(test), Some(SecretString::from("guest"))).unwrap();
        let topology = Topology::new("p", std::slice::from_ref(&module), &catalog, QueueKind::Classic).unwrap();
        let url = broker().url(test).replace("guest@", "guest:guest@");
        let trial = Trial { folder, catalog, module, target, topology, url };
        trial.declare();
        trial
    }

    fn declare(&self) {
        apply(&self.target, &self.topology, &RUNNING).unwrap();
    }

    fn publish(&self, bodies: &[String]) -> Result<SinkReport, LoadError> {
        self.publish_after(|| (), bodies)
    }

    /// Opens the sink, has something happen, and publishes.
    fn publish_after(&self, opened: impl FnOnce(), bodies: &[String]) -> Result<SinkReport, LoadError> {
        let mut stream = Stream::new(&self.catalog);
        for body in bodies {
            stream.json("A", &format!("{{\"body\":\"{body}\"}}"));
        }
        let options = PublishOptions {
            format: Format::Protobuf,
            window: 2_000,
            channels: 1,
            rate: None,
            body_bytes_max: 128 << 20,
            if_published: IfPublished::Resume,
            retry_time_max: Duration::from_secs(2),
            folder: self.folder.path().to_path_buf(),
            stop: &RUNNING,
            rejects_max: None,
        };
        let routes = Routes::new(std::slice::from_ref(&self.module), &self.catalog);
        let mut sink = RabbitSink::open(&self.target, &self.topology, routes, &self.catalog, &fingerprint(), &options)?;
        opened();
        for batch in stream.batches(100) {
            sink.write(&batch)?;
        }
        sink.finish()
    }

    fn consume(
        &self,
        mut open: impl FnMut(&StreamFingerprint) -> Result<Box<dyn Sink>, LoadError>,
    ) -> Result<Option<SinkReport>, LoadError> {
        let options = ConsumeOptions {
            prefetch: 20_000,
            until_idle: Some(Duration::from_secs(1)),
            retry_time_max: Duration::from_secs(1),
            stop: &RUNNING,
        };
        consume(&self.target, &self.topology, &self.module, &self.catalog, &mut open, &options, &mut |_| ())
    }

    /// Works on the queue with a client of the test's own.
    fn with_channel<F: Future<Output = Result<(), lapin::Error>>>(&self, work: impl FnOnce(Channel) -> F) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let connection = Connection::connect(&self.url, ConnectionProperties::default()).await.unwrap();
            let channel = connection.create_channel().await.unwrap();
            work(channel.clone()).await.unwrap();
            connection.close(200, "done".into()).await.unwrap();
        });
    }
}

/// Notes the size of each batch; or can't reach its server, which it has waited for already.
struct Double {
    sizes: Arc<Mutex<Vec<usize>>>,
    position: u64,
    unreachable: bool,
}

fn unreachable() -> LoadError {
    let (server, problem) = ("postgres://etl@db".to_string(), "nobody answers".to_string());
    LoadError::Connect { server, problem, help: "is it up?".to_string(), may_pass: true }
}

impl Sink for Double {
    fn name(&self) -> &'static str {
        "m"
    }

    fn durable_position(&self) -> u64 {
        self.position
    }

    fn write(&mut self, batch: &Arc<EventBatch>) -> Result<(), LoadError> {
        if self.unreachable {
            return Err(unreachable());
        }
        self.sizes.lock().unwrap().push(batch.events().map(|event| event.body.len()).sum());
        self.position = batch.last_position();
        Ok(())
    }

    fn finish(&mut self) -> Result<SinkReport, LoadError> {
        Ok(SinkReport { complete: true, position: self.position, ..SinkReport::default() })
    }

    fn stop(&mut self) -> Result<SinkReport, LoadError> {
        Ok(SinkReport { position: self.position, ..SinkReport::default() })
    }
}

#[test]
fn what_the_modules_server_does_is_not_waited_out_a_second_time() {
    let trial = Trial::new("final");
    trial.publish(&["x".to_string()]).unwrap();
    for opens in [true, false] {
        let mut opened = 0;
        let ended = trial.consume(|_| {
            opened += 1;
            match opens {
                true => Ok(Box::new(Double { sizes: Arc::default(), position: 0, unreachable: true })),
                false => Err(unreachable()),
            }
        });
        let error = ended.unwrap_err();
        assert!(matches!(&error, LoadError::Connect { server, .. } if server == "postgres://etl@db"), "{error}");
        assert_eq!(opened, 1);
    }
}

#[test]
fn bodies_that_come_due_all_at_once_are_committed_in_pieces() {
    const EVENTS: usize = 40;
    let trial = Trial::new("large");
    let body = "x".repeat(1 << 20);
    trial.publish(&vec![body; EVENTS]).unwrap();
    // The first event last, so that all others wait for it.
    trial.with_channel(|channel| async move {
        let mut taken = Vec::new();
        while let Some(message) = channel.basic_get("p.m".into(), BasicGetOptions { no_ack: true }).await? {
            taken.push(message.delivery);
        }
        assert_eq!(taken.len(), EVENTS + 1);
        for delivery in taken.into_iter().rev() {
            let options = BasicPublishOptions::default();
            channel.basic_publish("".into(), "p.m".into(), options, &delivery.data, delivery.properties).await?;
        }
        Ok(())
    });
    let sizes: Arc<Mutex<Vec<usize>>> = Arc::default();
    let open = |_: &StreamFingerprint| -> Result<Box<dyn Sink>, LoadError> {
        Ok(Box::new(Double { sizes: sizes.clone(), position: 0, unreachable: false }))
    };
    let report = trial.consume(open).unwrap().unwrap();
    assert!(report.complete);
    let sizes = sizes.lock().unwrap();
    assert!(sizes.iter().sum::<usize>() > EVENTS << 20, "{sizes:?}");
    assert!(sizes.iter().all(|size| *size <= 18 << 20), "{sizes:?}");
}

#[test]
fn a_marker_that_no_queue_takes_stops_publishing_and_the_same_run_goes_on_when_one_does() {
    let server = Server::start("marker");
    let trial = Trial::new("marker");
    trial.with_channel(|channel| async move {
        channel.queue_unbind("p.m".into(), "p".into(), "etl.end.m".into(), FieldTable::default()).await
    });
    let bodies = vec!["x".to_string(); 10];
    let stopped = trial.publish(&bodies).unwrap_err();
    assert!(matches!(stopped, LoadError::Broker { may_pass: false, .. }), "{stopped:?}");
    let said = stopped.to_string();
    assert!(said.contains("no queue takes the marker of the end, sent with key `etl.end.m` (NO_ROUTE)"), "{said}");
    assert!(said.contains("`etl topology --apply` binds the queues"), "{said}");

    let consume = || {
        let open = |_: &StreamFingerprint| -> Result<Box<dyn Sink>, LoadError> {
            Ok(Box::new(server.open(&trial.module, &trial.catalog)?))
        };
        trial.consume(open).unwrap()
    };
    let report = consume().unwrap();
    assert_eq!((report.position, report.complete), (10, false));
    trial.declare();
    trial.publish(&bodies).unwrap();
    // Nothing but the marker came since.
    let report = consume().unwrap();
    assert_eq!((report.position, report.taken, report.complete), (10, 10, true));
}

/// As a queue whose leader is gone: the broker lives, and answers nothing about it.
#[test]
fn a_broker_that_confirms_nothing_is_told_and_the_same_run_goes_on_when_it_does() {
    const EVENTS: usize = 10;
    let mut trial = Trial::new("silent");
    let queue = |does: &str| {
        let found = "{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"silent\">>, queue, <<\"p.m\">>))";
        broker().control(&["-q", "eval", &format!("{found}, sys:{does}(amqqueue:get_pid(Q)).")]).unwrap();
    };
    let bodies = vec!["x".to_string(); EVENTS];
    let patient = trial.target.clone();
    trial.target = trial.target.answering_within(Duration::from_secs(1));
    let stopped = trial.publish_after(|| queue("suspend"), &bodies).unwrap_err();
    queue("resume");
    assert!(matches!(stopped, LoadError::Broker { may_pass: true, .. }), "{stopped:?}");
    let said = stopped.to_string();
    assert!(said.contains("waiting for confirmations: it is there, but hasn't answered for 1 s"), "{said}");
    assert!(said.contains("rabbitmq-queues quorum_status QUEUE"), "{said}");

    trial.target = patient;
    trial.publish(&bodies).unwrap();
    let sizes: Arc<Mutex<Vec<usize>>> = Arc::default();
    let open = |_: &StreamFingerprint| -> Result<Box<dyn Sink>, LoadError> {
        Ok(Box::new(Double { sizes: sizes.clone(), position: 0, unreachable: false }))
    };
    // What was sent again and again is loaded once.
    let report = trial.consume(open).unwrap().unwrap();
    assert_eq!((report.position, report.complete), (EVENTS as u64, true));
    assert_eq!(sizes.lock().unwrap().iter().sum::<usize>(), EVENTS * b"\x0a\x01x".len());
}
