//! Postgres over TLS: everything goes encrypted or not at all, and who can't prove who it is gets nothing.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use etl_fixtures::certificates::{Authority, Signed};
use etl_fixtures::cutting_proxy::CuttingProxy;
use etl_fixtures::postgres::PrivatePostgres;
use etl_load::LoadError;
use etl_load::postgres::{PostgresOptions, PostgresSink, PostgresTarget};
use etl_load::sink::Sink;
use secrecy::SecretString;
use tempfile::TempDir;

use crate::exactly_once::{Case, content, write_all};
use crate::faults::{load, options};
use crate::server::Server;
use crate::stream::{catalog, fingerprint, module};

/// A server whose certificate is for `localhost` alone, so that by its address it has a wrong name.
struct Encrypted {
    private: PrivatePostgres,
    folder: TempDir,
}

impl Encrypted {
    fn start() -> Encrypted {
        let authority = Authority::new("an authority").unwrap();
        let private = PrivatePostgres::temporary_with_tls(&authority.sign(&["localhost"]).unwrap()).unwrap();
        let encrypted = Encrypted { private, folder: tempfile::tempdir().unwrap() };
        encrypted.file("authority.pem", &authority.to_pem());
        encrypted
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    fn url(&self, host: &str, mode: &str, authority: &Path) -> String {
        url(&format!("{host}:{}", self.private.port()), mode, authority)
    }
}

fn url(address: &str, mode: &str, authority: &Path) -> String {
    format!("postgres://postgres@{address}?sslmode={mode}&sslrootcert={}", authority.display())
}

fn open(url: &str, password: Option<&str>) -> Result<PostgresSink, LoadError> {
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog("message A { int32 n = 1; }");
    let module = module(folder.path(), &catalog, "name = \"m\"", "", "").unwrap();
    let target = PostgresTarget::parse(url, password.map(SecretString::from)).unwrap();
    PostgresSink::open(&target, &module, &catalog, &fingerprint(), &PostgresOptions::default())
}

/// It is refused for good, and so that a person knows what to do.
fn refused(url: &str, expected: &str) {
    let error = open(url, Some("s3cret")).err().expect("the connection is refused");
    assert!(matches!(error, LoadError::Connect { may_pass: false, .. } | LoadError::Read { .. }), "{error:?}");
    let shown = error.to_string();
    assert!(shown.contains(expected), "{shown}\nexpected: {expected}");
    assert!(!format!("{shown}{error:?}").contains("s3cret"), "{error:?}");
}

#[test]
fn a_module_is_loaded_over_tls_through_ended_sessions_and_a_crash() {
    let encrypted = Encrypted::start();
    let case = Case::on(Server::of(&encrypted.private, "tls"));
    let calm = case.undisturbed();
    let module = case.module("shaken");
    let target = PostgresTarget::parse(&encrypted.url("localhost", "verify-full", &encrypted.authority()), None);
    let sink = PostgresSink::open(&target.unwrap(), &module, &case.catalog, &fingerprint(), &options(&case)).unwrap();
    let sessions = |of_them: &str| {
        format!(
            "SELECT {of_them} FROM pg_stat_activity JOIN pg_stat_ssl USING (pid)
             WHERE application_name = 'etl' AND datname = '{}'",
            case.server.database("shaken")
        )
    };
    // A crash may begin another pass, which needs no session for what is durable already: so each place is looked at once.
    let (looks, crashes) = (RefCell::new(vec![1, 501, 1_001, 1_501, 2_001, 2_501]), RefCell::new(vec![1_751]));
    let due =
        |places: &RefCell<Vec<u64>>, position| places.borrow_mut().extract_if(.., |due| *due == position).count() > 0;
    load(&case, sink, |position| {
        if due(&looks, position) {
            case.server.wait_for_any("shaken", &sessions("count(*) FILTER (WHERE ssl AND version LIKE 'TLSv1._')"));
            assert_eq!(case.server.query("shaken", &sessions("count(*) FILTER (WHERE NOT ssl)")), ["0"]);
            case.server.query_database("postgres", &sessions("pg_terminate_backend(pid)"));
        }
        if due(&crashes, position) {
            encrypted.private.crash_and_restart().unwrap();
        }
    });
    assert!(looks.borrow().is_empty() && crashes.borrow().is_empty());
    assert_eq!(content(&case.server, "shaken"), calm);
}

#[test]
fn each_mode_lets_those_in_that_it_should_and_nobody_else() {
    let server = Encrypted::start();
    let (authority, stranger) = (server.authority(), Authority::new("a stranger").unwrap().to_pem());
    for mode in ["verify-full", "require", "verify-ca"] {
        open(&server.url("localhost", mode, &authority), None).unwrap();
    }
    open(&server.url("127.0.0.1", "verify-ca", &authority), None).unwrap();

    let wrong_name = "write a host into the URL that the server's certificate names, or give it one for `127.0.0.1`, \
                      or write sslmode=verify-ca";
    refused(&server.url("127.0.0.1", "verify-full", &authority), wrong_name);
    refused(&server.url("127.0.0.1", "require", &authority), wrong_name);

    let stranger = server.file("stranger.pem", &stranger);
    // Of the same name, but with a key of its own.
    let impostor = server.file("impostor.pem", &Authority::new("an authority").unwrap().to_pem());
    for (trusted, name) in [(&stranger, "stranger.pem"), (&impostor, "impostor.pem")] {
        let unknown =
            format!("{name} doesn't trust who signed the server's certificate; name the file with its authority");
        for mode in ["verify-full", "verify-ca"] {
            refused(&server.url("127.0.0.1", mode, trusted), &unknown);
        }
    }
    let system = format!("postgres://postgres@127.0.0.1:{}?sslmode=verify-full", server.private.port());
    refused(&system, "the system doesn't trust who signed the server's certificate");
    refused(
        &server.url("localhost", "verify-full", &server.file("empty.pem", "")),
        "empty.pem: it holds no certificate",
    );
    refused(&server.url("localhost", "verify-full", Path::new("/missing.pem")), "/missing.pem: No such file");
}

#[test]
fn a_certificate_that_is_old_or_an_authoritys_own_is_refused() {
    let authority = Authority::new("an authority").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let trusted = folder.path().join("authority.pem");
    std::fs::write(&trusted, authority.to_pem()).unwrap();
    for (signed, expected) in [
        (
            authority.sign_expired(&["localhost"]).unwrap(),
            "renew the server's certificate; if it isn't old, set this machine's clock",
        ),
        (authority.itself(), "the server's certificate is one of an authority"),
    ] {
        let private = PrivatePostgres::temporary_with_tls(&signed).unwrap();
        for mode in ["verify-full", "verify-ca"] {
            refused(&url(&format!("127.0.0.1:{}", private.port()), mode, &trusted), expected);
        }
    }
}

#[test]
fn a_certificate_that_only_itself_has_signed_may_be_trusted() {
    let signed = Signed::by_itself(&["localhost"]).unwrap();
    let private = PrivatePostgres::temporary_with_tls(&signed).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let trusted = folder.path().join("server.pem");
    std::fs::write(&trusted, signed.to_pem()).unwrap();
    open(&url(&format!("localhost:{}", private.port()), "verify-full", &trusted), None).unwrap();
}

#[test]
fn a_server_without_tls_gets_nothing() {
    let private = PrivatePostgres::temporary().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let trusted = folder.path().join("authority.pem");
    std::fs::write(&trusted, Authority::new("an authority").unwrap().to_pem()).unwrap();
    for mode in ["verify-full", "verify-ca", "require"] {
        refused(
            &url(&format!("127.0.0.1:{}", private.port()), mode, &trusted),
            "server does not support TLS; set `ssl = on`",
        );
    }
}

#[test]
fn a_server_that_insists_on_tls_and_a_password_says_so() {
    let server = Encrypted::start();
    let plain = Server::of(&server.private, "insists");
    plain.query_database("postgres", "CREATE ROLE etl LOGIN CREATEDB PASSWORD 'right'");
    let rules = &plain.query_database("postgres", "SHOW hba_file")[0];
    let text = "hostssl all etl 127.0.0.1/32 scram-sha-256\nhost all postgres 127.0.0.1/32 trust\n";
    std::fs::write(rules, text).unwrap();
    plain.query_database("postgres", "SELECT pg_reload_conf()");
    let as_etl = |url: &str| url.replace("postgres@", "etl@");
    let plain = as_etl(&server.private.url());
    // The signal is handled between statements of other sessions, so the first attempts may see the old rules.
    let begun = Instant::now();
    while open(&plain, Some("right")).is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
    refused(&plain, "or, if the server wants encrypted connections only, write ?sslmode=verify-full");
    let encrypted = as_etl(&server.url("localhost", "verify-full", &server.authority()));
    refused(&encrypted, "check the target's `password` for user `etl`");
    open(&encrypted, Some("right")).unwrap();
}

#[test]
fn every_connection_is_checked_and_a_stranger_is_not_waited_for() {
    let encrypted = Encrypted::start();
    let case = Case::on(Server::of(&encrypted.private, "stranger"));
    let module = case.module("m");
    let target = PostgresTarget::parse(&encrypted.url("localhost", "verify-full", &encrypted.authority()), None);
    let mut sink =
        PostgresSink::open(&target.unwrap(), &module, &case.catalog, &fingerprint(), &options(&case)).unwrap();
    encrypted.file("authority.pem", &Authority::new("a stranger").unwrap().to_pem());
    case.server.query_database(
        "postgres",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'etl'",
    );
    let error = write_all(&mut sink, &case.stream.batches(50)).and_then(|()| sink.finish().map(drop)).unwrap_err();
    assert!(matches!(error, LoadError::Connect { may_pass: false, .. }), "{error:?}");
    assert!(error.to_string().contains("doesn't trust who signed the server's certificate"), "{error}");
}

#[test]
fn a_handshake_that_is_cut_off_may_pass() {
    let server = Encrypted::start();
    let proxy = CuttingProxy::start(SocketAddr::from(([127, 0, 0, 1], server.private.port()))).unwrap();
    let through = url(&proxy.address().to_string(), "verify-ca", &server.authority());
    for bytes in [0, 8, 9, 20, 400, 700, 1_000] {
        proxy.cut_after(bytes);
        let error = open(&through, None).err().expect("the connection is cut");
        assert!(matches!(error, LoadError::Connect { may_pass: true, .. }), "{bytes}: {error:?}");
    }
    proxy.cut_after(u64::MAX);
    open(&through, None).unwrap();
}
