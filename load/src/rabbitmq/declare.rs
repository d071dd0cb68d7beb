//! Compares a topology with the broker, and declares it.
//!
//! In: a topology. Out: what is there, what is missing and what differs. AMQP can tell whether a queue exists and whether it
//! is declared alike; it can't list bindings, so those are only made. Nothing is ever deleted or changed.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, ExchangeKind};

use super::RabbitTarget;
use super::connection::Link;
use super::failure;
use super::topology::{Topology, short};
use crate::LoadError;
use crate::patience::Patience;

/// How long a broker that is there, but fails us, is waited for.
const PATIENCE_MAX: Duration = Duration::from_secs(60);

/// Something of the topology, and how it stands with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// `exchange` or `queue`.
    pub what: &'static str,
    /// Its name.
    pub name: String,
    /// `topic`, `fanout`, `quorum`, `classic`, `stream`.
    pub kind: &'static str,
    /// How it is on the broker.
    pub state: State,
}

impl Declared {
    /// Tells it from all others.
    fn key(&self) -> String {
        format!("{} {}", self.what, self.name)
    }
}

/// How something is on the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It isn't there.
    Missing,
    /// It is there as it should be, with so many messages in it.
    There(u32),
    /// It was declared just now.
    Made,
    /// It is there, but not as it should be; the broker says in what.
    Differs(String),
}

/// What is there, without changing anything.
///
/// # Errors
/// When the broker can't be reached or doesn't let us look.
pub fn inspect(
    target: &RabbitTarget,
    topology: &Topology,
    stop: &'static AtomicBool,
) -> Result<Vec<Declared>, LoadError> {
    patiently(target, stop, |link| Declaring { link, apply: false }.all(topology))
}

/// Declares what is missing, and binds. When anything differs, nothing is declared.
///
/// # Errors
/// As [`inspect`].
pub fn apply(
    target: &RabbitTarget,
    topology: &Topology,
    stop: &'static AtomicBool,
) -> Result<Vec<Declared>, LoadError> {
    // What a broken attempt has made is missing no longer in the next.
    let missing: RefCell<BTreeSet<String>> = RefCell::default();
    patiently(target, stop, |link| {
        let found = Declaring { link, apply: false }.all(topology)?;
        if found.iter().any(|declared| matches!(declared.state, State::Differs(_))) {
            return Ok(found);
        }
        let names =
            found.into_iter().filter(|declared| declared.state == State::Missing).map(|declared| declared.key());
        missing.borrow_mut().extend(names);
        let mut made = Declaring { link, apply: true }.all(topology)?;
        for declared in made.iter_mut().filter(|declared| missing.borrow().contains(&declared.key())) {
            declared.state = State::Made;
        }
        Declaring { link, apply: true }.bind(topology)?;
        Ok(made)
    })
}

/// Works on a connection. A broker that can't be reached is told at once; what may pass on an open connection is waited
/// out for a while, on a new one: a broker that is short of time gives up on what it was asked with an internal error.
fn patiently<T>(
    target: &RabbitTarget,
    stop: &'static AtomicBool,
    work: impl Fn(&Link) -> Result<T, LoadError>,
) -> Result<T, LoadError> {
    let (mut link, mut patience) = (Link::open(target, stop)?, Patience::default());
    loop {
        let mut error = match work(&link) {
            Ok(done) => {
                link.close();
                return Ok(done);
            }
            Err(error) => error,
        };
        loop {
            patience.wait("topology", error, PATIENCE_MAX, stop)?;
            match link.connect() {
                Ok(()) => break,
                Err(next) => error = next,
            }
        }
    }
}

/// That the queues are there, for who publishes or consumes: what is missing or differs is an error.
pub(super) fn require(link: &Link, target: &RabbitTarget, topology: &Topology) -> Result<(), LoadError> {
    let declared = Declaring { link, apply: false }.all(topology)?;
    let wrong: Vec<String> = declared
        .into_iter()
        .filter_map(|declared| match declared.state {
            State::There(_) | State::Made => None,
            State::Missing => Some(format!("{} `{}` is missing", declared.what, declared.name)),
            State::Differs(how) => Some(format!("{} `{}` differs ({how})", declared.what, declared.name)),
        })
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    Err(LoadError::Broker {
        broker: target.to_string().into(),
        doing: "looking at the topology".to_string(),
        problem: wrong.join(", "),
        help: "`etl topology --to TARGET` shows it, `--apply` declares what is missing".to_string(),
        may_pass: false,
    })
}

struct Declaring<'a> {
    link: &'a Link,
    /// Declare; else only look.
    apply: bool,
}

impl Declaring<'_> {
    fn all(&self, topology: &Topology) -> Result<Vec<Declared>, LoadError> {
        let mut all = vec![
            self.exchange(&topology.exchange, &ExchangeKind::Topic, "topic")?,
            self.exchange(&topology.dead, &ExchangeKind::Fanout, "fanout")?,
        ];
        let dead_kind = if topology.dead_is_quorum { "quorum" } else { "classic" };
        all.push(self.queue(&topology.dead, dead_kind, &topology.dead_arguments())?);
        for queue in &topology.queues {
            all.push(self.queue(&queue.name, queue.kind.name(), &topology.arguments(queue))?);
        }
        Ok(all)
    }

    fn exchange(&self, name: &str, kind: &ExchangeKind, shown: &'static str) -> Result<Declared, LoadError> {
        let declare = |channel: Channel, passive: bool| {
            let options = ExchangeDeclareOptions { passive, durable: true, ..ExchangeDeclareOptions::default() };
            let kind = kind.clone();
            async move { channel.exchange_declare(short(name), kind, options, FieldTable::default()).await.map(|()| 0) }
        };
        let state = self.state("declaring an exchange", declare)?;
        Ok(Declared { what: "exchange", name: name.to_string(), kind: shown, state })
    }

    fn queue(&self, name: &str, kind: &'static str, arguments: &FieldTable) -> Result<Declared, LoadError> {
        let declare = |channel: Channel, passive: bool| {
            let options = QueueDeclareOptions { passive, durable: true, ..QueueDeclareOptions::default() };
            let arguments = arguments.clone();
            async move { channel.queue_declare(short(name), options, arguments).await.map(|queue| queue.message_count()) }
        };
        let state = self.state("declaring a queue", declare)?;
        Ok(Declared { what: "queue", name: name.to_string(), kind, state })
    }

    /// Looks whether it exists; if so, or when it is to be made, declares it as it should be, which changes nothing that
    /// is there. The broker closes the channel with each refusal, so each question has one of its own.
    fn state<F>(&self, doing: &str, declare: impl Fn(Channel, bool) -> F) -> Result<State, LoadError>
    where
        F: Future<Output = Result<u32, lapin::Error>>,
    {
        let count = match self.ask(declare(self.link.channel()?, true))? {
            Ok(count) => count,
            Err(error) if failure::is_not_found(&error) && !self.apply => return Ok(State::Missing),
            Err(error) if failure::is_not_found(&error) => 0,
            Err(error) => return Err(self.link.broken(doing, &error)),
        };
        match self.ask(declare(self.link.channel()?, false))? {
            Ok(_) => Ok(State::There(count)),
            Err(error) if failure::is_different(&error) => Ok(State::Differs(failure::said(&error))),
            Err(error) => Err(self.link.broken(doing, &error)),
        }
    }

    fn ask<T>(
        &self,
        question: impl Future<Output = Result<T, lapin::Error>>,
    ) -> Result<Result<T, lapin::Error>, LoadError> {
        self.link.run("asking the broker", async { Ok(question.await) })
    }

    fn bind(&self, topology: &Topology) -> Result<(), LoadError> {
        let channel = self.link.channel()?;
        let bind = |queue: &str, exchange: &str, key: &str| {
            let (queue, exchange, key) = (short(queue), short(exchange), short(key));
            let bound = channel.queue_bind(queue, exchange, key, QueueBindOptions::default(), FieldTable::default());
            self.link.run("binding a queue", bound)
        };
        bind(&topology.dead, &topology.dead, "")?;
        for queue in &topology.queues {
            for key in &queue.keys {
                bind(&queue.name, &topology.exchange, key)?;
            }
        }
        Ok(())
    }
}
