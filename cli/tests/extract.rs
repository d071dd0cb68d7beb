//! `etl inspect`, `etl extract --plan` and the options that keep the source well.

use serde_json::Value;

use crate::sample::{sample, scratch};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn messages(tables: &Value) -> Value {
    tables["tables"].as_array().unwrap().iter().find(|table| table["table"] == "dbo.Messages").unwrap().clone()
}

#[test]
fn inspect_shows_every_table_and_how_it_would_be_read() {
    let shown = sample().run(&["inspect"]).success().stdout;
    for part in ["HappyPancake on SQL Server", "dbo.Messages", "by chunks", "is asked for as CAST("] {
        assert!(shown.contains(part), "`{part}` is missing in:\n{shown}");
    }
    let told = json(&sample().run(&["inspect", "--json"]).success().stdout);
    let messages = messages(&told);
    assert!(messages["rows"].as_u64().unwrap() > 10_000, "{messages}");
    assert_eq!((messages["parts"].as_u64(), messages["key"].as_array().map(Vec::len)), (Some(1), Some(1)));
}

#[test]
fn a_plan_names_its_ranges_and_an_extraction_in_parts_reads_the_same_rows() {
    let plan = json(&sample().run(&["extract", "--plan", "--part-rows", "20000", "--json"]).success().stdout);
    let planned = messages(&plan);
    let ranges = planned["ranges"].as_array().unwrap();
    assert!(ranges.len() > 1, "{planned}");
    assert_eq!(ranges[0]["through"], ranges[1]["after"]);

    let folder = scratch("extract-parts");
    let dump = folder.join("dump");
    let out = dump.to_str().unwrap();
    let gentle = ["--longest-query", "0.5", "--max-bytes-per-second", "200MB", "--jobs", "2", "--json"];
    let arguments = [&["extract", "--out", out, "--part-rows", "20000"][..], &gentle[..]].concat();
    let report = json(&sample().run(&arguments).success().stdout);
    assert_eq!(report["complete"], true);
    let read: u64 = report["tables"].as_array().unwrap().iter().map(|table| table["rows"].as_u64().unwrap()).sum();
    assert_eq!(report["rows_read"].as_u64(), Some(read));
    for figure in ["queries", "longest_query_seconds", "bytes_read", "seconds_waited_for_rate", "slow_downs"] {
        assert!(report[figure].is_number(), "{figure} in {report}");
    }

    let rows = |dump: &str| sample().run(&["dump", "cat", dump, "dbo.Messages"]).success().stdout;
    assert!(rows(out) == rows(sample().dump_text()), "other rows, or another order");
    sample().run(&["dump", "verify", out]).success();
}

#[test]
fn the_client_is_chosen_by_name_and_told() {
    for client in ["tiberius", "mssql-tds"] {
        let shown = sample().run(&["inspect", "--client", client]).success().stdout;
        assert!(shown.lines().next().unwrap().ends_with(&format!("read by {client}")), "{shown}");
        let told = json(&sample().run(&["extract", "--plan", "--json", "--client", client]).success().stdout);
        assert_eq!(told["client"], client);
    }
    let refused = sample().run(&["inspect", "--client", "mssql_tds"]).ends_with(2);
    assert!(refused.stderr.contains("did you mean `mssql-tds`?"), "{}", refused.stderr);
}

#[test]
fn impossible_options_are_refused() {
    let refused = sample().run(&["extract"]).ends_with(2);
    assert!(refused.stderr.contains("--out"), "{}", refused.stderr);
    for option in ["--longest-query=0", "--max-rows-per-second=0", "--part-rows=0", "--max-bytes-per-second=0"] {
        let refused = sample().run(&["extract", "--plan", option]).ends_with(2);
        assert!(refused.stderr.contains(option.split('=').next().unwrap()), "{}", refused.stderr);
    }
}
