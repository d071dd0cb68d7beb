//! `etl rollback` of several modules, when one can't go back.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use crate::postgres::{Database, drop_databases};
use crate::sample::{Ended, sample};

const MODULES: [&str; 2] = ["blocks", "favourites"];

/// Interrupts a command that waits for a reader; it ends as interrupted. What it said.
fn interrupted_at_the_exchange(command: &mut Command) -> String {
    command.args(["--retry-for", "600"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut waiting = command.spawn().unwrap();
    let mut stderr = BufReader::new(waiting.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("(server process ") {
        assert!(stderr.read_line(&mut said).unwrap() > 0, "{said}");
    }
    let interrupt = Command::new("kill").args(["-INT", &waiting.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(waiting.wait().unwrap().code(), Some(130), "{said}");
    said
}

#[test]
fn what_is_left_is_named_with_the_command_for_just_that() {
    drop_databases(&sample().postgres_url, "rolled", &MODULES);
    let project = sample().project_with_prefix("rolled");
    let etl = |arguments: &[&str]| sample().etl_in(&project, arguments);
    let seed = ["seed", "--from", sample().dump_text(), "--to", "staging"];
    let both = ["--module", MODULES[0], "--module", MODULES[1]];
    Ended::of(etl(&seed).args(both)).ends_with(1);
    Ended::of(etl(&seed).args(both).args(["--if-exists", "replace"])).ends_with(1);

    // The other modules of the project were never loaded, so only these two are asked for.
    let reader = Database::connect(&sample().postgres_url, "rolled_favourites");
    reader.run("BEGIN; SELECT count(*) FROM favourite");
    let rollback = ["rollback", "--to", "staging"];
    let stopped = Ended::of(etl(&rollback).args(both).args(["--retry-for", "0"])).ends_with(2);
    assert!(stopped.stdout.contains("blocks") && !stopped.stdout.contains("favourites"), "{}", stopped.stdout);
    let said = &stopped.stderr;
    assert!(
        said.contains("favourites: database `rolled_favourites`: it was not rolled back, because a long"),
        "{said}"
    );
    let just_this = "for just these: etl rollback --to staging --module favourites\n";
    assert!(said.contains(&format!("not rolled back: favourites (done: blocks); {just_this}")), "{said}");

    // Interrupted while it waits: it says for whom it waited, and nothing of the usual "run the same command again".
    let said = interrupted_at_the_exchange(etl(&rollback).args(["--module", "favourites"]));
    assert!(said.contains(just_this) && !said.contains("run the same command again"), "{said}");
    // A seed that is interrupted at the same place is no failure either.
    let replace = ["--module", "favourites", "--if-exists", "replace"];
    let said = interrupted_at_the_exchange(etl(&seed).args(replace));
    let so_far =
        "database `rolled_favourites`: the new tables are complete and not live yet, because the run was stopped";
    assert!(said.contains(so_far) && said.contains("interrupted; run the same command again"), "{said}");

    reader.run("COMMIT");
    Ended::of(etl(&rollback).args(["--module", "favourites"])).success();
    drop(reader);
    drop_databases(&sample().postgres_url, "rolled", &MODULES);
}
