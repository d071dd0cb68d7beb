//! `etl demo`: the first thing that a newcomer runs.

use std::process::Command;

use crate::sample::{Ended, scratch};

#[test]
fn the_demo_ends_with_its_tables_and_leaves_project_and_dump() {
    let folder = scratch("demo");
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_etl"));
        Ended::of(command.args(["demo", "--scale", "0.01", "--dir", folder.to_str().unwrap()])).success()
    };
    let first = run();
    for part in ["dbo.Messages", "quarantined", "profile", "chat", "news", "alerts", "rows/s", "events/s", "etl events"]
    {
        assert!(first.stdout.contains(part), "`{part}` is missing in:\n{}", first.stdout);
    }
    for made in ["project/etl.toml", "dump/manifest.json", "postgres/log"] {
        assert!(folder.join(made).exists(), "{made}");
    }
    // A second one replaces the first.
    let second = run();
    assert!(second.stdout.contains("dbo.Messages"));
}

#[test]
fn a_folder_with_other_things_is_left_alone() {
    let folder = scratch("demo-foreign");
    std::fs::write(folder.join("thesis.txt"), "years of work").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_etl"));
    let refused = Ended::of(command.args(["demo", "--dir", folder.to_str().unwrap()])).ends_with(2);
    assert!(refused.stderr.contains("holds other things"), "{}", refused.stderr);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
}
