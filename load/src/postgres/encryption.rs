//! TLS to a server, and what a failed handshake with it means.
//!
//! In: a target whose URL asks for it. Out: what tokio-postgres encrypts a connection by, with the certificates in the
//! file that the URL names or the system's. A target that asks for TLS never gets a connection without it: a server that
//! has none is an error.

use std::error::Error as _;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::{TlsConnector, client};

use super::target::PostgresTarget;
use crate::LoadError;
use crate::tls::{Name, Peer, Words};

const WORDS: Words = Words {
    peer: "server",
    setting: "sslrootcert",
    example: "postgres://user@host?sslmode=verify-full&sslrootcert=/path/to/ca.pem",
    without_name: ", or write sslmode=verify-ca&sslrootcert=/path/to/ca.pem: that doesn't check the name",
    not_tls: "that of Postgres?",
};
/// tokio-postgres's words for a server that answers no to the question for TLS; it has no other mark.
const NO_TLS: &str = "server does not support TLS";

/// How connections to a target are encrypted.
#[derive(Clone, Debug)]
pub(super) struct Encryption {
    pub(super) name: Name,
    /// Certificates that the server's own must be signed by, as PEM; the system's when there is none.
    pub(super) certificates: Option<PathBuf>,
}

/// Makes connections encrypted, if the target's URL asks for it.
pub(super) fn encrypting(target: &PostgresTarget) -> Result<Option<Encrypting>, LoadError> {
    let Some(encryption) = &target.encryption else { return Ok(None) };
    let Ok(host) = ServerName::try_from(target.host.clone()) else {
        let problem = format!("no certificate can name the host `{}`", target.host);
        return Err(LoadError::Target { problem, help: "write its name or its address into the URL".to_string() });
    };
    let connector = peer(target, encryption).connector(encryption.name)?;
    Ok(Some(Encrypting { connector, host }))
}

/// What to do when no connection could be had because of TLS, and whether it may pass by itself.
pub(super) fn judge(target: &PostgresTarget, error: &tokio_postgres::Error) -> Option<(String, bool)> {
    let (encryption, source) = (target.encryption.as_ref()?, error.source()?);
    if source.to_string() == NO_TLS {
        let help = "set `ssl = on` in its postgresql.conf, or write sslmode=disable where the network is trusted";
        return Some((help.to_string(), false));
    }
    peer(target, encryption).judge(source.downcast_ref()?)
}

fn peer<'a>(target: &'a PostgresTarget, encryption: &'a Encryption) -> Peer<'a> {
    let PostgresTarget { host, port, .. } = target;
    Peer { words: &WORDS, host, port: *port, certificates: encryption.certificates.as_deref() }
}

/// Encrypts one connection to one host.
#[derive(Clone)]
pub(super) struct Encrypting {
    connector: TlsConnector,
    host: ServerName<'static>,
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> MakeTlsConnect<S> for Encrypting {
    type Stream = Encrypted<S>;
    type TlsConnect = Encrypting;
    type Error = io::Error;

    /// The host is the target's, which this was made for.
    fn make_tls_connect(&mut self, _: &str) -> io::Result<Encrypting> {
        Ok(self.clone())
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> TlsConnect<S> for Encrypting {
    type Stream = Encrypted<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Encrypted<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move { self.connector.connect(self.host, stream).await.map(Encrypted) })
    }
}

/// Bytes in both directions, encrypted.
pub(super) struct Encrypted<S>(client::TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Encrypted<S> {
    /// None: it would show that nobody sits between, and so does the certificate.
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Encrypted<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Encrypted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
