//! `etl quarantine`: what the last seed couldn't take.

use crate::sample::{Ended, sample};

#[test]
fn every_quarantined_row_is_printed_with_its_reason_and_content() {
    let sample = sample();
    let project = sample.project_with_prefix("quarantine");
    let seed = ["seed", "--from", sample.dump_text(), "--to", "null:", "--json"];
    let report = Ended::of(&mut sample.etl_in(&project, &seed)).ends_with(1);
    let report: serde_json::Value = serde_json::from_str(&report.stdout).unwrap();
    let quarantined: u64 =
        report["tables"].as_array().unwrap().iter().map(|table| table["quarantined"].as_u64().unwrap()).sum();

    let printed = Ended::of(&mut sample.etl_in(&project, &["quarantine", "--from", sample.dump_text()])).success();
    let rows: Vec<serde_json::Value> = printed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len() as u64, quarantined);
    assert!(rows.iter().any(|row| row["reason"].as_str().unwrap().contains("NUL")), "{}", printed.stdout);
    for row in &rows {
        let id = row["content"]["Id"].as_i64().unwrap();
        assert_eq!(row["key"], format!("Id={id}"), "{row}");
    }
}
