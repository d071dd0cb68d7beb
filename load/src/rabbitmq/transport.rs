//! The way to the broker: TCP, and TLS in it for a target with `amqps://`.
//!
//! In: a target, and what it trusts. Out: a stream for the client. The client has a transport of its own, which takes
//! `amqps://` for plain TCP, without a word, when it was built without the right feature, and which brings two dozen crates
//! when it was built with it. So the stream is ours: for such a target there is no way to get one without TLS.

use std::future::Future;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use async_rs::traits::{Executor, Reactor, RuntimeKit};
use async_rs::util::Task;
use async_rs::{Runtime, Tokio};
use futures_util::Stream as Events;
use lapin::tcp::AsyncTcpStream;
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

/// Connects and logs in. Without a connector it speaks plain text.
pub(super) async fn connect(
    uri: AMQPUri,
    tls: Option<TlsConnector>,
    properties: ConnectionProperties,
) -> Result<Connection, lapin::Error> {
    let transport = async move |uri: AMQPUri, _: Runtime<Kit>| {
        let stream = open(uri.authority.host, uri.authority.port, tls.as_ref()).await?;
        Ok(AsyncTcpStream::Plain(stream))
    };
    Connection::connector(uri, Runtime::new(Kit(Tokio::current())), transport, properties).await
}

async fn open(host: String, port: u16, tls: Option<&TlsConnector>) -> io::Result<Stream> {
    let tcp = TcpStream::connect((host.as_str(), port)).await?;
    tcp.set_nodelay(true)?;
    let stream: Box<dyn Duplex> = match tls {
        None => Box::new(tcp),
        Some(tls) => {
            let name = ServerName::try_from(host).map_err(|error| io::Error::new(ErrorKind::InvalidInput, error))?;
            Box::new(tls.connect(name, tcp).await?)
        }
    };
    Ok(stream.compat())
}

/// Bytes in both directions, encrypted or not.
trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

type Stream = Compat<Box<dyn Duplex>>;

/// What the client does its work with: tokio, with our streams in the place of its own.
#[derive(Clone, Debug)]
struct Kit(Tokio);

impl RuntimeKit for Kit {}

impl Executor for Kit {
    type Task<T: Send + 'static> = <Tokio as Executor>::Task<T>;

    fn block_on<T, F: Future<Output = T>>(&self, future: F) -> T {
        self.0.block_on(future)
    }

    fn spawn<T: Send + 'static, F: Future<Output = T> + Send + 'static>(&self, future: F) -> Task<Self::Task<T>> {
        self.0.spawn(future)
    }

    fn spawn_blocking<T: Send + 'static, F: FnOnce() -> T + Send + 'static>(&self, work: F) -> Task<Self::Task<T>> {
        self.0.spawn_blocking(work)
    }
}

impl Reactor for Kit {
    type TcpStream = Stream;
    type Sleep = <Tokio as Reactor>::Sleep;

    /// For sockets of others, which the client never has.
    #[allow(refining_impl_trait, reason = "there is no stream that could be named otherwise")]
    fn register<H: Read + Write + Send + 'static>(&self, _: H) -> io::Result<Stream> {
        Err(ErrorKind::Unsupported.into())
    }

    fn sleep(&self, time: Duration) -> Self::Sleep {
        self.0.sleep(time)
    }

    fn interval(&self, time: Duration) -> impl Events<Item = Instant> + Send + 'static {
        self.0.interval(time)
    }

    /// For connections that the client makes itself; ours come from [`open`].
    fn tcp_connect_addr(&self, _: SocketAddr) -> impl Future<Output = io::Result<Stream>> + Send + 'static {
        std::future::ready(Err(ErrorKind::Unsupported.into()))
    }
}
