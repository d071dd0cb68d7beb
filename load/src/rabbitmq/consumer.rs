//! From a module's queue into its database: the same sink as a direct seed's, fed by the broker.
//!
//! In: a queue's messages, in any order, any of them several times. Out: the module's events in the order of all events,
//! each once, and acknowledgements behind the commit. A broken connection ends the *session*: what wasn't committed is let
//! go, the database with it, so that a consumer that stands by may go on; the next session begins at the checkpoint.

mod chain;
mod loading;
mod misfits;
mod session;
mod unacknowledged;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use etl_schemas::event::EventCatalog;

use self::session::{Ended, Session};
use super::RabbitTarget;
use super::connection::Link;
use super::declare;
use super::topology::Topology;
use crate::LoadError;
use crate::module::Module;
use crate::patience::Patience;
use crate::postgres::StreamFingerprint;
use crate::sink::{Sink, SinkReport};

/// How a queue is consumed.
#[derive(Clone, Debug)]
pub struct ConsumeOptions {
    /// Messages that the broker hands out before they are acknowledged; more than the publisher's window.
    pub prefetch: u16,
    /// End when nothing has come for so long; `None` to wait for the end of the stream.
    pub until_idle: Option<Duration>,
    /// How long a fault of the broker is waited out, from the last commit.
    pub retry_time_max: Duration,
    /// Ends consuming when it is raised.
    pub stop: &'static AtomicBool,
}

/// Opens a module's database for the stream that the messages come from.
pub type OpenSink<'a> = dyn FnMut(&StreamFingerprint) -> Result<Box<dyn Sink>, LoadError> + 'a;

/// What is consumed.
struct Job<'a> {
    target: &'a RabbitTarget,
    topology: &'a Topology,
    module: &'a Module,
    catalog: &'a Arc<EventCatalog>,
    options: &'a ConsumeOptions,
}

/// What is counted over all sessions of a run.
#[derive(Debug, Default)]
struct Totals {
    /// Deliveries of events that had taken effect.
    repeated: u64,
    /// Messages that aren't ours.
    dead: u64,
    /// Commits that were acknowledged; patience begins anew with each.
    commits: u64,
}

/// What ended a session before its time. Only what the broker did is waited out here: the module's sink has waited out what
/// its server did, for as long as it may.
enum Fault {
    Broker(LoadError),
    Sink(LoadError),
}

impl From<LoadError> for Fault {
    fn from(error: LoadError) -> Fault {
        Fault::Broker(error)
    }
}

/// Consumes the module's queue until the stream's end, until nothing comes any more, or until it is stopped. `None` when
/// no message came at all.
///
/// # Errors
/// When the broker or the database can't be used, the queue holds another stream than was loaded, or messages wait for
/// one that never comes. What was committed stays, and the same call goes on behind it.
pub fn consume(
    target: &RabbitTarget,
    topology: &Topology,
    module: &Module,
    catalog: &Arc<EventCatalog>,
    open: &mut OpenSink<'_>,
    options: &ConsumeOptions,
    progress: &mut dyn FnMut(u64),
) -> Result<Option<SinkReport>, LoadError> {
    let job = Job { target, topology, module, catalog, options };
    let (opened, mut totals, mut patience) = (Instant::now(), Totals::default(), Patience::default());
    let mut link = Link::open(target, options.stop)?;
    declare::require(&link, target, topology)?;
    let ended = loop {
        let commits = totals.commits;
        let session = Session::begin(&job, &link, &mut totals).map_err(Fault::Broker);
        let mut error = match session.and_then(|session| session.run(open, progress)) {
            Ok(ended) => break ended,
            Err(Fault::Sink(error)) => return Err(error),
            Err(Fault::Broker(error)) => error,
        };
        if totals.commits > commits {
            patience.forget();
        }
        loop {
            patience.wait(&module.name, error, options.retry_time_max, options.stop)?;
            match link.connect() {
                Ok(()) => break,
                Err(next) => error = next,
            }
        }
    };
    link.close();
    let Ended(report) = ended;
    Ok(report.map(|report| SinkReport { repeated: totals.repeated, elapsed: opened.elapsed(), ..report }))
}
