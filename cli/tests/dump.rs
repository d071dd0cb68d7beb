//! The dump that `etl extract` writes: read by other tools, compared with the server, damaged and found out.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use etl_fixtures::sqlserver::server::ServerOptions;

use crate::sample::{Ended, sample, scratch};

#[test]
fn pythons_protobuf_reads_every_row_as_the_server_has_it() {
    let sample = sample();
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let python = repository.join("target/python/bin/python");
    assert!(python.exists(), "run scripts/setup first: it makes {}", python.display());
    let address = sample.source.address();
    let script = repository.join("cli/tests/python/compare_dump.py");
    let ended = Ended::of(
        Command::new(python)
            .arg(script)
            .arg(&sample.dump)
            .args([&address.ip().to_string(), &address.port().to_string(), "sa", "HappyPancake"])
            .env("ETL_SOURCE_PASSWORD", ServerOptions::default().password),
    )
    .success();
    let last = ended.stdout.lines().last().unwrap_or_default();
    assert!(last.starts_with("all equal: "), "{}", ended.stdout);
    let tables = ended.stdout.lines().filter(|line| line.ends_with(" rows equal")).count();
    assert_eq!(tables, tables_in(&sample.dump), "every table was compared");
}

fn tables_in(dump: &Path) -> usize {
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(dump.join("manifest.json")).unwrap()).unwrap();
    manifest["tables"].as_array().unwrap().len()
}

#[test]
fn sha256sum_agrees_with_every_checksum() {
    let ended = Ended::of(Command::new("sha256sum").args(["-c", "SHA256SUMS"]).current_dir(&sample().dump)).success();
    assert!(ended.stdout.lines().count() > 2 * tables_in(&sample().dump), "{}", ended.stdout);
}

#[test]
fn the_dump_is_listed_proved_and_printed() {
    let sample = sample();
    let listed = sample.run(&["dump", "ls", sample.dump_text()]).success();
    assert!(listed.stdout.contains("dbo.Messages"), "{}", listed.stdout);
    let proved = sample.run(&["dump", "verify", sample.dump_text()]).success();
    assert!(proved.stdout.starts_with("whole: "), "{}", proved.stdout);
    let rows = sample.run(&["dump", "cat", sample.dump_text(), "dbo.Members", "--limit", "3"]).success();
    let rows: Vec<serde_json::Value> = rows.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| row["Id"].is_i64()), "{rows:?}");
    let schema = sample.run(&["dump", "schema", sample.dump_text(), "dbo.Messages"]).success();
    assert!(schema.stdout.contains("datetime"), "{}", schema.stdout);
    let wrong = sample.run(&["dump", "cat", sample.dump_text(), "dbo.Mesages"]).ends_with(2);
    assert!(wrong.stderr.contains("did you mean `dbo.Messages`?"), "{}", wrong.stderr);
}

#[test]
fn rows_that_an_interrupt_cuts_short_are_told() {
    let sample = sample();
    let rows = ["dump", "cat", sample.dump_text(), "dbo.Messages"];
    let all = sample.run(&rows).success().stdout.lines().count();
    let mut child = sample.etl(&rows).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::with_capacity(1 << 10, child.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    // So slowly that it can't come to its end before it has heard of the signal: a pipe holds a small part of the rows.
    let read = 1 + lines.inspect(|_| std::thread::sleep(Duration::from_millis(1))).count();
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(130), "{read} of {all} rows: {said}");
    // It would begin anew, so there is no advice to run it again.
    assert!(read < all && said == "interrupted\n", "{read} of {all} rows: {said}");
}

#[test]
fn a_second_extraction_into_a_finished_dump_is_refused() {
    let again = sample().run(&["extract", "--out", sample().dump_text()]).ends_with(2);
    assert!(again.stderr.contains(sample().dump_text()), "{}", again.stderr);
}

#[test]
fn one_flipped_byte_is_found_by_verify_and_stops_a_seed() {
    let sample = sample();
    let copy = scratch("flipped");
    copy_folder(&sample.dump, &copy);
    let part = copy.join("dbo.Messages/00000.pb.gz");
    let mut bytes = fs::read(&part).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&part, &bytes).unwrap();

    let verify = sample.run(&["dump", "verify", copy.to_str().unwrap()]).ends_with(1);
    assert!(verify.stdout.contains("dbo.Messages/00000.pb.gz: block "), "{}", verify.stdout);
    let seed = sample.run(&["seed", "--from", copy.to_str().unwrap(), "--to", "null:"]).ends_with(2);
    assert!(seed.stderr.contains("dbo.Messages/00000.pb.gz: block "), "{}", seed.stderr);
}

pub(crate) fn copy_folder(from: &Path, to: &PathBuf) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_folder(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}
