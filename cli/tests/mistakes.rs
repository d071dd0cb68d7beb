//! What a person gets wrong: one clear error each, quickly, with exit code 2, and never a secret.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use etl_fixtures::happypancake;

use crate::sample::{Ended, sample, scratch};

/// Longer than any of these may take, by far: a hang is caught, a slow machine isn't.
const PATIENCE: Duration = Duration::from_secs(30);

fn project(name: &str) -> PathBuf {
    let folder = scratch(&format!("mistake-{name}"));
    happypancake::write_project(&folder).unwrap();
    folder
}

fn change(folder: &Path, file: &str, from: &str, to: &str) {
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has no {from}");
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
}

/// Runs a command that must fail, and gives back what it says on stderr.
fn fails(command: &mut Command) -> String {
    let started = Instant::now();
    let ended = Ended::of(command).ends_with(2);
    assert!(started.elapsed() < PATIENCE, "{command:?}");
    assert_eq!(ended.stdout, "", "an error belongs on stderr");
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    ended.stderr
}

fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "`{part}` is missing in:\n{said}");
    }
}

#[test]
fn a_wrong_column_in_a_mapping_is_shown_in_its_line() {
    let folder = project("column");
    change(
        &folder,
        "mappings/chat.sql",
        "m.Body)                              AS body",
        "m.Bodi)                              AS body",
    );
    for command in [vec!["check"], vec!["seed", "--to", "null:"], vec!["events"]] {
        let arguments = [&command[..], &["--from", sample().dump_text()]].concat();
        let said = fails(&mut sample().etl_in(&folder, &arguments));
        assert_says(&said, &["mappings/chat.sql:", "m.Bodi", "^^^^", "did you mean `", "Body"]);
    }
}

#[test]
fn an_unknown_key_in_the_project_file_names_the_nearest() {
    let folder = project("key");
    change(&folder, "etl.toml", "time_zone", "timezone");
    let said = fails(&mut sample().etl_in(&folder, &["check", "--from", sample().dump_text()]));
    assert_says(&said, &["etl.toml:", "unknown key `timezone`", "did you mean `time_zone`?"]);
}

#[test]
fn a_server_that_nobody_runs_is_named() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folder = project("unreachable");
    let out = folder.join("dump");
    let mut command = sample().etl_in(&folder, &["extract", "--out", out.to_str().unwrap()]);
    let said = fails(command.env("ETL_SOURCE_URL", format!("mssql://sa@{free}/HappyPancake")));
    assert_says(&said, &[&free.to_string(), "can't be reached"]);

    let arguments = ["seed", "--from", sample().dump_text(), "--to", "staging"];
    let mut command = sample().etl_in(&folder, &arguments);
    let said = fails(command.env("ETL_STAGING_URL", format!("postgres://etl@{free}")));
    assert_says(&said, &[&free.to_string()]);
}

#[test]
fn a_wrong_password_is_said_and_not_shown() {
    let folder = project("password");
    let out = folder.join("dump");
    let mut command = sample().etl_in(&folder, &["extract", "--out", out.to_str().unwrap()]);
    let said = fails(command.env("ETL_SOURCE_PASSWORD", "s3cret-and-wrong"));
    assert_says(&said, &["login failed", "'sa'"]);
    assert!(!said.contains("s3cret"), "{said}");
}

#[test]
fn a_password_within_the_url_is_refused_and_not_shown() {
    let folder = project("url");
    let out = folder.join("dump");
    let mut command = sample().etl_in(&folder, &["extract", "--out", out.to_str().unwrap()]);
    let said = fails(command.env("ETL_SOURCE_URL", "mssql://sa:s3cret@127.0.0.1:1/HappyPancake"));
    assert_says(&said, &["etl.toml:", "password"]);
    assert!(!said.contains("s3cret"), "{said}");
}

#[test]
fn a_missing_variable_project_dump_and_target_say_what_to_do() {
    let folder = project("missing");
    let out = folder.join("dump");
    let mut command = sample().etl_in(&folder, &["extract", "--out", out.to_str().unwrap()]);
    let said = fails(command.env_remove("ETL_SOURCE_URL"));
    assert_says(&said, &["etl.toml:", "`ETL_SOURCE_URL`", "export ETL_SOURCE_URL="]);

    let empty = scratch("mistake-empty");
    let said = fails(&mut sample().etl_in(&empty, &["check", "--from", sample().dump_text()]));
    assert_says(&said, &["etl.toml", "--project"]);

    let said = fails(&mut sample().etl_in(&folder, &["events", "--from", empty.to_str().unwrap()]));
    assert_says(&said, &["there is no dump here"]);

    let arguments = ["seed", "--from", sample().dump_text(), "--to", "stagin"];
    let said = fails(&mut sample().etl_in(&folder, &arguments));
    assert_says(&said, &["--to stagin", "did you mean `staging`?"]);
}

#[test]
fn a_module_that_names_no_event_is_shown_in_its_line() {
    let folder = project("module");
    change(&folder, "modules/chat/module.toml", "[on.MessageSent]", "[on.MesageSent]");
    let said = fails(&mut sample().etl_in(&folder, &["check", "--from", sample().dump_text()]));
    assert_says(&said, &["modules/chat/module.toml:", "MesageSent", "did you mean `MessageSent`?"]);
}

#[test]
fn a_target_of_a_wrong_name_or_kind_names_its_option_and_offers_what_fits() {
    let folder = project("target");
    let file = folder.join("etl.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}\n[targets.broker]\nurl = \"amqp://etl@127.0.0.1/live\"\n")).unwrap();
    let consume =
        |from: &'static str, to: &'static str| vec!["consume", "--module", "chat", "--from", from, "--to", to];
    let check = vec!["check", "--from", sample().dump_text(), "--on", "broker"];
    for (arguments, parts) in [
        (consume("borker", "staging"), ["--from borker: no such target", "did you mean `broker`?\nor write amqp://"]),
        (consume("staging", "staging"), ["--from staging: this needs a RabbitMQ broker", "amqp://"]),
        (consume("stagin", "staging"), ["--from stagin: no such target", "known here: broker\n"]),
        (consume("broker", "stagin"), ["--to stagin: no such target", "did you mean `staging`?\nor write postgres://"]),
        (consume("broker", "jsonl:-"), ["--to jsonl:-: this needs a Postgres server", "postgres://"]),
        (vec!["test", "--on", "stagin"], ["--on stagin: no such target", "did you mean `staging`?"]),
        (check, ["--on broker: this needs a Postgres server", "postgres://"]),
        (vec!["topology", "--to", "brokr"], ["--to brokr: no such target", "did you mean `broker`?\nor write amqp://"]),
    ] {
        let said = fails(&mut sample().etl_in(&folder, &arguments));
        assert_says(&said, &parts);
        assert!(!said.contains("null:"), "{said}");
    }
}

#[test]
fn a_mistyped_url_is_refused_and_its_password_not_shown() {
    let folder = project("mistyped");
    let from = ["--from", sample().dump_text()];
    for (text, told) in [
        ("Postgres://etl:s3cret@127.0.0.1", "--to Postgres:...: no such target"),
        ("mysql://etl:s3cret@127.0.0.1/x", "--to mysql:...: no such target"),
        ("postgres:/etl:s3cret@127.0.0.1", "--to postgres:...: no such target"),
        ("mysql://127.0.0.1?password=s3cret", "--to mysql:...: no such target"),
        ("s3cret@127.0.0.1", "--to ...: no such target"),
    ] {
        for command in [vec!["seed", from[0], from[1], "--to", text], vec!["rollback", "--to", text]] {
            let said = fails(&mut sample().etl_in(&folder, &command));
            assert_says(&said, &[told, "postgres://user@host:port"]);
            assert!(!said.contains("s3cret"), "{said}");
        }
    }
}

#[test]
fn a_project_without_modules_is_checked_and_what_needs_one_says_so() {
    let folder = project("no-modules");
    std::fs::remove_dir_all(folder.join("modules")).unwrap();
    let checked = Ended::of(&mut sample().etl_in(&folder, &["check", "--from", sample().dump_text()])).success();
    assert_says(&checked.stdout, &["0 modules with 0 use cases: all fit"]);
    for command in [&["seed", "--from", sample().dump_text(), "--to", "staging"][..], &["test"], &["summary"]] {
        let said = fails(&mut sample().etl_in(&folder, command));
        assert_says(&said, &["the project has no modules", "make a folder under modules/ with a module.toml"]);
    }
}
