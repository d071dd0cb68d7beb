//! Asks a host's SQL Server Browser for the port of a named instance.
//!
//! One datagram there and one back; MS-SQLR, "SQL Server Resolution Protocol", sections 2.2.3 (CLNT_UCAST_INST) and 2.2.5
//! (SVR_RESP). An answer that doesn't come, or names no TCP port, is an error that says what to do.

use std::io;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::connect::ConnectError;
use crate::url::SourceUrl;

/// Where the browser listens.
const BROWSER_PORT: u16 = 1434;
const ASK_FOR_INSTANCE: u8 = 4;
const ANSWER: u8 = 5;
/// Before the text: the kind, and the text's length.
const HEADER_BYTES: usize = 3;
/// A datagram may be lost.
const TRIES: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(1);

/// The same source with the port in the place of its instance, where it has one.
pub(crate) async fn resolve(url: &SourceUrl) -> Result<SourceUrl, ConnectError> {
    let Some(instance) = &url.instance else { return Ok(url.clone()) };
    let port = ask((url.host.as_str(), BROWSER_PORT), instance).await.map_err(|source| {
        let reason = format!(
            "the SQL Server Browser, UDP port {BROWSER_PORT}, doesn't tell its port ({source}); name the port in the URL, \
             which `sys.dm_tcp_listener_states` shows"
        );
        ConnectError::Unreachable { address: url.address(), source: io::Error::new(source.kind(), reason) }
    })?;
    Ok(SourceUrl { port, instance: None, ..url.clone() })
}

async fn ask(browser: (&str, u16), instance: &str) -> io::Result<u16> {
    let address = tokio::net::lookup_host(browser).await?.next();
    let address = address.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the host has no address"))?;
    let any: (&str, u16) = if address.is_ipv4() { ("0.0.0.0", 0) } else { ("::", 0) };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(address).await?;
    let question: Vec<u8> = [&[ASK_FOR_INSTANCE], instance.as_bytes(), &[0]].concat();
    let mut answer = vec![0; 2048];
    for _ in 0..TRIES {
        socket.send(&question).await?;
        if let Ok(length) = timeout(PATIENCE, socket.recv(&mut answer)).await {
            return port(&answer[..length?])
                .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it names no TCP port"));
        }
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "no answer"))
}

/// The TCP port in an answer: `ServerName;...;tcp;49172;;`.
fn port(answer: &[u8]) -> Option<u16> {
    let text = match answer.split_at_checked(HEADER_BYTES)? {
        ([ANSWER, ..], text) => String::from_utf8_lossy(text),
        _ => return None,
    };
    let mut words = text.split(';');
    words.find(|word| word.eq_ignore_ascii_case("tcp"))?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_of_an_instance_is_told_by_its_browser() {
        let browser = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = browser.local_addr().unwrap().port();
        let answering = std::thread::spawn(move || {
            let mut question = [0; 64];
            let (length, client) = browser.recv_from(&mut question).unwrap();
            let text = b"ServerName;H;InstanceName;SHOP;IsClustered;No;Version;15.0.2000.5;tcp;49172;np;\\\\H\\x;;";
            let answer = [&[ANSWER, text.len() as u8, 0], &text[..]].concat();
            browser.send_to(&answer, client).unwrap();
            question[..length].to_vec()
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        assert_eq!(runtime.block_on(ask(("127.0.0.1", port), "SHOP")).unwrap(), 49172);
        assert_eq!(answering.join().unwrap(), b"\x04SHOP\0");
    }

    #[test]
    fn an_answer_without_a_port_is_none() {
        for answer in [&b""[..], b"\x05", b"\x05\0\0", b"\x05\x09\0tcp;99999", b"\x05\x05\0np;\\x", b"\x04\0\0tcp;1;;"]
        {
            assert_eq!(port(answer), None, "{answer:?}");
        }
    }
}
