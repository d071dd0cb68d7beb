//! Modules of one target on different servers: two private ones, or a running one and a private one.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use etl_fixtures::postgres::PrivatePostgres;

use crate::postgres::{Database, drop_databases};
use crate::sample::{Ended, sample};

const MODULES: [&str; 2] = ["blocks", "favourites"];
const BOTH: [&str; 4] = ["--module", MODULES[0], "--module", MODULES[1]];
const SEED: [&str; 3] = ["seed", "--to", "staging"];

/// A project of which `blocks` lies on a server of its own, named by a variable.
fn project(prefix: &str, module: &str) -> PathBuf {
    let project = sample().project_with_prefix(prefix);
    let file = project.join("etl.toml");
    let own = format!("[targets.staging.modules.{module}]\nurl = \"${{ETL_BLOCKS_URL}}\"");
    std::fs::write(&file, format!("{}\n{own}\n", std::fs::read_to_string(&file).unwrap())).unwrap();
    project
}

fn etl(project: &Path, arguments: &[&str], own_server: &str) -> Command {
    let mut command = sample().etl_in(project, arguments);
    command.env("ETL_BLOCKS_URL", own_server);
    command
}

/// Which of the modules have a database there.
fn databases(url: &str, prefix: &str) -> Vec<&'static str> {
    let server = Database::connect(url, "postgres");
    let one = |module: &&str| {
        server.number(&format!("SELECT count(*) FROM pg_database WHERE datname = '{prefix}_{module}'")) == 1
    };
    MODULES.into_iter().filter(one).collect()
}

#[test]
fn a_module_may_lie_on_a_server_of_its_own() {
    let (own, common) = (PrivatePostgres::temporary().unwrap(), sample().postgres_url.as_str());
    drop_databases(common, "apart", &MODULES);
    let project = project("apart", "blocks");
    let run = |arguments: &[&str], more: &[&str]| etl(&project, &[arguments, more].concat(), &own.url());
    let seed = [&SEED[..], &["--from", sample().dump_text()]].concat();

    // Rows of the sample are rejected on the way.
    Ended::of(&mut run(&seed, &BOTH)).ends_with(1);
    assert_eq!((databases(&own.url(), "apart"), databases(common, "apart")), (vec!["blocks"], vec!["favourites"]));
    Ended::of(run(&seed, &BOTH).args(["--if-exists", "replace"])).ends_with(1);
    let back = Ended::of(&mut run(&["rollback", "--to", "staging"], &BOTH)).success();
    assert!(MODULES.iter().all(|module| back.stdout.contains(module)), "{}", back.stdout);
    Database::connect(&own.url(), "apart_blocks").run("SELECT 1 FROM etl_previous.block LIMIT 1");

    let from = ["--from", sample().dump_text()];
    let checked = Ended::of(run(&["check", "--on", "staging"], &from).env("ETL_STAGING_PASSWORD", "")).success();
    assert!(checked.stdout.contains("the SQL of 11 modules was run"), "{}", checked.stdout);
    Ended::of(&mut run(&["test", "--on", "staging"], &BOTH)).success();

    // What only other modules need may be missing.
    let blocks = ["--module", "blocks"];
    Ended::of(run(&["reset", "--to", "staging"], &blocks).env_remove("ETL_STAGING_URL")).success();
    assert_eq!((databases(&own.url(), "apart"), databases(common, "apart")), (vec![], vec!["favourites"]));
    drop_databases(common, "apart", &MODULES);
}

#[test]
fn what_is_wrong_with_a_modules_server_names_the_module_and_the_place_of_its_url() {
    let project = project("astray", "blocks");
    let nobody = format!("postgres://etl@{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let from = ["--from", sample().dump_text()];
    let origin = "blocks ([targets.staging.modules.blocks]): ";
    for arguments in [
        [&SEED[..], &from, &["--module", "blocks"]].concat(),
        vec!["rollback", "--to", "staging", "--module", "blocks"],
        vec!["reset", "--to", "staging", "--module", "blocks"],
        [&["check", "--on", "staging"][..], &from].concat(),
    ] {
        let ended = Ended::of(&mut etl(&project, &arguments, &nobody)).ends_with(2);
        for part in [origin, &nobody, "nothing listens there"] {
            assert!(ended.stderr.contains(part), "{arguments:?}: `{part}` is missing in:\n{}", ended.stderr);
        }
    }

    // Known before anything is made on the other module's server.
    let seed = [&SEED[..], &from, &BOTH].concat();
    let missing = Ended::of(etl(&project, &seed, "").env_remove("ETL_BLOCKS_URL")).ends_with(2);
    for part in ["[targets.staging.modules.blocks]: etl.toml:", "no variable `ETL_BLOCKS_URL`"] {
        assert!(missing.stderr.contains(part), "{}", missing.stderr);
    }
    assert!(databases(&sample().postgres_url, "astray").is_empty());
    let secret = Ended::of(&mut etl(&project, &seed, "postgres://etl:s3cret@127.0.0.1")).ends_with(2);
    assert!(secret.stderr.contains("[targets.staging.modules.blocks]: the target's URL holds"), "{}", secret.stderr);
    assert!(!secret.stderr.contains("s3cret"), "{}", secret.stderr);
}

#[test]
fn a_server_for_a_module_that_does_not_exist_is_refused_without_one() {
    let project = project("misnamed", "blcks");
    let ended = Ended::of(&mut etl(&project, &["check", "--from", sample().dump_text()], "")).ends_with(2);
    for part in ["etl.toml:", "module `blcks`", "did you mean `blocks`?"] {
        assert!(ended.stderr.contains(part), "{}", ended.stderr);
    }
}
