//! Opens a module's database and gets everything ready, so that what can be wrong is known before the long run.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use etl_schemas::diagnostic::Diagnostic;
use etl_schemas::event::EventCatalog;

use super::line::Line;
use super::pending::Pending;
use super::planning::{Plans, plan};
use super::rejected::{Refusals, RejectedRows};
use super::script::run_script;
use super::transaction::Transaction;
use super::{Handler, Job, PostgresSink, Session};
use crate::LoadError;
use crate::module::{Action, Module};
use crate::patience::Patience;
use crate::postgres::catalog;
use crate::postgres::checkpoint::{Checkpoint, Mover, fingerprints};
use crate::postgres::connection::{Backend, Connection};
use crate::postgres::copy::CopyBuffer;
use crate::postgres::database::{self, Content};
use crate::postgres::generation::{self, LIVE, NEXT};
use crate::postgres::{Durability, Origin, PostgresOptions, PostgresTarget, StreamFingerprint};
use crate::sink::EVERYTHING;

/// Memory and parallelism of our sessions: staged events stay in memory, sets are grouped without spilling, and an index
/// is built by several processes.
const SESSION: [(&str, &str); 4] = [
    ("temp_buffers", "64MB"),
    ("work_mem", "64MB"),
    ("maintenance_work_mem", "256MB"),
    ("max_parallel_maintenance_workers", "4"),
];

/// A checkpoint, and everything planned against the tables that it belongs to.
type Ready = (Checkpoint, Plans);

/// A server that can't be reached at all is told at once; one that goes away after it has let somebody in is waited for.
pub(super) fn open(
    target: &PostgresTarget,
    module: &Module,
    catalog: &Arc<EventCatalog>,
    stream: &StreamFingerprint,
    options: &PostgresOptions,
) -> Result<PostgresSink, LoadError> {
    let mut patience = Patience::default();
    loop {
        match try_to_open(target, module, catalog, stream, options) {
            Err(error) if target.has_answered() => {
                let error = awaited(error, options.origin);
                patience.wait(&module.name, error, options.retry_time_max, options.stop)?;
            }
            opened => return opened,
        }
    }
}

/// Two loaders of a dump are a mistake. Of a queue's consumers, one may take over while another that the broker has given
/// up is still in the middle of a long commit.
fn awaited(error: LoadError, origin: Origin) -> LoadError {
    match error {
        LoadError::Busy { database, process, .. } if origin == Origin::Queue => {
            LoadError::Busy { database, process, may_pass: true }
        }
        other => other,
    }
}

fn try_to_open(
    target: &PostgresTarget,
    module: &Module,
    catalog: &Arc<EventCatalog>,
    stream: &StreamFingerprint,
    options: &PostgresOptions,
) -> Result<PostgresSink, LoadError> {
    let began = Instant::now();
    let database = format!("{}{}", options.database_prefix, module.name);
    if database.len() > 63 {
        let help = "shorten the prefix or the module's name";
        return Err(database::refused(&database, "a database's name has at most 63 bytes", help));
    }
    let server = database::reach(target)?;
    let (mut connection, content) = database::open(&server, target, &database, options.if_exists)?;
    drop(server);
    let generation = if content == Content::Live { NEXT } else { LIVE };
    let job = Job {
        target: target.clone(),
        module: module.clone(),
        catalog: catalog.clone(),
        fingerprints: fingerprints(stream, module.fingerprint()),
        options: options.clone(),
        database,
        generation,
    };
    let ready = set_up(&mut connection, &job).and_then(|()| match content {
        Content::Ours => resume(&connection, &job),
        Content::Empty { .. } => create(&connection, &job),
        Content::Live => beside_live(&connection, &job),
    });
    let (mut checkpoint, plans) = match ready {
        Ok(ready) => ready,
        Err(error) => {
            drop(connection);
            if content == (Content::Empty { created: true }) {
                database::take_back(target, &job.database);
            }
            return Err(error);
        }
    };
    name_tables(&mut checkpoint, &plans.buffers);
    let Opened { session, handlers, mut empty } = opened(connection, plans, &job)?;
    empty.begin(checkpoint.position);
    Ok(PostgresSink {
        line: Line::new(session),
        handlers,
        filling: empty,
        spare: None,
        refusals: Refusals::default(),
        last_reject: None,
        pending: Pending::default(),
        patience: Patience::default(),
        rows_max: options.rows_per_transaction.max(1),
        seen: 0,
        published: generation == LIVE,
        resumed_after: if checkpoint.complete { EVERYTHING } else { checkpoint.position },
        opened: began,
        checkpoint,
        job,
    })
}

/// A session, and what was planned on it.
pub(super) struct Opened {
    pub(super) session: Session,
    pub(super) handlers: Vec<Option<Handler>>,
    pub(super) empty: Transaction,
}

/// Connects again, when the session that is known by `lost` has failed: the checkpoint as it is now, and a session
/// that is ready. `lost` becomes the new one as soon as there is one.
pub(super) fn reopen(job: &Job, lost: &mut Backend) -> Result<(Checkpoint, Opened), LoadError> {
    let connection = connect(job, lost)?;
    let (mut checkpoint, plans) = resume(&connection, job)?;
    name_tables(&mut checkpoint, &plans.buffers);
    Ok((checkpoint, opened(connection, plans, job)?))
}

/// The connection alone.
pub(super) fn connect(job: &Job, lost: &mut Backend) -> Result<Connection, LoadError> {
    let mut connection = Connection::open(&job.target, &job.database)?;
    // The server may not have noticed that the old one is gone; what it did must be either committed or undone.
    connection.end(lost)?;
    *lost = connection.backend()?;
    database::lock(&connection)?;
    set_up(&mut connection, job)?;
    Ok(connection)
}

fn set_up(connection: &mut Connection, job: &Job) -> Result<(), LoadError> {
    let mut settings = SESSION.map(|(name, value)| (name, value.to_string())).to_vec();
    settings.push(("lock_timeout", format!("{}ms", job.options.lock_time_max.as_millis())));
    if job.options.durability == Durability::Relaxed {
        settings.push(("synchronous_commit", "off".to_string()));
    }
    connection.set(&settings)?;
    if job.options.origin == Origin::Queue {
        // What is committed is acknowledged, and the broker forgets it: nobody could hand over again what a crash undid.
        // Whatever role or database say otherwise; a setting that waits for standbys as well stays.
        let waits = "SELECT set_config('synchronous_commit', 'on', false)
                     WHERE current_setting('synchronous_commit') = 'off'";
        connection.run("setting up the session", connection.client.batch_execute(waits))?;
    }
    connection.enter(job.generation)
}

fn opened(connection: Connection, plans: Plans, job: &Job) -> Result<Opened, LoadError> {
    let Plans { handlers, buffers, stages, staging } = plans;
    let begin = match job.options.origin {
        Origin::Dump => begin_alone(&connection, &buffers)?,
        Origin::Queue => "BEGIN".to_string(),
    };
    let (backend, mover) = (connection.backend()?, Mover::prepare(&connection, &job.module.name)?);
    let empty = Transaction::new(buffers, stages, RejectedRows::prepare(&connection)?);
    Ok(Opened { session: Session { connection, backend, staging, mover, begin }, handlers, empty })
}

/// Begins a transaction that keeps autovacuum away from the tables that are only copied into: it passes over a table that
/// somebody holds this lock of, and would read one again and again while it grows. Their statistics are gathered at the
/// end; nothing of the module is planned against them before. Readers and writers don't notice the lock, and a crash leaves none behind.
fn begin_alone(connection: &Connection, buffers: &[CopyBuffer]) -> Result<String, LoadError> {
    let copied: BTreeSet<&str> = buffers.iter().filter_map(CopyBuffer::copied_table).collect();
    let tables = catalog::undisturbed(connection, &copied.into_iter().collect::<Vec<_>>())?;
    Ok(match tables.as_slice() {
        [] => "BEGIN".to_string(),
        tables => format!("BEGIN; LOCK TABLE {} IN SHARE UPDATE EXCLUSIVE MODE", tables.join(", ")),
    })
}

/// Tables that are only copied into are counted from the beginning, also when they get no row.
fn name_tables(checkpoint: &mut Checkpoint, buffers: &[CopyBuffer]) {
    for table in buffers.iter().filter_map(CopyBuffer::counted_table) {
        checkpoint.counts.rows.entry(table).or_default();
    }
}

fn resume(connection: &Connection, job: &Job) -> Result<Ready, LoadError> {
    in_transaction(connection, || {
        let origin = job.options.origin;
        let checkpoint = Checkpoint::resume(connection, &job.module.name, &job.fingerprints, origin)?;
        Ok((checkpoint, plan(connection, &job.module, &job.catalog)?))
    })
}

fn create(connection: &Connection, job: &Job) -> Result<Ready, LoadError> {
    in_transaction(connection, || {
        let checkpoint = Checkpoint::create(connection, &job.module.name, &job.fingerprints)?;
        run_script(connection, &job.module.schema)?;
        Ok((checkpoint, plan(connection, &job.module, &job.catalog)?))
    })
}

/// Goes on with tables that an interrupted run has left beside the live ones, if they came from the same; else makes
/// them anew.
fn beside_live(connection: &Connection, job: &Job) -> Result<Ready, LoadError> {
    refuse_public(&job.module)?;
    if NEXT.exists(connection)? {
        match resume(connection, job) {
            Err(LoadError::Database { .. }) => {}
            other => return other,
        }
    }
    in_transaction(connection, || {
        NEXT.drop(connection)?;
        generation::create_next(connection)
    })?;
    create(connection, job)
}

/// A script that says `public.` would write to the live tables.
fn refuse_public(module: &Module) -> Result<(), LoadError> {
    let handlers = module.handlers.iter().filter_map(|handler| match &handler.action {
        Action::Sql(script) => Some(script),
        Action::Copy(_) | Action::Call(_) => None,
    });
    let scripts = [&module.schema].into_iter().chain(module.indexes.as_ref()).chain(handlers);
    let diagnostics: Vec<Diagnostic> = scripts
        .filter_map(|script| {
            let lower = script.text.to_ascii_lowercase();
            let at = ["public.", "\"public\"."].into_iter().filter_map(|name| lower.find(name)).min()?;
            let message = "with `public.` this would reach the live tables, and others are loaded beside them";
            let help = "leave `public.` out: names are looked for where the tables are";
            Some(script.diagnostic(at..at + "public".len(), message).help(help))
        })
        .collect();
    if diagnostics.is_empty() { Ok(()) } else { Err(LoadError::Invalid(diagnostics)) }
}

/// What a run is built on must survive a crash of the server, whatever its commits wait for.
const BEGIN_DURABLY: &str = "BEGIN; SET LOCAL synchronous_commit = on";

fn in_transaction<T>(connection: &Connection, work: impl FnOnce() -> Result<T, LoadError>) -> Result<T, LoadError> {
    connection.run("beginning a transaction", connection.client.batch_execute(BEGIN_DURABLY))?;
    let done =
        work().and_then(|done| connection.run("committing", connection.client.batch_execute("COMMIT")).map(|()| done));
    if done.is_err() {
        connection.roll_back();
    }
    done
}
