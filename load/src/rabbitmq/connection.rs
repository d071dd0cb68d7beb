//! One connection to the broker, driven from a thread that blocks.
//!
//! In: a target. Out: [`Link::run`], which waits for the client and looks at the stop flag meanwhile. The client answers
//! heartbeats on threads of its own, so a thread that is busy elsewhere keeps its connection. A broker that blocks
//! publishing (it is short of memory or disk) is waited for; when it begins and ends is told. One that answers nothing for
//! long, though it lives and doesn't block, counts as broken: its queues may have lost their leaders.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{Channel, Connection, ConnectionProperties, Event};
use secrecy::ExposeSecret;
use tokio::runtime::{Builder, Runtime};

use super::{RabbitTarget, encryption, failure, transport};
use crate::LoadError;
use crate::patience::STEP;

/// For connecting and logging in.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
/// Seconds without a sign of life after which a peer counts as gone.
const HEARTBEAT: u16 = 20;

/// A connection and the runtime that drives it.
pub(super) struct Link {
    runtime: Runtime,
    target: RabbitTarget,
    connection: Option<Connection>,
    stop: &'static AtomicBool,
    /// Whether the broker takes nothing for now, and has said so.
    blocked: Arc<AtomicBool>,
}

/// How waiting for an answer ends.
enum Waited<T> {
    Answered(T),
    Stopped,
    Silent,
}

impl Link {
    /// Connects.
    pub(super) fn open(target: &RabbitTarget, stop: &'static AtomicBool) -> Result<Link, LoadError> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| LoadError::Connect {
            server: target.to_string(),
            problem: format!("no connection can be driven: {error}"),
            help: "raise the limits of open files and processes (ulimit)".to_string(),
            may_pass: false,
        })?;
        let (target, blocked) = (target.clone(), Arc::new(AtomicBool::new(false)));
        let mut link = Link { runtime, target, connection: None, stop, blocked };
        link.connect()?;
        Ok(link)
    }

    /// Connects anew; what was open before is gone.
    pub(super) fn connect(&mut self) -> Result<(), LoadError> {
        self.connection = None;
        let (uri, tls) = (uri(&self.target), encryption::connector(&self.target)?);
        let properties = ConnectionProperties::default().with_connection_name("etl".into());
        let connect = transport::connect(uri, tls, properties);
        let connected =
            self.runtime.block_on(async { tokio::time::timeout(CONNECT_TIME_MAX, connect).await }).unwrap_or_else(
                |_| Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer within ten seconds").into()),
            );
        let connection = connected.map_err(|error| failure::connecting(&self.target, &error))?;
        self.blocked = Arc::new(AtomicBool::new(false));
        let (blocked, broker) = (Arc::clone(&self.blocked), self.target.to_string());
        self.runtime.spawn(tell_blocking(connection.events_listener(), blocked, broker));
        self.connection = Some(connection);
        Ok(())
    }

    /// Another channel.
    pub(super) fn channel(&self) -> Result<Channel, LoadError> {
        let Some(connection) = &self.connection else { return Err(self.stopped("connecting")) };
        self.run("opening a channel", connection.create_channel())
    }

    /// Waits for the broker's answer; an error says what was being done. The raised stop flag ends it as
    /// [`LoadError::Stopped`].
    pub(super) fn run<T>(
        &self,
        doing: &str,
        question: impl Future<Output = Result<T, lapin::Error>>,
    ) -> Result<T, LoadError> {
        match self.runtime.block_on(self.answer(question)) {
            Waited::Answered(answer) => answer.map_err(|error| self.broken(doing, &error)),
            Waited::Stopped => Err(self.stopped(doing)),
            Waited::Silent => Err(self.silent(doing)),
        }
    }

    /// Waits until there is an answer, the flag is raised, or there was none for too long while the broker didn't block.
    async fn answer<T>(&self, question: impl Future<Output = T>) -> Waited<T> {
        let (mut question, mut since) = (pin!(question), Instant::now());
        loop {
            match tokio::time::timeout(STEP, question.as_mut()).await {
                Ok(answer) => return Waited::Answered(answer),
                Err(_) if self.stop.load(Ordering::Relaxed) => return Waited::Stopped,
                Err(_) if self.blocked.load(Ordering::Relaxed) => since = Instant::now(),
                Err(_) if since.elapsed() >= self.target.answer_time_max => return Waited::Silent,
                Err(_) => {}
            }
        }
    }

    /// Waits for what may fail in other ways as well.
    pub(super) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub(super) fn broken(&self, doing: &str, error: &lapin::Error) -> LoadError {
        failure::broken(&self.target, doing, error)
    }

    /// A message came back, because no queue takes it: it would come back again.
    pub(super) fn returned(&self, problem: String) -> LoadError {
        let (broker, doing) = (self.target.to_string().into(), "publishing".to_string());
        let help = "`etl topology --apply` binds the queues; then run the same command again".to_string();
        LoadError::Broker { broker, doing, problem, help, may_pass: false }
    }

    /// The broker refused a message for now.
    pub(super) fn refused(&self, problem: &str) -> LoadError {
        let (broker, doing) = (self.target.to_string().into(), "publishing".to_string());
        let help = "see the broker's log for why, then run the same command again".to_string();
        LoadError::Broker { broker, doing, problem: problem.to_string(), help, may_pass: true }
    }

    /// The broker is there and answers nothing.
    fn silent(&self, doing: &str) -> LoadError {
        let (broker, doing) = (self.target.to_string().into(), doing.to_string());
        let seconds = self.target.answer_time_max.as_secs();
        let problem = format!("it is there, but hasn't answered for {seconds} s");
        let help =
            "see the broker's log; a quorum queue without a leader answers nothing (rabbitmq-queues quorum_status \
                    QUEUE). Then run the same command again"
                .to_string();
        LoadError::Broker { broker, doing, problem, help, may_pass: true }
    }

    /// The run was stopped while the broker was waited for.
    pub(super) fn stopped(&self, doing: &str) -> LoadError {
        let problem = format!("the run was stopped while the broker was waited for ({doing})");
        let help = "run the same command again".to_string();
        LoadError::Stopped { who: self.target.to_string(), problem, help }
    }

    /// Says goodbye. What isn't settled is the broker's to decide.
    pub(super) fn close(mut self) {
        if let Some(connection) = self.connection.take() {
            let closed = async { tokio::time::timeout(CONNECT_TIME_MAX, connection.close(200, "done".into())).await };
            // The broker notices as well when the socket closes.
            let _ = self.runtime.block_on(closed);
        }
        self.runtime.shutdown_background();
    }
}

/// Tells when the broker blocks publishing and when it lets it go on.
async fn tell_blocking(events: impl futures_util::Stream<Item = Event>, blocked: Arc<AtomicBool>, broker: String) {
    let mut events = pin!(events);
    let mut since = None;
    while let Some(event) = events.next().await {
        match event {
            Event::ConnectionBlocked(reason) => {
                since = Some(Instant::now());
                blocked.store(true, Ordering::Relaxed);
                tracing::warn!("{broker} takes nothing for now ({reason}); waiting until it does");
            }
            Event::ConnectionUnblocked => {
                blocked.store(false, Ordering::Relaxed);
                let seconds = since.take().map_or(0.0, |since: Instant| since.elapsed().as_secs_f64());
                tracing::warn!("{broker} takes messages again, after {seconds:.1} s");
            }
            _ => {}
        }
    }
}

fn uri(target: &RabbitTarget) -> AMQPUri {
    let password = target.password.as_ref().map_or_else(String::new, |password| password.expose_secret().to_string());
    AMQPUri {
        scheme: if target.tls { AMQPScheme::AMQPS } else { AMQPScheme::AMQP },
        authority: AMQPAuthority {
            userinfo: AMQPUserInfo { username: target.user.clone(), password },
            host: target.host.clone(),
            port: target.port,
        },
        vhost: target.virtual_host.clone(),
        query: AMQPQueryString { heartbeat: Some(HEARTBEAT), ..AMQPQueryString::default() },
    }
}
