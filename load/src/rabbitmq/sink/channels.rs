//! The channels that messages go over: each stream keeps to one, so that its events stay in order, and the broker works on
//! several at the same time.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;

use etl_schemas::event::{Event, EventCatalog};
use etl_schemas::ticks::Ticks;
use futures_util::FutureExt;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Confirmation};

use super::super::connection::Link;
use super::super::envelope::Writer;
use super::super::routes::routing_key;
use super::super::topology::short;
use super::super::{Format, PublishOptions, Routes};
use crate::LoadError;
use crate::jsonl::DataWriter;
use crate::postgres::StreamFingerprint;

/// Properties must fit one frame, of which brokers allow 128 KB by default; the rest is for what isn't stream or key.
const LABELS_BYTES_MAX: usize = 100_000;

/// The broker's answer to a message, once it comes.
pub(super) type Confirming = Pin<Box<dyn Future<Output = Result<Confirmation, lapin::Error>> + Send>>;

/// What became of an event.
pub(super) enum Answer {
    /// With so many bytes of body, which are kept until it is confirmed.
    Sent(Confirming, usize),
    /// It can't be a message; why.
    Rejected(String),
}

pub(super) struct Channels {
    channels: Vec<Channel>,
    number: usize,
    exchange: ShortString,
    writer: Writer,
    /// By rank, where bodies are JSON.
    json: Option<Vec<DataWriter>>,
    body: Vec<u8>,
    body_bytes_max: usize,
}

impl Channels {
    pub(super) fn open(
        link: &Link,
        exchange: &str,
        routes: &Routes,
        catalog: &EventCatalog,
        stream: &StreamFingerprint,
        options: &PublishOptions,
    ) -> Result<Channels, LoadError> {
        let json = options.format == Format::Json;
        let mut channels = Channels {
            channels: Vec::new(),
            number: options.channels.max(1),
            exchange: short(exchange),
            writer: Writer::new(exchange, stream, routes, options.format),
            json: json.then(|| catalog.types.iter().map(DataWriter::new).collect()),
            body: Vec::new(),
            body_bytes_max: options.body_bytes_max,
        };
        channels.reopen(link)?;
        Ok(channels)
    }

    /// On another connection.
    pub(super) fn reopen(&mut self, link: &Link) -> Result<(), LoadError> {
        self.channels.clear();
        for _ in 0..self.number {
            let channel = link.channel()?;
            link.run("asking for confirmations", channel.confirm_select(ConfirmSelectOptions::default()))?;
            self.channels.push(channel);
        }
        Ok(())
    }

    /// Sends an event; `chain` has for each module the position of its event before.
    pub(super) fn publish(&mut self, event: &Event<'_>, takers: &[usize], chain: &[u64]) -> Answer {
        if event.stream().len() + event.key_bytes().len() > LABELS_BYTES_MAX {
            return Answer::Rejected("its stream and key are too long for a message's properties".to_string());
        }
        let body = match &mut self.json {
            None => event.body,
            Some(writers) => {
                self.body.clear();
                match writers[usize::from(event.rank)].put(event.body, &mut self.body) {
                    Ok(()) => &self.body,
                    Err(error) => return Answer::Rejected(format!("its body can't be written as JSON: {error}")),
                }
            }
        };
        if body.len() > self.body_bytes_max {
            let (has, max) = (body.len(), self.body_bytes_max);
            return Answer::Rejected(format!("its body has {has} bytes, {max} are allowed (--max-message)"));
        }
        let mut hasher = DefaultHasher::new();
        event.stream().hash(&mut hasher);
        let channel = &self.channels[(hasher.finish() % self.channels.len() as u64) as usize];
        let properties = self.writer.event(event, takers, chain);
        Answer::Sent(send(channel, &self.exchange, short(&routing_key(event)), body, properties), body.len())
    }

    /// Sends the marker of the end to a module, and waits until the broker has it.
    pub(super) fn publish_end(
        &self,
        link: &Link,
        module: usize,
        key: &str,
        (position, at): (u64, Ticks),
        after: u64,
    ) -> Result<(), LoadError> {
        let properties = self.writer.end(module, position, at, after);
        let confirm = send(&self.channels[0], &self.exchange, short(key), &[], properties);
        let confirmation = link.run("waiting for confirmations", confirm)?;
        let is_ack = confirmation.is_ack();
        if let Some(message) = confirmation.take_message() {
            let reply = &message.reply_text;
            return Err(link.returned(format!("no queue takes the marker of the end, sent with key `{key}` ({reply})")));
        }
        match is_ack {
            true => Ok(()),
            false => Err(link.refused(&format!("the broker refused the marker of the end, sent with key `{key}`"))),
        }
    }
}

/// Hands the message to the client, which writes it in this order; the future is the broker's answer. Waiting for each
/// write would cost a switch of threads for every message.
fn send(
    channel: &Channel,
    exchange: &ShortString,
    key: ShortString,
    body: &[u8],
    properties: BasicProperties,
) -> Confirming {
    let options = BasicPublishOptions { mandatory: true, immediate: false };
    let (channel, exchange, body) = (channel.clone(), exchange.clone(), body.to_vec());
    let mut confirming: Confirming =
        Box::pin(async move { channel.basic_publish(exchange, key, options, &body, properties).await?.await });
    // The first poll hands it over. What is answered at once (the connection is gone) is answered again when it is asked.
    match (&mut confirming).now_or_never() {
        None => confirming,
        Some(answer) => Box::pin(std::future::ready(answer)),
    }
}
