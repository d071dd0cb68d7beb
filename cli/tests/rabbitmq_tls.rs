//! RabbitMQ over TLS: all commands work with the certificate's authority, and none without it.

use std::path::Path;
use std::process::Stdio;

use etl_fixtures::certificates::Authority;

use crate::rabbitmq::{Trial, broker, direct, report};
use crate::sample::Ended;

/// A name with everything that a URL wants encoded.
const VIRTUAL_HOST: &str = "ett två/100%";
const ENCODED: &str = "ett%20tv%C3%A5%2F100%25";

/// The broker's certificate is for `localhost`. The virtual host is as URLs write it.
fn url(host: &str, virtual_host: &str, authority: &Path) -> String {
    let port = broker().tls_port().unwrap();
    format!("amqps://guest@{host}:{port}/{virtual_host}?cacertfile={}", authority.display())
}

#[test]
fn all_commands_go_over_tls_into_a_virtual_host_of_any_name() {
    let mut trial = Trial::new(broker(), "encrypted");
    broker().make_virtual_host(VIRTUAL_HOST).unwrap();
    trial.broker_url = url("localhost", ENCODED, &broker().authority());
    trial.declare();
    Ended::of(&mut trial.publish()).ends_with(1);
    let consumed = report(&Ended::of(&mut trial.consume("favourites")).success());
    assert_eq!(consumed["module"]["complete"], true, "{consumed}");
    assert_eq!(trial.checksums("favourites"), direct().checksums("favourites"));

    let queues = broker().queues(VIRTUAL_HOST).unwrap();
    assert!(queues.iter().any(|queue| queue.name == "happypancake.chat" && queue.messages > 0), "{queues:?}");
    assert!(broker().queues("encrypted").unwrap().is_empty());
}

#[test]
fn a_connection_that_broke_is_made_anew_over_tls() {
    let mut trial = Trial::new(broker(), "reencrypted");
    trial.broker_url = url("localhost", "reencrypted", &broker().authority());
    trial.declare();
    // Slow enough that the connection breaks while events are on their way.
    let rate = (direct().checkpoint("chat")[0] / 20).to_string();
    let mut publish = trial.publish();
    let mut publisher = publish.args(["--rate", &rate]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while broker().queues("reencrypted").unwrap().iter().all(|queue| queue.messages == 0) {
        assert_eq!(publisher.try_wait().unwrap(), None);
    }
    broker().close_connections("reencrypted").unwrap();
    let output = publisher.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && told.contains("connected again"), "{told}");
    let consumed = report(&Ended::of(&mut trial.consume("favourites")).success());
    assert_eq!(consumed["module"]["complete"], true, "{consumed}");
    assert_eq!(trial.checksums("favourites"), direct().checksums("favourites"));
}

/// Every command ends at once with this in what it says, and waits for nothing.
fn refused(trial: &Trial, expected: &str) {
    let look = trial.etl(&["topology", "--to", "broker", "--apply"]);
    for mut command in [look, trial.publish(), trial.consume("favourites")] {
        let ended = Ended::of(&mut command).ends_with(2);
        assert!(ended.stderr.contains(expected), "{}\nexpected: {expected}", ended.stderr);
        assert!(!ended.stderr.contains("trying again"), "{}", ended.stderr);
    }
}

#[test]
fn a_broker_that_cannot_prove_who_it_is_is_refused() {
    let mut trial = Trial::new(broker(), "distrusted");
    let file = |name: &str, text: &str| {
        let path = trial.project.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let stranger = file("stranger.pem", &Authority::new("a stranger").unwrap().to_pem());
    let empty = file("empty.pem", "");
    let authority = broker().authority();

    trial.broker_url = url("localhost", "distrusted", &stranger);
    refused(&trial, "stranger.pem doesn't trust who signed the broker's certificate; name the file with its authority");
    trial.broker_url = url("127.0.0.1", "distrusted", &authority);
    refused(&trial, "write a host into the URL that the broker's certificate names, or give it one for `127.0.0.1`");
    trial.broker_url = url("localhost", "distrusted", &empty);
    refused(&trial, "empty.pem: it holds no certificate in PEM");
    trial.broker_url = url("localhost", "distrusted", &trial.project.join("missing.pem"));
    refused(&trial, "missing.pem: No such file");

    let ports = [broker().tls_port().unwrap(), broker().port()].map(|port| format!(":{port}/"));
    trial.broker_url = url("localhost", "distrusted", &authority).replace(&ports[0], &ports[1]);
    refused(&trial, "the one for TLS?");
    trial.broker_url = broker().url("distrusted").replace(&ports[1], &ports[0]);
    refused(&trial, "amqps://");
}
