//! TLS to the broker, and what a failed handshake with it means.
//!
//! In: a target's URL. Out: a connector that trusts the certificates in the file that the URL names, else the system's.
//! The broker's certificate is always checked, against these and against the URL's host; no setting leaves that out.

use lapin::ErrorKind;
use tokio_rustls::TlsConnector;

use super::RabbitTarget;
use crate::LoadError;
use crate::tls::{Name, Peer, Words};

const WORDS: Words = Words {
    peer: "broker",
    setting: "cacertfile",
    example: "amqps://user@host/virtual-host?cacertfile=/path/to/ca.pem",
    without_name: "",
    not_tls: "the one for TLS? As a rule that is 5671",
};

/// Makes connections encrypted, if the target's URL asks for it.
pub(super) fn connector(target: &RabbitTarget) -> Result<Option<TlsConnector>, LoadError> {
    target.tls.then(|| peer(target).connector(Name::Checked)).transpose()
}

/// What to do when no connection could be had because of TLS, and whether it may pass by itself.
pub(super) fn judge(target: &RabbitTarget, error: &lapin::Error) -> Option<(String, bool)> {
    let ErrorKind::IOError(error) = error.kind() else { return None };
    peer(target).judge(error)
}

fn peer(target: &RabbitTarget) -> Peer<'_> {
    let RabbitTarget { host, port, certificates, .. } = target;
    Peer { words: &WORDS, host, port: *port, certificates: certificates.as_deref() }
}
