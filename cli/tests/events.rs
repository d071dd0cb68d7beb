//! `etl events`: one stream, whatever the number of threads.

use std::process::Stdio;

use sha2::{Digest, Sha256};

use crate::sample::{Ended, sample};

fn events(arguments: &[&str]) -> String {
    let sample = sample();
    let all = [&["events", "--from", sample.dump_text()], arguments].concat();
    // The sample has rows that belong in quarantine, which the exit code tells.
    Ended::of(&mut sample.etl(&all)).ends_with(1).stdout
}

#[test]
fn the_stream_is_the_same_for_any_number_of_threads_and_little_memory() {
    let one = events(&["--threads", "1"]);
    assert!(one.lines().count() > 50_000, "the sample gives a real stream");
    let sum = |text: &str| Sha256::digest(text.as_bytes());
    for arguments in [["--threads", "2"], ["--threads", "8"], ["--memory", "64MB"]] {
        assert!(sum(&one) == sum(&events(&arguments)), "with {arguments:?} the stream is another");
    }
}

#[test]
fn every_line_is_an_event_in_total_order_with_an_id_of_its_own() {
    let text = events(&[]);
    let mut ids = std::collections::HashSet::new();
    let mut last = String::new();
    for (index, line) in text.lines().enumerate() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(event["position"], index as u64 + 1);
        assert!(ids.insert(event["id"].as_str().unwrap().to_string()), "{line}");
        // RFC 3339 in UTC orders as text once the fraction has a fixed width.
        let at = format!("{:0<30}", event["occurred_at"].as_str().unwrap().trim_end_matches('Z').replace('.', "~"));
        let at = at.replace('~', ".");
        assert!(*at >= *last.trim_end_matches('0'), "{at} after {last}");
        last = at;
    }
}

#[test]
fn a_limit_and_a_reader_that_goes_away_end_quietly() {
    let sample = sample();
    let limited = sample.run(&["events", "--from", sample.dump_text(), "--limit", "5"]).success();
    assert_eq!(limited.stdout.lines().count(), 5);

    let mut child = sample
        .etl(&["events", "--from", sample.dump_text()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), ended.stderr.len()), (Some(0), 0), "{}", String::from_utf8_lossy(&ended.stderr));
}
