//! Servers that can't be reached or don't let us in: who, where, why, what to do; never the password.

use std::net::TcpListener;

use etl_fixtures::postgres::PrivatePostgres;
use etl_load::LoadError;
use etl_load::postgres::{PostgresOptions, PostgresSink, PostgresTarget};
use expect_test::expect;
use secrecy::SecretString;

use crate::stream::{catalog, fingerprint, module};

fn refused(url: &str, password: Option<&str>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog("message A { int32 n = 1; }");
    let module = module(folder.path(), &catalog, "name = \"m\"", "", "").unwrap();
    let target = PostgresTarget::parse(url, password.map(SecretString::from)).unwrap();
    let opened = PostgresSink::open(&target, &module, &catalog, &fingerprint(), &PostgresOptions::default());
    let error = opened.err().expect("the connection is refused");
    assert!(matches!(error, LoadError::Connect { .. }), "{error:?}");
    let shown = format!("{error} {error:?} {target:?}");
    assert!(!shown.contains("s3cret"), "{shown}");
    error.to_string()
}

#[test]
fn nobody_listens() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    expect![
        "postgres://etl@127.0.0.1:PORT: error connecting to server: Connection refused (os error 111); nothing listens there: is Postgres running, and the port right?"
    ]
    .assert_eq(&refused(&format!("postgres://etl@127.0.0.1:{port}"), None).replace(&port.to_string(), "PORT"));
}

#[test]
fn the_server_never_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    expect![
        "postgres://etl@127.0.0.1:PORT: no answer within 4 seconds; is the host right, no firewall between, and the server not overloaded?"
    ]
    .assert_eq(&refused(&format!("postgres://etl@127.0.0.1:{port}"), Some("s3cret")).replace(&port.to_string(), "PORT"));
}

#[test]
fn the_socket_is_missing() {
    expect![
        "postgres://etl@/nowhere:5432: error connecting to server: No such file or directory (os error 2); is the path of the socket right?"
    ]
    .assert_eq(&refused("postgres://etl@%2Fnowhere", None));
}

/// Needs a server whose access rules the test may change, so it always starts one of its own.
#[test]
fn passwords_are_wrong_or_missing() {
    let folder = tempfile::tempdir().unwrap();
    let server = PrivatePostgres::start(&folder.path().join("postgres")).unwrap();
    let admin = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    admin.block_on(async {
        let (client, connection) = tokio_postgres::connect(&server.url(), tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        let rules: String = client.query_one_scalar("SHOW hba_file", &[]).await.unwrap();
        client.batch_execute("CREATE ROLE etl LOGIN PASSWORD 'right'").await.unwrap();
        let text = "host all etl 127.0.0.1/32 scram-sha-256\nhost all postgres 127.0.0.1/32 trust\n";
        std::fs::write(rules, text).unwrap();
        client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
        // The signal is handled between statements of other sessions, so wait until a new one sees the rules.
        while tokio_postgres::connect(&server.url().replace("postgres@", "etl@"), tokio_postgres::NoTls).await.is_ok() {
        }
    });
    let url = |user: &str| server.url().replace("//postgres@", &format!("//{user}@"));
    let shown = |user: &str, password| refused(&url(user), password).replace(&server.port().to_string(), "PORT");
    expect![[
        r#"postgres://etl@127.0.0.1:PORT: FATAL 28P01: password authentication failed for user "etl"; check the target's `password` for user `etl`"#
    ]]
    .assert_eq(&shown("etl", Some("s3cret")));
    expect![[
        r#"postgres://etl@127.0.0.1:PORT: invalid configuration: password missing; the server wants a password: give the target one, as `password = "${VARIABLE}"`"#
    ]]
    .assert_eq(&shown("etl", None));
    expect![[
        r#"postgres://stranger@127.0.0.1:PORT: FATAL 28000: no pg_hba.conf entry for host "127.0.0.1", user "stranger", database "postgres", no encryption; allow user `stranger` in the server's pg_hba.conf, name another user in the URL, or, if the server wants encrypted connections only, write ?sslmode=verify-full"#
    ]]
    .assert_eq(&shown("stranger", Some("s3cret")));
}
