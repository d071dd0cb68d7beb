//! `etl events`: one stream, whatever the number of threads.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

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

/// A program that shares no code with the transform finds the stream in order, and finds what isn't.
#[test]
fn the_order_holds_for_who_looks_from_outside() {
    let sample = sample();
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let check = |lines: &str| {
        let mut child = Command::new(repository.join("scripts/check-order"))
            .arg("--proto")
            .arg(sample.project.join("events.proto"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It ends at the first fault and takes no more lines.
        let _ = child.stdin.take().unwrap().write_all(lines.as_bytes());
        let ended = child.wait_with_output().unwrap();
        (ended.status.success(), String::from_utf8(ended.stdout).unwrap() + &String::from_utf8(ended.stderr).unwrap())
    };
    let text = events(&[]);
    let digest: String = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let (right, said) = check(&text);
    assert!(right && said.contains(&digest), "{said}");
    assert!(said.starts_with(&format!("{} events", text.lines().count())), "{said}");

    let lines: Vec<&str> = text.lines().take(500).collect();
    let id = |line: &str| line.split('"').nth(5).unwrap().to_string();
    let swapped = |first: usize, second: usize| {
        let position = |line: &str| line.split_once(',').unwrap().0.to_string();
        let rest = |line: &str| line.split_once(',').unwrap().1.to_string();
        let mut lines: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
        lines[first] = format!("{},{}\n", position(&lines[first]), rest(self::line(&text, second)));
        lines[second] = format!("{},{}\n", position(&lines[second]), rest(self::line(&text, first)));
        lines.concat()
    };
    assert!(check(&swapped(100, 400)).1.contains("it comes before event"));
    let same_id = lines.join("\n").replace(&id(lines[7]), &id(lines[450])) + "\n";
    assert!(check(&same_id).1.contains("two events share the id"));
    assert!(check(&(lines[1..].join("\n") + "\n")).1.contains("event 1: its position is 2"));
}

fn line(text: &str, place: usize) -> &str {
    text.lines().nth(place).unwrap()
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

fn lines(arguments: &[&str]) -> Vec<serde_json::Value> {
    let all = [&["events", "--from", sample().dump_text()], arguments].concat();
    let ended = Ended::of(&mut sample().etl(&all));
    // 1 where rows that were read lie in quarantine.
    assert!(matches!(ended.code, Some(0 | 1)), "{}", ended.stderr);
    ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn filters_select_from_the_stream_and_leave_it_as_it_is() {
    let all = lines(&[]);
    let at = |event: &serde_json::Value| event["occurred_at"].as_str().unwrap().to_string();
    let middle = &all[all.len() / 2];
    let (time, stream) = (at(middle), middle["stream"].as_str().unwrap());
    let kept = |holds: &dyn Fn(&serde_json::Value) -> bool| -> Vec<serde_json::Value> {
        all.iter().filter(|event| holds(event)).cloned().collect()
    };
    assert_eq!(lines(&["--type", "PhotoApproved"]), kept(&|event| event["type"] == "PhotoApproved"));
    assert_eq!(lines(&["--stream", stream]), kept(&|event| event["stream"] == stream));
    // RFC 3339 in UTC orders as text once the fraction has a fixed width.
    let instant = |text: &str| {
        let text = text.trim_end_matches('Z');
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        format!("{whole}.{fraction:0<9}")
    };
    let since = kept(&|event| instant(&at(event)) >= instant(&time));
    assert_eq!(lines(&["--since", &time]), since);
    assert_eq!(lines(&["--since", &time, "--limit", "7"]), since[..7]);
    assert_eq!(
        lines(&["--until", &time, "--type", "MessageSent"]),
        kept(&|event| { instant(&at(event)) < instant(&time) && event["type"] == "MessageSent" })
    );

    // A seek gives the same events without reading what lies before, so without positions.
    let sought = lines(&["--seek", &time, "--limit", "50"]);
    let expected: Vec<serde_json::Value> = since[..50]
        .iter()
        .cloned()
        .map(|mut event| {
            event.as_object_mut().unwrap().remove("position");
            event
        })
        .collect();
    assert_eq!(sought, expected);
}

#[test]
fn a_row_is_explained_by_its_key() {
    let sample = sample();
    let from = ["events", "--from", sample.dump_text()];
    let sent = &lines(&["--type", "MessageSent", "--limit", "1"])[0];
    let key = sent["key"].as_str().unwrap();
    let explain = |more: &[&str]| sample.run(&[&from[..], &["--explain", "dbo.Messages", key], more].concat());
    let shown = explain(&[]).success().stdout;
    for part in [
        "dbo.Messages Id=",
        "mappings/chat.sql:",
        "MessageSent: an event",
        "WHERE m.Body IS NOT NULL: true",
        "-> {\"id\":",
    ] {
        assert!(shown.contains(part), "`{part}` is missing in:\n{shown}");
    }
    let explained: serde_json::Value = serde_json::from_str(&explain(&["--json"]).success().stdout).unwrap();
    assert_eq!(explained["mappings"][0]["event"]["id"], sent["id"]);
    assert_eq!(explained["content"]["Id"].to_string(), key);

    for (arguments, said) in [
        (vec!["--explain", "dbo.Mesages", "1"], "did you mean `dbo.Messages`?"),
        (vec!["--explain", "dbo.Messages", "99999999"], "dbo.Messages has no row 99999999"),
        (vec!["--type", "MesageSent"], "did you mean `MessageSent`?"),
        (vec!["--since", "yesterday"], "2014-03-01T12:30:00+01:00"),
        (vec!["--seek", "2014-01-01", "--since", "2014-01-01"], "cannot be used with"),
    ] {
        let ended = sample.run(&[&from[..], &arguments].concat()).ends_with(2);
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
}
