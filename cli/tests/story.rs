//! `etl story`, `etl summary`, `etl graph`: what they say of the sample is what `docs/sample` says, and it can be drawn.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use etl_fixtures::happypancake;
use expect_test::expect_file;

use crate::sample::{Ended, scratch};

fn etl(project: &Path, arguments: &[&str]) -> Ended {
    Ended::of(Command::new(env!("CARGO_BIN_EXE_etl")).current_dir(project).args(arguments).stdin(Stdio::null()))
}

fn project(name: &str) -> PathBuf {
    let folder = scratch(&format!("story-{name}"));
    happypancake::write_project(&folder).unwrap();
    folder
}

/// `UPDATE_EXPECT=1 cargo test -p etl --test main story` writes them anew.
#[test]
fn the_committed_pages_of_the_sample_are_up_to_date() {
    let project = project("pages");
    let said = |arguments: &[&str]| etl(&project, arguments).success().stdout;
    expect_file!["../../docs/sample/story.md"].assert_eq(&said(&["story"]));
    expect_file!["../../docs/sample/summary.txt"].assert_eq(&said(&["summary"]));
    expect_file!["../../docs/sample/graph.dot"].assert_eq(&said(&["graph"]));
    expect_file!["../../docs/sample/graph.mmd"].assert_eq(&said(&["graph", "--format", "mermaid"]));
}

#[test]
fn graphviz_draws_the_graph() {
    let dot = etl(&project("dot"), &["graph"]).success().stdout;
    let svg = drawn(&dot);
    assert!(svg.contains("</svg>") && svg.contains("MessageSent"), "{svg}");
}

fn drawn(dot: &str) -> String {
    let mut child = Command::new("dot")
        .arg("-Tsvg")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("Graphviz's `dot` is needed; scripts/setup installs it: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let dot = dot.to_string();
    // Beside the reading of its output, since both pipes may fill.
    let writer = std::thread::spawn(move || stdin.write_all(dot.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The labels of red nodes and modules.
fn red(dot: &str) -> Vec<&str> {
    let label = |line: &'_ str| Some(line.split_once("label=\"")?.1.split_once('"')?.0.len());
    let mut found = Vec::new();
    let mut last = "";
    for line in dot.lines() {
        if let Some(length) = label(line) {
            let start = line.find("label=\"").unwrap() + 7;
            last = &line[start..start + length];
        }
        if line.contains("fontcolor=\"red\"") {
            found.push(last);
        }
    }
    found
}

#[test]
fn what_no_use_case_covers_is_red() {
    let project = project("red");
    assert!(red(&etl(&project, &["graph"]).success().stdout).is_empty(), "the sample is covered");
    std::fs::remove_file(project.join("modules/chat/usecases/flirt_is_seen.toml")).unwrap();
    let dot = etl(&project, &["graph"]).success().stdout;
    assert_eq!(red(&dot), ["FlirtSent · copy", "FlirtSeen · copy", "flirt", "flirt_seen"]);
    assert!(drawn(&dot).contains("\"red\""), "the picture is red as well");
    let mermaid = etl(&project, &["graph", "--module", "chat", "--format", "mermaid"]).success().stdout;
    assert!(mermaid.contains("[(\"flirt\")]:::uncovered"), "{mermaid}");
    let summary = etl(&project, &["summary"]).success().stdout;
    for gap in
        ["chat: no use case gives FlirtSeen and looks at what it writes", "chat: no use case looks at flirt_seen"]
    {
        assert!(summary.contains(gap), "{summary}");
    }
    std::fs::remove_dir_all(project.join("modules/visits/usecases")).unwrap();
    assert!(red(&etl(&project, &["graph"]).success().stdout).contains(&"visits · 0 use cases"));
}

#[test]
fn machines_read_the_same_as_json() {
    let project = project("json");
    let json = |command: &str| -> serde_json::Value {
        serde_json::from_str(&etl(&project, &[command, "--json"]).success().stdout).unwrap()
    };
    let summary = json("summary");
    let modules = summary["modules"].as_array().unwrap();
    assert_eq!(modules.len(), 11);
    for module in modules {
        assert!(module["use_cases"].as_array().unwrap().len() >= 5, "{}", module["name"]);
    }
    assert!(summary["events"].as_array().unwrap().iter().all(|event| event["covered"] == true), "{summary}");
    assert_eq!(json("story")[0]["use_cases"][0]["given"][0]["event"], "MessageSent");
    let unknown = etl(&project, &["story", "--module", "chatt"]).ends_with(2);
    assert!(unknown.stderr.contains("did you mean `chat`?"), "{}", unknown.stderr);
}
