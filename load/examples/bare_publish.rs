//! A private broker, and the plainest loop that publishes to it with the same client: what the benchmark compares
//! `etl seed` with.
//!
//! ```text
//! cargo run --release -p etl-load --example bare_publish
//! ```
//!
//! Prints the broker's port. Each line on stdin is an order: `host NAME` makes a virtual host with nothing in it;
//! `size NAME MESSAGES` takes so many messages out of the audit log's queue, and prints the mean bytes of a body;
//! `publish NAME MESSAGES BODY_BYTES WINDOW CHANNELS` publishes to a quorum queue there, and prints seconds.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark that can't go on says where it stopped")]

use std::collections::VecDeque;
use std::io::BufRead;
use std::time::Instant;

use etl_fixtures::rabbitmq::PrivateRabbit;
use futures_util::StreamExt;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Connection, ConnectionProperties, ExchangeKind};

fn main() {
    let broker = PrivateRabbit::temporary().unwrap();
    println!("{}", broker.port());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["host", name] => {
                broker.make_virtual_host(name).unwrap();
                println!("made");
            }
            ["publish", host, messages, bytes, window, channels] => {
                let url = broker.url(host).replace("guest@", "guest:guest@");
                let numbers = [messages, bytes, window, channels].map(|number| number.parse().unwrap());
                println!("{:.3}", runtime.block_on(publish(&url, numbers)));
            }
            ["size", host, messages] => {
                let url = broker.url(host).replace("guest@", "guest:guest@");
                println!("{}", runtime.block_on(mean_body(&url, messages.parse().unwrap())));
            }
            _ => println!("unknown"),
        }
    }
}

/// Takes so many messages out of the audit log's queue.
async fn mean_body(url: &str, messages: usize) -> usize {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let consume = channel.basic_consume("happypancake.audit".into(), "".into(), options, FieldTable::default());
    let mut consumer = consume.await.unwrap();
    let mut bytes = 0;
    for _ in 0..messages {
        bytes += consumer.next().await.unwrap().unwrap().data.len();
    }
    connection.close(200, "done".into()).await.unwrap();
    bytes / messages.max(1)
}

async fn publish(url: &str, [messages, bytes, window, channels]: [usize; 4]) -> f64 {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
    let mut open = Vec::new();
    for _ in 0..channels {
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        open.push(channel);
    }
    let channel = &open[0];
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare("bare".into(), ExchangeKind::Topic, durable, FieldTable::default()).await.unwrap();
    channel.queue_declare("bare".into(), QueueDeclareOptions::durable(), arguments).await.unwrap();
    let (bind, none) = (QueueBindOptions::default(), FieldTable::default());
    channel.queue_bind("bare".into(), "bare".into(), "*.Event".into(), bind, none).await.unwrap();

    let (body, options) = (vec![7; bytes], BasicPublishOptions { mandatory: true, immediate: false });
    let begun = Instant::now();
    let mut unconfirmed = VecDeque::new();
    for message in 0..messages {
        if unconfirmed.len() >= window {
            let confirm: lapin::PublisherConfirm = unconfirmed.pop_front().unwrap();
            assert!(confirm.await.unwrap().is_ack());
        }
        let (channel, properties) = (&open[message % channels], properties(message));
        let publish = channel.basic_publish("bare".into(), "member.Event".into(), options, &body, properties);
        unconfirmed.push_back(publish.await.unwrap());
    }
    for confirm in unconfirmed {
        assert!(confirm.await.unwrap().is_ack());
    }
    let seconds = begun.elapsed().as_secs_f64();
    connection.close(200, "done".into()).await.unwrap();
    seconds
}

/// As many bytes of properties as an event has.
fn properties(message: usize) -> BasicProperties {
    let id = format!("00000000-0000-0000-0000-{message:012}");
    let mut headers = FieldTable::default();
    let texts = [
        ("cloudEvents:specversion", "1.0"),
        ("cloudEvents:id", &id),
        (
            "cloudEvents:source",
            "etl:happypancake/00000000-0000-0000-0000-000000000000/00000000-0000-0000-0000-000000000000",
        ),
        ("cloudEvents:type", "ProfileVisited"),
        ("cloudEvents:time", "2012-03-01T10:00:00Z"),
        ("cloudEvents:subject", "member/12345"),
    ];
    for (name, text) in texts {
        headers.insert(name.into(), AMQPValue::LongString(text.into()));
    }
    for name in ["etl-position", "etl-key", "etl-after-audit"] {
        headers.insert(name.into(), AMQPValue::LongLongInt(message as i64));
    }
    BasicProperties::default()
        .with_message_id(id.into())
        .with_content_type("application/protobuf".into())
        .with_delivery_mode(2)
        .with_app_id("etl".into())
        .with_headers(headers)
}
