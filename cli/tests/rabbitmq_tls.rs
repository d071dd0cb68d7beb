//! RabbitMQ over TLS: all commands work with the certificate's authority, and none without it.

use std::path::Path;

use etl_fixtures::rabbitmq::Authority;

use crate::rabbitmq::{Trial, broker, direct, report};
use crate::sample::Ended;

/// A name with everything that a URL wants encoded.
const VIRTUAL_HOST: &str = "ett två/100%";
const ENCODED: &str = "ett%20tv%C3%A5%2F100%25";

/// The broker's certificate is for `localhost`.
fn url(host: &str, authority: &Path) -> String {
    let port = broker().tls_port().unwrap();
    format!("amqps://guest@{host}:{port}/{ENCODED}?cacertfile={}", authority.display())
}

#[test]
fn all_commands_go_over_tls_into_a_virtual_host_of_any_name() {
    let mut trial = Trial::new(broker(), "encrypted");
    broker().make_virtual_host(VIRTUAL_HOST).unwrap();
    trial.broker_url = url("localhost", &broker().authority());
    trial.declare();
    Ended::of(&mut trial.publish()).ends_with(1);
    let consumed = report(&Ended::of(&mut trial.consume("favourites")).success());
    assert_eq!(consumed["module"]["complete"], true, "{consumed}");
    assert_eq!(trial.checksums("favourites"), direct().checksums("favourites"));

    let queues = broker().queues(VIRTUAL_HOST).unwrap();
    assert!(queues.iter().any(|queue| queue.name == "happypancake.chat" && queue.messages > 0), "{queues:?}");
    assert!(broker().queues("encrypted").unwrap().is_empty());
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

    trial.broker_url = url("localhost", &stranger);
    refused(&trial, "stranger.pem doesn't trust who signed the broker's certificate; name the file with its authority");
    trial.broker_url = url("127.0.0.1", &authority);
    refused(&trial, "write a host into the URL that the broker's certificate names, or give it one for `127.0.0.1`");
    trial.broker_url = url("localhost", &empty);
    refused(&trial, "empty.pem: it holds no certificate in PEM");
    trial.broker_url = url("localhost", &trial.project.join("missing.pem"));
    refused(&trial, "missing.pem: No such file");

    let ports = [broker().tls_port().unwrap(), broker().port()].map(|port| format!(":{port}/"));
    trial.broker_url = url("localhost", &authority).replace(&ports[0], &ports[1]);
    refused(&trial, "the one for TLS?");
    trial.broker_url = broker().url("distrusted").replace(&ports[1], &ports[0]);
    refused(&trial, "amqps://");
}
