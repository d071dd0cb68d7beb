//! One connection to the broker, driven from a thread that blocks.
//!
//! In: a target. Out: [`Link::run`], which waits for the client and looks at the stop flag meanwhile. The client answers
//! heartbeats on threads of its own, so a thread that is busy elsewhere keeps its connection. A broker that blocks
//! publishing (it is short of memory or disk) is waited for; when it begins and ends is told.

use std::future::Future;
use std::pin::pin;
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
        let mut link = Link { runtime, target: target.clone(), connection: None, stop };
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
        self.runtime.spawn(tell_blocking(connection.events_listener(), self.target.to_string()));
        self.connection = Some(connection);
        Ok(())
    }

    /// Another channel.
    pub(super) fn channel(&self) -> Result<Channel, LoadError> {
        let Some(connection) = &self.connection else { return Err(self.stopped("connecting")) };
        self.run("opening a channel", connection.create_channel())
    }

    /// Waits; an error says what was being done. The raised stop flag ends it as [`LoadError::Stopped`].
    pub(super) fn run<T>(
        &self,
        doing: &str,
        future: impl Future<Output = Result<T, lapin::Error>>,
    ) -> Result<T, LoadError> {
        match self.runtime.block_on(until_stopped(future, self.stop)) {
            Some(Ok(done)) => Ok(done),
            Some(Err(error)) => Err(self.broken(doing, &error)),
            None => Err(self.stopped(doing)),
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

    /// Raised when the run is stopped.
    pub(super) fn stop_flag(&self) -> &'static AtomicBool {
        self.stop
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

/// Waits for the future, or until the flag is raised.
pub(super) async fn until_stopped<T>(future: impl Future<Output = T>, stop: &AtomicBool) -> Option<T> {
    let mut future = pin!(future);
    loop {
        match tokio::time::timeout(STEP, future.as_mut()).await {
            Ok(done) => return Some(done),
            Err(_) if stop.load(Ordering::Relaxed) => return None,
            Err(_) => {}
        }
    }
}

/// Tells when the broker blocks publishing and when it lets it go on.
async fn tell_blocking(events: impl futures_util::Stream<Item = Event>, broker: String) {
    let mut events = pin!(events);
    let mut since = None;
    while let Some(event) = events.next().await {
        match event {
            Event::ConnectionBlocked(reason) => {
                since = Some(Instant::now());
                tracing::warn!("{broker} takes nothing for now ({reason}); waiting until it does");
            }
            Event::ConnectionUnblocked => {
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
