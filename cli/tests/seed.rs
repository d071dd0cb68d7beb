//! `etl seed` into module databases: exactly once, whatever is killed when.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::postgres::{Database, drop_databases};
use crate::sample::{Ended, sample};

pub(crate) const MODULES: [&str; 11] =
    ["alerts", "audit", "blocks", "chat", "favourites", "likes", "news", "profile", "review", "search", "visits"];

type Checksums = Vec<(String, Vec<(String, i64, String)>)>;

fn checksums(prefix: &str) -> Checksums {
    let tables = |module: &str| Database::connect(&sample().postgres_url, &format!("{prefix}_{module}")).checksums();
    MODULES.iter().map(|module| ((*module).to_string(), tables(module))).collect()
}

fn seed(project: &Path) -> std::process::Command {
    sample().etl_in(project, &["seed", "--from", sample().dump_text(), "--to", "staging"])
}

/// A fresh target of its own: the project, with no databases left.
fn fresh(prefix: &str) -> std::path::PathBuf {
    drop_databases(&sample().postgres_url, prefix, &MODULES);
    sample().project_with_prefix(prefix)
}

#[test]
fn ten_kills_leave_the_same_tables_as_none() {
    let undisturbed = fresh("calm");
    let started = Instant::now();
    // Rows in quarantine are told by the exit code.
    Ended::of(&mut seed(&undisturbed)).ends_with(1);
    let whole = started.elapsed();
    let expected = checksums("calm");
    let rows: i64 = expected.iter().flat_map(|(_, tables)| tables).map(|(_, rows, _)| rows).sum();
    assert!(rows > 50_000, "{expected:?}");

    let disturbed = fresh("killed");
    let mut killed = 0;
    for round in 0.. {
        assert!(round < 100, "only {killed} of {round} kills hit a running seed");
        let mut child = seed(&disturbed).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(random_moment(round, whole));
        let ended = child.try_wait().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        match ended {
            None => killed += 1,
            // It came to its end before the kill: what it loaded is compared, and the next round begins anew.
            Some(_) => {
                assert_eq!(expected, checksums("killed"));
                drop_databases(&sample().postgres_url, "killed", &MODULES);
            }
        }
        if killed == 10 {
            break;
        }
    }
    let last = Ended::of(&mut seed(&disturbed));
    assert!(matches!(last.code, Some(0 | 1)), "{}", last.stderr);
    assert_eq!(expected, checksums("killed"));
}

/// A moment within the time that a whole seed took; another in every round and every run, from the clock's last digits.
fn random_moment(round: u64, whole: Duration) -> Duration {
    let nanos = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let mixed = (nanos ^ round.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11;
    whole.mul_f64(mixed as f64 / (1u64 << 53) as f64)
}

#[test]
fn a_complete_seed_is_left_alone_and_another_dump_is_refused() {
    let project = fresh("again");
    Ended::of(&mut seed(&project)).ends_with(1);
    let before = checksums("again");
    let again = Ended::of(&mut seed(&project));
    assert!(matches!(again.code, Some(0 | 1)), "{}", again.stderr);
    assert_eq!(before, checksums("again"));

    let refused = Ended::of(seed(&project).args(["--if-exists", "fail"])).ends_with(2);
    assert!(refused.stderr.contains("again_"), "{}", refused.stderr);

    // Another mapping makes other events, which don't belong behind those that are loaded.
    let mapping = project.join("mappings/chat.sql");
    let text = std::fs::read_to_string(&mapping).unwrap();
    std::fs::write(&mapping, text.replace("trim(m.Body)", "upper(trim(m.Body))")).unwrap();
    let changed = Ended::of(&mut seed(&project)).ends_with(2);
    assert!(changed.stderr.contains("mapping"), "{}", changed.stderr);
    assert_eq!(before, checksums("again"));

    let replaced = Ended::of(seed(&project).args(["--if-exists", "replace"])).ends_with(1);
    assert!(replaced.stdout.contains("chat"), "{}", replaced.stdout);
    assert_ne!(before, checksums("again"));
}

#[test]
fn a_file_is_written_from_the_start_or_must_be_new() {
    let project = sample().project_with_prefix("file");
    let file = project.join("events.jsonl");
    let to = format!("jsonl:{}", file.display());
    let seed = |to: &str, more: &[&str]| {
        let arguments = [&["seed", "--from", sample().dump_text(), "--to", to], more].concat();
        Ended::of(&mut sample().etl_in(&project, &arguments))
    };
    seed(&to, &["--if-exists", "fail"]).ends_with(1);
    let written = std::fs::read(&file).unwrap();
    let refused = seed(&to, &["--if-exists", "fail"]).ends_with(2);
    assert!(refused.stderr.contains("events.jsonl: it exists; name another file"), "{}", refused.stderr);
    assert!(std::fs::read(&file).unwrap() == written, "it was touched");
    std::fs::write(&file, "something else").unwrap();
    seed(&to, &[]).ends_with(1);
    assert!(std::fs::read(&file).unwrap() == written, "it wasn't written from the start");
    for to in ["null:", &to] {
        let refused = seed(to, &["--module", "chat"]).ends_with(2);
        assert!(refused.stderr.contains("leave --module out"), "{}", refused.stderr);
    }
}

#[test]
fn the_ledger_accounts_for_every_row() {
    let sample = sample();
    let ended = sample.run(&["seed", "--from", sample.dump_text(), "--to", "null:", "--json"]).ends_with(1);
    let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let tables = report["tables"].as_array().unwrap();
    assert!(tables.len() >= 12, "{report}");
    let number = |table: &serde_json::Value, name: &str| table[name].as_u64().unwrap();
    for table in tables {
        let parts =
            ["rows_with_events", "filtered", "quarantined", "looked_up", "unread"].map(|name| number(table, name));
        assert_eq!(number(table, "rows"), parts.iter().sum::<u64>(), "{table}");
    }
    assert!(tables.iter().map(|table| number(table, "quarantined")).sum::<u64>() > 0, "{report}");
}

#[test]
fn the_report_counts_the_rows_that_handlers_have_made() {
    let project = fresh("counted");
    let ended = Ended::of(seed(&project).arg("--json")).ends_with(1);
    let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    for module in report["modules"].as_array().unwrap() {
        let name = module["name"].as_str().unwrap();
        let found = Database::connect(&sample().postgres_url, &format!("counted_{name}")).checksums();
        for (table, rows, _) in found {
            assert_eq!(module["tables"][&table].as_i64().unwrap_or(0), rows, "{name}.{table}");
        }
    }
}
