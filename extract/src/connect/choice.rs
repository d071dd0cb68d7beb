//! Which client reads a source: the one that is asked for, or the cheaper one that build and URL allow.

use std::fmt;

use etl_schemas::project::SourceClient;

use super::ConnectError;
use crate::url::{Authentication, Encryption, SourceUrl};

/// A client of this build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// `tiberius`: every server since 2005, every level of encryption.
    #[cfg(feature = "tiberius")]
    Tiberius,
    /// Microsoft's `mssql-tds`: SQL Server 2012 and later, at less cost.
    #[cfg(feature = "mssql-tds")]
    MssqlTds,
}

#[cfg(test)]
impl Client {
    /// For tests of what doesn't depend on it.
    #[cfg(feature = "tiberius")]
    pub(crate) const ANY: Client = Client::Tiberius;
    #[cfg(not(feature = "tiberius"))]
    pub(crate) const ANY: Client = Client::MssqlTds;
}

/// As `client` under [source] names it.
impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            #[cfg(feature = "tiberius")]
            Client::Tiberius => "tiberius",
            #[cfg(feature = "mssql-tds")]
            Client::MssqlTds => "mssql-tds",
        })
    }
}

/// The clients to try, in this order; at least one.
pub(super) fn clients(url: &SourceUrl, wanted: SourceClient) -> Result<Vec<Client>, ConnectError> {
    let refused = |reason: String| ConnectError::Client { client: wanted, reason };
    if url.authentication == Authentication::Integrated && !cfg!(feature = "integrated") {
        let reason = "this program was built without integrated login; build it with --features integrated";
        return Err(refused(reason.to_string()));
    }
    match wanted {
        SourceClient::Tiberius => tiberius().ok_or_else(|| refused(not_built("tiberius"))).map(|client| vec![client]),
        SourceClient::MssqlTds => mssql_tds(url).map_err(refused).map(|client| vec![client]),
        SourceClient::Auto => {
            let clients: Vec<Client> = mssql_tds(url).into_iter().chain(tiberius()).collect();
            match clients.is_empty() {
                false => Ok(clients),
                true => Err(refused(mssql_tds(url).err().unwrap_or_default())),
            }
        }
    }
}

fn not_built(client: &str) -> String {
    format!("this program was built without {client}")
}

fn tiberius() -> Option<Client> {
    #[cfg(feature = "tiberius")]
    return Some(Client::Tiberius);
    #[cfg(not(feature = "tiberius"))]
    None
}

/// The error is why it can't read from there as the URL wants it to.
fn mssql_tds(url: &SourceUrl) -> Result<Client, String> {
    if let Some(reason) = beyond_mssql_tds(url) {
        return Err(reason.to_string());
    }
    #[cfg(feature = "mssql-tds")]
    return Ok(Client::MssqlTds);
    #[cfg(not(feature = "mssql-tds"))]
    Err(not_built("mssql-tds"))
}

fn beyond_mssql_tds(url: &SourceUrl) -> Option<&'static str> {
    if url.authentication != Authentication::SqlLogin {
        return Some("here it logs in by user and password only");
    }
    match url.encryption {
        // It would go on in the clear, password and all, with a server that says it has no TLS.
        Encryption::Login => Some("it can't promise that the login is encrypted, as encrypt=login demands"),
        Encryption::Strict if url.trust_server_certificate => {
            Some("with encrypt=strict it always checks the certificate, against trust_server_certificate=true")
        }
        _ if url.certificate_authority.is_some() => {
            Some("it knows the system's certificate authorities only, not the file of certificate_authority")
        }
        _ => None,
    }
}

/// Whether the other client might fare better: not with a server that can't be reached or that refuses the login.
pub(super) fn may_be_the_clients_fault(error: &ConnectError) -> bool {
    matches!(error, ConnectError::Encryption { .. } | ConnectError::Refused { .. })
}

#[cfg(test)]
#[cfg(all(feature = "tiberius", feature = "mssql-tds"))]
mod tests {
    use super::*;

    fn chosen(parameters: &str, wanted: SourceClient) -> Result<Vec<Client>, String> {
        let url: SourceUrl = format!("mssql://u@h/d?{parameters}").parse().unwrap();
        clients(&url, wanted).map_err(|error| error.to_string())
    }

    #[test]
    fn the_cheaper_client_is_taken_where_it_can_do_what_the_url_says() {
        let auto = |parameters| chosen(parameters, SourceClient::Auto).unwrap();
        for parameters in ["", "encrypt=off", "encrypt=strict", "encrypt=required&trust_server_certificate=true"] {
            assert_eq!(auto(parameters), [Client::MssqlTds, Client::Tiberius], "{parameters}");
        }
        let beyond = ["encrypt=login", "encrypt=strict&trust_server_certificate=true", "certificate_authority=a.pem"];
        for parameters in beyond {
            assert_eq!(auto(parameters), [Client::Tiberius], "{parameters}");
            let refused = chosen(parameters, SourceClient::MssqlTds).unwrap_err();
            assert!(refused.starts_with("mssql-tds can't be used: ") && refused.contains("auto"), "{refused}");
            assert_eq!(chosen(parameters, SourceClient::Tiberius).unwrap(), [Client::Tiberius]);
        }
    }

    #[test]
    fn a_token_is_taken_to_the_client_that_knows_it_and_kerberos_needs_its_feature() {
        assert_eq!(chosen("authentication=access-token", SourceClient::Auto).unwrap(), [Client::Tiberius]);
        assert!(chosen("authentication=access-token", SourceClient::MssqlTds).is_err());
        match (chosen("authentication=integrated", SourceClient::Auto), cfg!(feature = "integrated")) {
            (Ok(clients), true) => assert_eq!(clients, [Client::Tiberius]),
            (Err(error), false) => assert!(error.contains("--features integrated"), "{error}"),
            other => panic!("{other:?}"),
        }
    }
}
