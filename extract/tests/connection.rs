//! Getting in, and what is said when that fails.

use std::net::TcpListener;
use std::sync::atomic::AtomicBool;

use etl_extract::report::Outcome;
use etl_extract::{extract, plan};
use etl_fixtures::tds::Tls;

use crate::dumped::assert_equal;
use crate::source::{PASSWORD, Source, options};
use etl_schemas::project::SourceClient;

/// The message of a run that can't begin. It must never hold the password.
fn refused(client: SourceClient, url: &str, password: &str) -> String {
    let out = tempfile::tempdir().unwrap();
    let mut options = options(client, url, out.path());
    options.password = Some(password.to_string().into());
    let error = plan(&options, &AtomicBool::new(false)).unwrap_err();
    assert!(!format!("{error} {error:?} {options:?}").contains(password));
    error.to_string()
}

fn a_wrong_password_names_the_user_and_what_to_check(client: SourceClient) {
    let source = Source::shop();
    let shown = refused(client, &source.url("encrypt=off"), "guess-5127");
    assert!(shown.contains("login failed for user 'sa'"), "{shown}");
    assert!(shown.contains("`password` under [source]"), "{shown}");
}

fn a_missing_database_is_named(client: SourceClient) {
    let source = Source::shop();
    let shown = refused(client, &source.url("encrypt=off").replace("/shop", "/shops"), PASSWORD);
    assert!(shown.contains("database 'shops'") && shown.contains("can't be opened"), "{shown}");
}

fn a_server_that_is_not_there_is_named(client: SourceClient) {
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let shown = refused(client, &format!("mssql://sa@{address}/shop"), PASSWORD);
    assert!(shown.contains(&address.to_string()) && shown.contains("can't be reached"), "{shown}");
}

fn one_that_hangs_up_is_no_sql_server(client: SourceClient) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let hang_up = std::thread::spawn(move || drop(listener.accept().unwrap()));
    let shown = refused(client, &format!("mssql://sa@{address}/shop?encrypt=off"), PASSWORD);
    hang_up.join().unwrap();
    assert!(shown.contains(&address.to_string()) && shown.contains("broke off the login"), "{shown}");
}

fn one_that_stays_silent_is_given_up(client: SourceClient) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let shown = refused(client, &format!("mssql://sa@{address}/shop?encrypt=off&silence_timeout=1"), PASSWORD);
    assert!(shown.contains("sent nothing for 1 s (silence_timeout"), "{shown}");
}

fn an_untrusted_certificate_and_a_server_without_tls_say_the_way_out(client: SourceClient) {
    let shop = Source::shop();
    let shown = refused(client, &shop.url("encrypt=required"), PASSWORD);
    assert!(shown.contains("encrypt=off"), "{shown}");
    let source = Source::types(Tls::Required);
    let shown = refused(client, &source.url("encrypt=required"), PASSWORD);
    assert!(shown.contains("trust_server_certificate=true"), "{shown}");
}

fn an_authority_is_a_file_that_can_be_read(client: SourceClient) {
    let source = Source::types(Tls::Required);
    let shown = refused(client, &source.url("encrypt=required&certificate_authority=/missing.pem"), PASSWORD);
    let expected = match client {
        SourceClient::MssqlTds => "mssql-tds can't be used: it knows the system's certificate authorities only",
        _ => "/missing.pem",
    };
    assert!(shown.contains(expected), "{shown}");
}

fn encryption_changes_no_byte(client: SourceClient) {
    let source = Source::types(Tls::Offered);
    let out = tempfile::tempdir().unwrap();
    // mssql-tds can't promise an encrypted login, and refuses that level.
    let levels: &[&str] = match client {
        SourceClient::MssqlTds => &["off", "required&trust_server_certificate=true"],
        _ => &["off", "login&trust_server_certificate=true", "required&trust_server_certificate=true"],
    };
    let dumps: Vec<_> = (0..levels.len()).map(|place| out.path().join(place.to_string())).collect();
    for (level, dump) in levels.iter().zip(&dumps) {
        let options = options(client, &source.url(&format!("encrypt={level}")), dump);
        let report = extract(&options, &(), &AtomicBool::new(false)).unwrap();
        assert_eq!(report.outcome, Outcome::Complete, "{:?}", report.failed);
    }
    dumps[1..].iter().for_each(|dump| assert_equal(&dumps[0], dump));
}

by_each_client!(
    a_wrong_password_names_the_user_and_what_to_check,
    a_missing_database_is_named,
    a_server_that_is_not_there_is_named,
    one_that_hangs_up_is_no_sql_server,
    one_that_stays_silent_is_given_up,
    an_untrusted_certificate_and_a_server_without_tls_say_the_way_out,
    an_authority_is_a_file_that_can_be_read,
    encryption_changes_no_byte,
);
