//! TLS: which certificates are trusted, and what a failed handshake means.
//!
//! In: whom a connection is for, and the file of certificates that the target's URL names. Out: a connector that trusts
//! these, else the system's; and for a handshake that failed, what to do. A certificate is always checked: there is no
//! connector that takes one which nobody trusted has signed, or an old one.

mod any_name;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::CertificateError::{
    BadSignature, Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet, NotValidYetContext,
    Other, UnknownIssuer,
};
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::LoadError;

/// Where systems keep the certificates they trust.
const SYSTEM_CERTIFICATES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
/// What webpki calls a server's certificate that is an authority's. rustls has no name of its own for it.
const AUTHORITY_AS_SERVER: &str = "CaUsedAsEndEntity";

/// What of a certificate is checked beyond who signed it and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// It must name the host that the URL names.
    Checked,
    /// It may name any host, or none.
    Any,
}

/// How URLs and people speak of one kind of server.
#[derive(Debug)]
pub(crate) struct Words {
    /// `broker` or `server`.
    pub(crate) peer: &'static str,
    /// The setting of a URL that names a file of certificates.
    pub(crate) setting: &'static str,
    /// A whole URL with it.
    pub(crate) example: &'static str,
    /// What else may be done where the certificate doesn't name the host; begins with `, `, or is empty.
    pub(crate) without_name: &'static str,
    /// What to think of when the peer's answer isn't TLS, behind `is port 5671`.
    pub(crate) not_tls: &'static str,
}

/// The other end of a connection, and what it has to prove.
#[derive(Debug)]
pub(crate) struct Peer<'a> {
    pub(crate) words: &'static Words,
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    /// The file that the URL names; else the system's certificates are trusted.
    pub(crate) certificates: Option<&'a Path>,
}

impl Peer<'_> {
    /// Makes connections encrypted.
    pub(crate) fn connector(&self, name: Name) -> Result<TlsConnector, LoadError> {
        let system = || SYSTEM_CERTIFICATES.iter().map(PathBuf::from).find(|path| path.exists());
        let Some(path) = self.certificates.map(PathBuf::from).or_else(system) else {
            let problem = "this system keeps no certificates where they are looked for".to_string();
            return Err(LoadError::Target { problem, help: format!("name a file of them: {}", self.words.example) });
        };
        match trusting(&path, name) {
            Ok(config) => Ok(Arc::new(config).into()),
            Err(source) => Err(LoadError::Read { path, source }),
        }
    }

    /// What to do when no connection could be had because of TLS, and whether it may pass by itself.
    pub(crate) fn judge(&self, error: &io::Error) -> Option<(String, bool)> {
        let Words { peer, setting, without_name, not_tls, .. } = self.words;
        let (host, port) = (self.host, self.port);
        let help = match error.get_ref()?.downcast_ref()? {
            // Two authorities of one name differ only in what they sign by.
            rustls::Error::InvalidCertificate(UnknownIssuer | BadSignature) => {
                let trusted = self.certificates.map_or("the system".to_string(), |path| path.display().to_string());
                format!(
                    "{trusted} doesn't trust who signed the {peer}'s certificate; name the file with its authority: \
                     ?{setting}=/path/to/ca.pem"
                )
            }
            rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => format!(
                "write a host into the URL that the {peer}'s certificate names, or give it one for `{host}`{without_name}"
            ),
            rustls::Error::InvalidCertificate(Expired | ExpiredContext { .. }) => {
                format!("renew the {peer}'s certificate; if it isn't old, set this machine's clock")
            }
            rustls::Error::InvalidCertificate(NotValidYet | NotValidYetContext { .. }) => {
                format!("set this machine's clock; if it is right, give the {peer} a certificate that holds already")
            }
            rustls::Error::InvalidCertificate(Other(other)) if other.0.to_string() == AUTHORITY_AS_SERVER => format!(
                "the {peer}'s certificate is one of an authority, as `openssl req -x509` makes them; sign one by it for \
                 the {peer}, or make it anew with -addext basicConstraints=critical,CA:FALSE"
            ),
            rustls::Error::InvalidCertificate(_) => format!("give the {peer} another certificate"),
            rustls::Error::InvalidMessage(_) => format!("is port {port} {not_tls}"),
            // Who is about to stop breaks handshakes off as well.
            _ => return Some((format!("see the {peer}'s log for why they don't agree on TLS"), true)),
        };
        Some((help, false))
    }
}

/// What is written in no known form is left out, as long as something is left: systems have such certificates too.
fn trusting(path: &Path, name: Name) -> io::Result<ClientConfig> {
    let text = std::fs::read(path)?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&text).filter_map(Result::ok));
    if roots.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it holds no certificate in PEM; of one in DER that is made by `openssl x509 -inform der -in IT -out ca.pem`",
        ));
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let verifier = verifier.build().map_err(io::Error::other)?;
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(io::Error::other)?;
    let config = match name {
        Name::Checked => config.with_webpki_verifier(verifier),
        Name::Any => config.dangerous().with_custom_certificate_verifier(Arc::new(any_name::AnyName(verifier))),
    };
    Ok(config.with_no_client_auth())
}
