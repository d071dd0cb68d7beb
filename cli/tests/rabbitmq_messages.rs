//! The messages themselves, seen through a client of the test's own: order, routing, attributes, and what goes wrong.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};

use crate::rabbitmq::{Trial, broker, direct, report};
use crate::sample::Ended;

/// A client of the test's own.
struct Client {
    runtime: tokio::runtime::Runtime,
    channel: Channel,
    _connection: Connection,
}

impl Client {
    fn connect(trial: &Trial) -> Client {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let url = trial.broker_url.replace("guest@", "guest:guest@");
        let (channel, connection) = runtime.block_on(async {
            let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
            (connection.create_channel().await.unwrap(), connection)
        });
        Client { runtime, channel, _connection: connection }
    }

    /// Everything that a module's queue holds, up to the marker of the end.
    fn drain(&self, module: &str) -> Vec<Delivery> {
        let queue = format!("happypancake.{module}");
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        self.runtime.block_on(async {
            let consume = self.channel.basic_consume(queue.as_str().into(), "".into(), options, FieldTable::default());
            let mut consumer = consume.await.unwrap();
            let mut drained = Vec::new();
            loop {
                let delivery = consumer.next().await.unwrap().unwrap();
                if text(&delivery, "cloudEvents:type") == "etl.end" {
                    return drained;
                }
                drained.push(delivery);
            }
        })
    }
}

fn header<'a>(delivery: &'a Delivery, name: &str) -> &'a AMQPValue {
    &delivery.properties.headers().as_ref().unwrap().inner()[name]
}

fn text(delivery: &Delivery, name: &str) -> String {
    match header(delivery, name) {
        AMQPValue::LongString(text) => text.to_string(),
        other => panic!("{name}: {other:?}"),
    }
}

fn position(delivery: &Delivery) -> i64 {
    header(delivery, "etl-position").as_long_long_int().unwrap()
}

#[test]
fn streams_keep_their_order_over_four_channels_and_a_module_gets_only_what_it_takes() {
    let trial = Trial::new(broker(), "ordered");
    trial.declare();
    let published = Ended::of(trial.publish().args(["--format", "json", "--channels", "4"])).ends_with(1);
    let events = report(&published)["events"].as_i64().unwrap();
    let client = Client::connect(&trial);
    for (module, types) in [("favourites", 2), ("news", 8), ("profile", 9)] {
        let drained = client.drain(module);
        let (mut streams, mut seen) = (BTreeMap::new(), BTreeSet::new());
        for delivery in &drained {
            let last = streams.insert(text(delivery, "cloudEvents:subject"), position(delivery));
            assert!(last.is_none_or(|last| last < position(delivery)), "{delivery:?}");
            assert!(position(delivery) <= events);
            seen.insert(text(delivery, "cloudEvents:type"));
        }
        assert_eq!(seen.len(), types, "{module}: {seen:?}");
        assert_eq!(drained.len() as i64, direct().checkpoint(module)[1], "{module}");
    }
    let favourite = &client.drain("likes")[0];
    let body: serde_json::Value = serde_json::from_slice(&favourite.data).unwrap();
    assert_eq!(body["member_id"].as_str().unwrap().len(), 36, "{body}");
    let id = favourite.properties.message_id().as_ref().unwrap().to_string();
    assert_eq!((text(favourite, "cloudEvents:id"), text(favourite, "cloudEvents:specversion")), (id, "1.0".into()));
    assert!(text(favourite, "cloudEvents:source").starts_with("etl:happypancake/"));
    assert!(favourite.routing_key.as_str().starts_with("member."), "{}", favourite.routing_key);

    let refused = Ended::of(&mut trial.consume("blocks")).ends_with(2);
    assert!(refused.stderr.contains("publish with --format protobuf"), "{}", refused.stderr);
}

#[test]
fn what_is_too_large_is_rejected_by_its_id_and_what_is_not_ours_goes_to_the_dead_letters() {
    let trial = Trial::new(broker(), "odd");
    trial.declare();
    let client = Client::connect(&trial);
    let publish = client.channel.basic_publish(
        "happypancake".into(),
        "member.MemberFavourited".into(),
        BasicPublishOptions::default(),
        b"not ours",
        BasicProperties::default(),
    );
    client.runtime.block_on(publish).unwrap();
    let published = Ended::of(trial.publish().args(["--max-message", "300"])).ends_with(1);
    let sink = &report(&published)["modules"][0];
    let rejected = sink["rejected"].as_u64().unwrap();
    assert!(rejected > 0 && sink["complete"] == true, "{sink}");
    assert!(published.stderr.contains("is rejected: its body has"), "{}", published.stderr);
    let files = std::fs::read_dir(trial.project.join(".etl")).unwrap().flatten();
    let file = files.map(|file| file.path()).find(|path| path.to_string_lossy().contains("published-")).unwrap();
    let checkpoint: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(checkpoint["listed"].as_array().unwrap().len() as u64, rejected.min(1_000));
    assert_eq!(checkpoint["listed"][0]["event_id"].as_str().unwrap().len(), 36);

    let consumed = Ended::of(&mut trial.consume("favourites")).success();
    assert!(consumed.stderr.contains("goes to `happypancake.dead`"), "{}", consumed.stderr);
    assert_eq!(trial.checksums("favourites"), direct().checksums("favourites"));
    // The module whose events are missing is complete without them.
    let consumed = Ended::of(&mut trial.consume("chat")).success();
    assert_eq!(report(&consumed)["module"]["complete"], true);
    let get = client.channel.basic_get("happypancake.dead".into(), Default::default());
    assert_eq!(client.runtime.block_on(get).unwrap().unwrap().delivery.data, b"not ours");
}

#[test]
fn a_message_that_no_queue_takes_stops_publishing_and_is_sent_when_one_does() {
    let trial = Trial::new(broker(), "returned");
    let file = trial.project.join("modules/favourites/module.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("name = \"favourites\"", "name = \"favourites\"\nqueue = \"stream\"")).unwrap();
    trial.declare();
    let client = Client::connect(&trial);
    for queue in ["happypancake.profile", "happypancake.audit"] {
        let (exchange, key) = ("happypancake".into(), "*.PaymentReceived".into());
        client
            .runtime
            .block_on(client.channel.queue_unbind(queue.into(), exchange, key, FieldTable::default()))
            .unwrap();
    }
    let stopped = Ended::of(&mut trial.publish()).ends_with(2);
    assert!(stopped.stderr.contains("no queue takes event"), "{}", stopped.stderr);
    assert!(stopped.stderr.contains(".PaymentReceived"), "{}", stopped.stderr);
    trial.declare();
    Ended::of(&mut trial.publish()).ends_with(1);
    Ended::of(&mut trial.consume("profile")).success();
    assert_eq!(trial.checksums("profile"), direct().checksums("profile"));

    // A stream isn't emptied by who reads it: read again, everything has taken effect.
    let first = report(&Ended::of(&mut trial.consume("favourites")).success());
    assert_eq!(trial.checksums("favourites"), direct().checksums("favourites"));
    let again = report(&Ended::of(&mut trial.consume("favourites")).success());
    let repeated = again["module"]["repeated"].as_u64().unwrap();
    assert!(repeated >= first["module"]["taken"].as_u64().unwrap(), "{again}");
}
