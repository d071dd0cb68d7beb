//! TLS: which certificates are trusted, and what a failed handshake means.
//!
//! In: a target's URL. Out: a connector that trusts the certificates in the file that the URL names, else the system's.
//! The broker's certificate is always checked, against these and against the URL's host; no setting leaves that out.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lapin::ErrorKind;
use rustls::CertificateError::{Expired, ExpiredContext, NotValidForName, NotValidForNameContext, UnknownIssuer};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::RabbitTarget;
use crate::LoadError;

/// Where systems keep the certificates they trust.
const SYSTEM_CERTIFICATES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
const NAME_A_FILE: &str = "name a file of them: amqps://user@host/virtual-host?cacertfile=/path/to/ca.pem";

/// Makes connections encrypted, if the target's URL asks for it.
pub(super) fn connector(target: &RabbitTarget) -> Result<Option<TlsConnector>, LoadError> {
    if !target.tls {
        return Ok(None);
    }
    let system = || SYSTEM_CERTIFICATES.iter().map(PathBuf::from).find(|path| path.exists());
    let Some(path) = target.certificates.clone().or_else(system) else {
        let problem = "this system keeps no certificates where they are looked for".to_string();
        return Err(LoadError::Target { problem, help: NAME_A_FILE.to_string() });
    };
    match trusting(&path) {
        Ok(config) => Ok(Some(Arc::new(config).into())),
        Err(source) => Err(LoadError::Read { path, source }),
    }
}

/// What is written in no known form is left out, as long as something is left: systems have such certificates too.
fn trusting(path: &Path) -> io::Result<ClientConfig> {
    let text = std::fs::read(path)?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&text).filter_map(Result::ok));
    if roots.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it holds no certificate in PEM; of one in DER that is made by `openssl x509 -inform der -in IT -out ca.pem`",
        ));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// What to do when no connection could be had because of TLS, and whether it may pass by itself.
pub(super) fn judge(target: &RabbitTarget, error: &lapin::Error) -> Option<(String, bool)> {
    let ErrorKind::IOError(error) = error.kind() else { return None };
    let (host, port) = (&target.host, target.port);
    let trusted = target.certificates.as_ref().map_or("the system".to_string(), |path| path.display().to_string());
    let help = match error.get_ref()?.downcast_ref()? {
        rustls::Error::InvalidCertificate(UnknownIssuer) => format!(
            "{trusted} doesn't trust who signed the broker's certificate; name the file with its authority: \
             ?cacertfile=/path/to/ca.pem"
        ),
        rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => {
            format!("write a host into the URL that the broker's certificate names, or give it one for `{host}`")
        }
        rustls::Error::InvalidCertificate(Expired | ExpiredContext { .. }) => {
            "renew the broker's certificate; if it isn't old, set this machine's clock".to_string()
        }
        rustls::Error::InvalidCertificate(_) => "give the broker another certificate".to_string(),
        rustls::Error::InvalidMessage(_) => format!("is port {port} the one for TLS? As a rule that is 5671"),
        // A broker that is about to stop breaks handshakes off as well.
        _ => return Some(("see the broker's log for why they don't agree on TLS".to_string(), true)),
    };
    Some((help, false))
}
