//! One session: a channel, a consumer on it, and the database, from the checkpoint on.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Consumer};

use super::chain::Offered;
use super::loading::{BYTES_MAX, Loading, Message};
use super::unacknowledged::Unacknowledged;
use super::{Fault, Job, OpenSink, Totals};
use crate::LoadError;
use crate::module::QueueKind;
use crate::rabbitmq::connection::Link;
use crate::rabbitmq::envelope::{Envelope, Reader};
use crate::rabbitmq::topology::short;
use crate::sink::{EVERYTHING, SinkReport};

/// How long more deliveries are waited for before what has come is committed.
const LINGER: Duration = Duration::from_millis(100);
/// Deliveries taken at a time.
const GULP: usize = 1_000;

/// How a session ended well: the sink's report, if a message came at all.
pub(super) struct Ended(pub(super) Option<SinkReport>);

pub(super) struct Session<'a> {
    pub(super) job: &'a Job<'a>,
    pub(super) link: &'a Link,
    pub(super) totals: &'a mut Totals,
    reader: Reader<'a>,
    pub(super) channel: Channel,
    consumer: Consumer,
    unacknowledged: Unacknowledged,
    pub(super) loading: Option<Loading>,
}

impl<'a> Session<'a> {
    pub(super) fn begin(job: &'a Job<'a>, link: &'a Link, totals: &'a mut Totals) -> Result<Session<'a>, LoadError> {
        let Some(queue) = job.topology.queue(&job.module.name) else {
            let help = "name a module of the project".to_string();
            return Err(LoadError::Target { problem: format!("no queue belongs to `{}`", job.module.name), help });
        };
        let channel = link.channel()?;
        link.run("limiting deliveries", channel.basic_qos(job.options.prefetch, BasicQosOptions::default()))?;
        let mut arguments = FieldTable::default();
        if queue.kind == QueueKind::Stream {
            // Reading empties no stream, and the checkpoint is a position and no offset: begin at the beginning.
            arguments.insert("x-stream-offset".into(), AMQPValue::LongString("first".into()));
        }
        let consume = channel.basic_consume(short(&queue.name), "".into(), BasicConsumeOptions::default(), arguments);
        let consumer = link.run("consuming a queue", consume)?;
        let reader = Reader::new(&job.topology.exchange, &job.module.name, job.catalog);
        let unacknowledged = Unacknowledged::default();
        Ok(Session { job, link, totals, reader, channel, consumer, unacknowledged, loading: None })
    }

    pub(super) fn run(mut self, open: &mut OpenSink<'_>, progress: &mut dyn FnMut(u64)) -> Result<Ended, Fault> {
        let mut last = Instant::now();
        loop {
            let deliveries = self.gulp()?;
            let dry = deliveries.is_empty();
            if !dry {
                last = Instant::now();
            }
            for delivery in deliveries {
                self.take(delivery, open)?;
            }
            if let Some(marker) = self.release_all()? {
                return self.complete(&marker).map(|report| Ended(Some(report)));
            }
            let crowded = self.unacknowledged.len() >= usize::from(self.job.options.prefetch) / 2;
            if dry || crowded || self.loading.as_ref().is_some_and(Loading::is_due) {
                self.settle()?;
                progress(self.loading.as_ref().map_or(0, Loading::written));
            }
            self.check_stuck()?;
            let idle = self.job.options.until_idle.is_some_and(|idle| last.elapsed() >= idle);
            if idle || self.job.options.stop.load(Ordering::Relaxed) {
                self.settle()?;
                let report = self.loading.as_mut().map(Loading::stop).transpose()?;
                return Ok(Ended(report));
            }
        }
    }

    /// The deliveries that are there, not too many and not too large; waits a moment for the first.
    fn gulp(&mut self) -> Result<Vec<Delivery>, LoadError> {
        let consumer = &mut self.consumer;
        let gathered = self.link.wait(async {
            let (mut gathered, mut bytes) = (Vec::new(), 0);
            let mut next = tokio::time::timeout(LINGER, consumer.next()).await.ok();
            while let Some(delivery) = next {
                bytes += delivery.as_ref().and_then(|one| one.as_ref().ok()).map_or(0, |one| one.data.len());
                gathered.push(delivery);
                next = if gathered.len() < GULP && bytes < BYTES_MAX { consumer.next().now_or_never() } else { None };
            }
            gathered
        });
        let mut deliveries = Vec::with_capacity(gathered.len());
        for delivery in gathered {
            match delivery {
                Some(Ok(delivery)) => deliveries.push(delivery),
                Some(Err(error)) => return Err(self.link.broken("consuming a queue", &error)),
                None => return Err(self.link.refused("the broker ended the consumer")),
            }
        }
        Ok(deliveries)
    }

    /// Sorts one delivery in: into the chain, or away.
    fn take(&mut self, delivery: Delivery, open: &mut OpenSink<'_>) -> Result<(), Fault> {
        let stream = match self.reader.stream(&delivery.properties) {
            Ok(stream) => stream,
            Err(reason) => return Ok(self.bury(&delivery, &reason)?),
        };
        let envelope =
            self.reader.envelope(&delivery.properties).map_err(|reason| self.unreadable(&delivery, &reason))?;
        let loading = match &mut self.loading {
            Some(loading) if loading.stream == stream => loading,
            Some(_) => return Err(self.unreadable(&delivery, "it comes from another dump or other mappings").into()),
            none => none.insert(Loading::open(open, stream)?),
        };
        let tag = delivery.delivery_tag;
        let Envelope { position, after, rank, .. } = envelope;
        let offered = match (after, rank) {
            // A binding that is left from an earlier specification.
            (None, _) => Offered::Repeated,
            (Some(after), Some(_)) => loading.chain.offer(position, after, Message { envelope, delivery }),
            (Some(after), None) => loading.chain.offer_end(after, Message { envelope, delivery }),
        };
        match (offered, rank) {
            (Offered::Repeated, _) => {
                self.totals.repeated += 1;
                self.unacknowledged.push(tag, 0);
            }
            (Offered::Kept, Some(_)) => self.unacknowledged.push(tag, position),
            // The marker is acknowledged when everything is complete.
            (Offered::Kept, None) => self.unacknowledged.push(tag, EVERYTHING),
        }
        Ok(())
    }

    /// Moves all that is due out of the chain, and commits as often as it is too much at a time; the end of the stream, if
    /// that is due.
    fn release_all(&mut self) -> Result<Option<Envelope>, Fault> {
        loop {
            let end = self.release()?;
            if end.is_some() || !self.loading.as_ref().is_some_and(Loading::is_full) {
                return Ok(end);
            }
            self.settle()?;
        }
    }

    /// Moves what is due out of the chain, as long as there is room for it; the end of the stream, if that is due.
    fn release(&mut self) -> Result<Option<Envelope>, LoadError> {
        let Some(loading) = &mut self.loading else { return Ok(None) };
        while !loading.is_full()
            && let Some((position, Message { envelope, delivery })) = loading.chain.next()
        {
            if loading.events.is_empty() {
                loading.since = Instant::now();
            }
            match self.reader.put(&envelope, &delivery.properties, &delivery.data, &mut loading.arena) {
                Ok(header) => loading.events.push((position, header)),
                Err(reason) => return Err(self.unreadable(&delivery, &reason)),
            }
        }
        Ok(loading.chain.take_end().map(|Message { envelope, .. }| envelope))
    }

    /// Commits what has been taken, and acknowledges it.
    fn settle(&mut self) -> Result<(), Fault> {
        let durable = match &mut self.loading {
            Some(loading) => {
                self.totals.commits += u64::from(loading.settle(self.job)?);
                loading.durable()
            }
            None => 0,
        };
        Ok(self.acknowledge(durable)?)
    }

    fn acknowledge(&mut self, durable: u64) -> Result<(), LoadError> {
        let crowded = usize::from(self.job.options.prefetch) / 2;
        let acknowledgements = self.unacknowledged.settle(durable, crowded);
        let send = |tag: u64, multiple: bool| {
            self.link.run("acknowledging", self.channel.basic_ack(tag, BasicAckOptions { multiple }))
        };
        if let Some(tag) = acknowledgements.up_to {
            send(tag, true)?;
        }
        acknowledgements.also.into_iter().try_for_each(|tag| send(tag, false))
    }

    /// Everything has come: the tables are completed as at the end of a seed.
    fn complete(&mut self, marker: &Envelope) -> Result<SinkReport, Fault> {
        let Some(loading) = &mut self.loading else {
            return Err(self.link.refused("there was nothing to complete").into());
        };
        let report = loading.finish(self.job, marker.position, marker.occurred_at)?;
        self.totals.commits += 1;
        self.acknowledge(EVERYTHING)?;
        Ok(report)
    }
}
