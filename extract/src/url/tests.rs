//! URLs and connection strings, right and wrong.

use super::*;

fn parse(text: &str) -> Result<SourceUrl, UrlError> {
    text.parse()
}

#[test]
fn a_plain_url_has_safe_defaults() {
    let url = parse("mssql://reader@db.example.se/Happy%20Pancake").unwrap();
    assert_eq!((url.user.as_str(), url.host.as_str(), url.port), ("reader", "db.example.se", 1433));
    assert_eq!(url.database, "Happy Pancake");
    assert_eq!(url.encryption, Encryption::Required);
    assert!(!url.trust_server_certificate && !url.read_only);
    assert_eq!(url.to_string(), "mssql://reader@db.example.se:1433/Happy%20Pancake");
}

#[test]
fn every_parameter_is_read() {
    let url = parse(
        "mssql://dom%5Cme@[::1]:5000/d?encrypt=login&host_name_in_certificate=h&certificate_authority=%2Fca.pem\
         &application_intent=ReadOnly&application_name=a%26b&packet_size=512&connect_timeout=9&silence_timeout=7",
    )
    .unwrap();
    assert_eq!((url.user.as_str(), url.address().as_str()), ("dom\\me", "[::1]:5000"));
    assert_eq!(url.encryption, Encryption::Login);
    assert_eq!(url.certificate_authority, Some(PathBuf::from("/ca.pem")));
    assert_eq!(url.host_name_in_certificate.as_deref(), Some("h"));
    assert!(url.read_only);
    assert_eq!((url.application_name.as_str(), url.packet_size), ("a&b", 512));
    assert_eq!((url.connect_timeout.as_secs(), url.silence_timeout.as_secs()), (9, 7));
}

#[test]
fn an_unknown_parameter_names_the_nearest_one() {
    let error = parse("mssql://u@h/d?encript=off").unwrap_err().to_string();
    assert_eq!(error, "unknown parameter `encript` in the URL: did you mean `encrypt`?");
}

#[test]
fn no_error_shows_a_secret() {
    let secrets = [
        "mssql://u:S3cret@h/d",
        "mssql://u:S3c/S3cret@h/d",
        "mssql://u:S3c?S3cret@h/d",
        "mssql://u:S3cret%zz@h/d",
        "mssql://u@h/d?password=S3cret",
        "mssql://u@h/d?Pwd=S3cret",
        "mssql://u@h:S3cret/d",
        "mssql://u@h/d?encrypt=S3cret",
        "postgres://u:S3cret@h/d",
    ];
    for text in secrets {
        let error = parse(text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("S3c"), "{text}: {error}");
    }
    assert_eq!(parse(secrets[0]), Err(UrlError::Password));
    assert_eq!(parse(secrets[4]), Err(UrlError::Password));
}

#[test]
fn missing_and_wrong_parts_are_named() {
    assert_eq!(parse("mssql://h/d"), Err(UrlError::Missing("user")));
    assert_eq!(parse("mssql://u@h"), Err(UrlError::Missing("database")));
    assert_eq!(parse("mssql://u@/d"), Err(UrlError::Missing("host")));
    assert_eq!(parse("mssql://u@h:0/d"), Err(UrlError::Port));
    assert_eq!(parse("mssql://u@h%5CSQLEXPRESS:1433/d"), Err(UrlError::Instance));
    assert_eq!(parse("mssql://u@h/d%f"), Err(UrlError::Encoding("the database")));
    let both = parse("mssql://u@h/d?trust_server_certificate=yes&certificate_authority=a");
    assert!(matches!(both, Err(UrlError::Value { name: "certificate_authority", .. })));
}

#[test]
fn an_instance_stands_behind_the_host_or_among_the_parameters() {
    let url = parse("mssql://u@h%5CSQLEXPRESS/d").unwrap();
    assert_eq!((url.host.as_str(), url.instance.as_deref()), ("h", Some("SQLEXPRESS")));
    assert_eq!(
        (url.address(), url.to_string()),
        ("h\\SQLEXPRESS".to_string(), "mssql://u@h%5CSQLEXPRESS/d".to_string())
    );
    assert_eq!(parse("mssql://u@h/d?instance=SQLEXPRESS").unwrap(), url);
}

#[test]
fn a_token_or_kerberos_needs_no_user() {
    let url = parse("mssql://h/d?authentication=access-token").unwrap();
    assert_eq!((url.authentication, url.to_string()), (Authentication::AccessToken, "mssql://h:1433/d".to_string()));
    assert_eq!(parse("mssql://h/d?authentication=integrated").unwrap().authentication, Authentication::Integrated);
}

#[test]
fn connection_strings_mean_what_urls_mean() {
    let same = [
        ("Server=h;Database=d;User ID=u", "mssql://u@h/d"),
        (
            "data source = tcp:h , 5000 ; Initial Catalog=\"d;e\";UID=u;Encrypt=strict;",
            "mssql://u@h:5000/d%3Be?encrypt=strict",
        ),
        ("Server=h\\SQLEXPRESS;Database=d;UID='u''v'", "mssql://u'v@h%5CSQLEXPRESS/d"),
        (
            "Server=.;Database=d;UID=u;Encrypt=False;MultipleActiveResultSets=True",
            "mssql://u@localhost/d?encrypt=login",
        ),
        (
            "Server=(local);Database=d;UID=u;TrustServerCertificate=yes",
            "mssql://u@localhost/d?trust_server_certificate=yes",
        ),
        ("Server=h;Database=d;Integrated Security=SSPI", "mssql://h/d?authentication=integrated"),
        (
            "Address=h;Database=d;UID=u;ApplicationIntent=ReadOnly;Application Name=x;Packet Size=4096;Connect Timeout=9;\
             HostNameInCertificate=y;ServerCertificate=/z.pem",
            "mssql://u@h/d?application_intent=readonly&application_name=x&packet_size=4096&connect_timeout=9\
             &host_name_in_certificate=y&certificate_authority=%2Fz.pem",
        ),
    ];
    for (ado, url) in same {
        assert_eq!(parse(ado), parse(url), "{ado}");
        assert!(parse(ado).is_ok(), "{ado}: {}", parse(ado).unwrap_err());
    }
}

#[test]
fn wrong_connection_strings_say_what_is_wrong_and_show_no_secret() {
    assert_eq!(parse("Server=h;Database=d;User ID=u;Password=S3cret"), Err(UrlError::Password));
    assert_eq!(parse("Server=h;Database=d;User ID=u;pwd='S3;cret"), Err(UrlError::Quote));
    assert_eq!(parse("Server=h;User ID=u"), Err(UrlError::Missing("database")));
    assert_eq!(parse("Database=h;User ID=u"), Err(UrlError::Missing("host")));
    let error = parse("Server=h;Databse=d;User ID=u").unwrap_err().to_string();
    assert_eq!(error, "unknown parameter `Databse` in the URL: did you mean `database`?");
    let secret = parse("Server=h;Encrypt=S3cret;User ID=u").unwrap_err();
    assert!(!format!("{secret} {secret:?}").contains("S3c"));
}
