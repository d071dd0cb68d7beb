//! `etl check --on`: the modules' SQL is run on no events, the first error of each is told, and nothing is left behind.

use std::path::Path;
use std::process::Stdio;

use crate::postgres::Database;
use crate::sample::{Ended, sample};

/// Runs it, and sees that it has left no database.
fn check(project: &Path, more: &[&str]) -> Ended {
    let arguments = [&["check", "--from", sample().dump_text()], more].concat();
    let mut command = sample().etl_in(project, &arguments);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let prefix = format!("etl_check_{}_", child.id());
    let output = child.wait_with_output().unwrap();
    let left = format!("SELECT count(*) FROM pg_database WHERE starts_with(datname::text, '{prefix}')");
    assert_eq!(Database::connect(&sample().postgres_url, "postgres").number(&left), 0, "databases are left behind");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn append(file: &Path, more: &str) {
    let text = std::fs::read_to_string(file).unwrap();
    std::fs::write(file, format!("{text}\n{more}\n")).unwrap();
}

#[test]
fn the_sql_of_the_sample_runs() {
    let ended = check(&sample().project, &["--on", "staging"]).success();
    assert!(ended.stdout.contains("the SQL of 11 modules was run on no events: all fits"), "{}", ended.stdout);
}

#[test]
fn the_first_error_of_every_module_is_told_with_its_line() {
    let project = sample().project_with_prefix("check");
    let modules = project.join("modules");
    append(&modules.join("chat/schema.sql"), "CREATE TABLE broken (id integr);");
    append(&modules.join("news/handlers/photo_approved.sql"), "DELETE FROM nowhere;");
    append(&modules.join("audit/indexes.sql"), "CREATE INDEX ON entry (lower(nothing));");
    // A name as long as Postgres allows leaves no room for what is put before it.
    let long = "b".repeat(63);
    let blocks = modules.join("blocks/module.toml");
    let text = std::fs::read_to_string(&blocks).unwrap().replace("name = \"blocks\"", &format!("name = \"{long}\""));
    assert!(text.contains(&long));
    std::fs::write(&blocks, text).unwrap();
    append(&modules.join("likes/schema.sql"), "DO $$ BEGIN RAISE 'not today'; END $$;");

    // What only a server can know isn't known without one, and that is said.
    let ended = check(&project, &[]).success();
    assert!(ended.stdout.contains("the SQL of the modules was not run; --on TARGET"), "{}", ended.stdout);

    let ended = check(&project, &["--on", &sample().postgres_url]).ends_with(1);
    let line = |file: &str| std::fs::read_to_string(modules.join(file)).unwrap().lines().count();
    for part in [
        &format!("chat/schema.sql:{}:25: ERROR 42704: type \"integr\" does not exist", line("chat/schema.sql")),
        &format!("photo_approved.sql:{}:13: ERROR 42P01", line("news/handlers/photo_approved.sql")),
        &format!("audit/indexes.sql:{}:", line("audit/indexes.sql")),
        "likes/schema.sql: ERROR P0001: not today",
        "the SQL of 11 modules was run on no events: 4 errors",
    ] {
        assert!(ended.stdout.contains(part), "`{part}` is missing in:\n{}", ended.stdout);
    }
}

#[test]
fn what_is_wrong_with_the_server_is_no_error_of_a_module() {
    let server = Database::connect(&sample().postgres_url, "postgres");
    server.run("DROP ROLE IF EXISTS etl_check_without_rights; CREATE ROLE etl_check_without_rights LOGIN");
    let (_, address) = sample().postgres_url.split_once('@').unwrap();
    let url = format!("postgres://etl_check_without_rights@{address}");
    let ended = check(&sample().project, &["--on", &url]).ends_with(2);
    server.run("DROP ROLE etl_check_without_rights");
    assert_eq!(
        ended.stderr.matches("ERROR 42501: permission denied to create database").count(),
        1,
        "{}",
        ended.stderr
    );
    assert!(!ended.stdout.contains("was run"), "{}", ended.stdout);
}

#[test]
fn what_was_found_is_told_although_the_server_fails_later() {
    let project = sample().project_with_prefix("check-fault");
    let modules = project.join("modules");
    append(&modules.join("audit/indexes.sql"), "CREATE INDEX ON entry (lower(nothing));");
    append(&modules.join("likes/schema.sql"), "SELECT pg_terminate_backend(pg_backend_pid());");
    let ended = check(&project, &["--on", &sample().postgres_url]).ends_with(2);
    assert!(ended.stdout.contains("audit/indexes.sql:"), "{}", ended.stdout);
    assert!(ended.stdout.contains("on no events: 1 errors"), "{}", ended.stdout);
    assert!(ended.stderr.contains("57P01"), "{}", ended.stderr);
}
