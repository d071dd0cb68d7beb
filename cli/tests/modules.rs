//! What the sample's modules hold after a seed agrees with the ledger, and with itself.

use std::collections::BTreeMap;

use crate::postgres::{Database, drop_databases};
use crate::sample::{Ended, sample};

/// Module, what is counted there, and the event types whose events it must be, all together; none of them: nothing.
const COUNTS: &[(&str, &str, &[&str])] = &[
    ("profile", "count(*) FROM member", &["MemberRegistered"]),
    ("profile", "count(*) FROM photo", &["PhotoUploaded"]),
    ("profile", "count(*) FROM photo_review", &["PhotoApproved", "PhotoRejected"]),
    ("profile", "count(*) FROM shown_photo", &["PhotoApproved"]),
    ("profile", "count(*) FROM payment", &["PaymentReceived"]),
    (
        "alerts",
        "count(*) FROM alert",
        &[
            "MessageSent",
            "FlirtSent",
            "ProfileVisited",
            "MemberLiked",
            "MemberFavourited",
            "MemberWarned",
            "MemberSuspended",
            "PhotoRejected",
        ],
    ),
    ("audit", "count(*) FROM entry WHERE event_type = 'MessageSent'", &["MessageSent"]),
    (
        "audit",
        "count(DISTINCT event_id) FROM entry WHERE event_type LIKE 'Photo%'",
        &["PhotoUploaded", "PhotoApproved", "PhotoRejected"],
    ),
    ("alerts", "count(*) FROM last_seen", &["MemberLastSeen"]),
    ("chat", "count(*) FROM message", &["MessageSent"]),
    ("chat", "sum(messages) / 2 FROM conversation", &["MessageSent"]),
    ("favourites", "count(*) FROM favourite", &["MemberFavourited"]),
    ("favourites", "count(*) FROM former_member", &["MemberDeleted"]),
    // The lists are written out in steps; they must be what the view says that is due, no more and no less.
    ("news", "count(*) FROM (SELECT member_id, position FROM feed EXCEPT SELECT member_id, position FROM due) x", &[]),
    ("news", "count(*) FROM (SELECT member_id, position FROM due EXCEPT SELECT member_id, position FROM feed) x", &[]),
    ("news", "count(*) FROM news_item", &["MemberRegistered", "MemberDescribed", "InterestAdded", "PhotoApproved"]),
    ("news", "count(*) FROM follow", &["MemberFavourited"]),
    ("likes", "count(*) FROM liked JOIN former_member f ON f.member_id IN (liked.member_id, liked_id)", &[]),
    (
        "likes",
        "count(*) FROM liked a JOIN liked b ON b.member_id = a.liked_id AND b.liked_id = a.member_id
         WHERE NOT EXISTS (SELECT FROM pair WHERE first_id = least(a.member_id, a.liked_id)
                                              AND second_id = greatest(a.member_id, a.liked_id))",
        &[],
    ),
    ("blocks", "(SELECT sum(blockers) FROM avoided) - count(*) FROM block", &[]),
    ("blocks", "count(*) FROM avoided WHERE blockers < 0 OR most < blockers", &[]),
    ("review", "count(*) FROM submission", &["PhotoUploaded", "MemberDescribed"]),
    ("review", "count(*) FROM submission WHERE verdict = 'APPROVED'", &["PhotoApproved", "DescriptionApproved"]),
    ("review", "count(*) FROM submission WHERE verdict = 'REJECTED'", &["PhotoRejected", "DescriptionRejected"]),
    ("review", "count(*) FROM sanction", &["MemberWarned", "MemberSuspended"]),
    ("visits", "sum(visits) FROM visitor", &["ProfileVisited"]),
    ("visits", "sum(visits) FROM visits_of_day", &["ProfileVisited"]),
    ("visits", "count(*) FROM last_seen", &["MemberLastSeen"]),
    ("search", "count(*) FROM document WHERE user_name IS NOT NULL", &["MemberRegistered"]),
    ("search", "sum(photos) FROM document", &["PhotoApproved"]),
    ("search", "sum(cardinality(interests)) FROM document", &["InterestAdded"]),
];

#[test]
fn the_modules_hold_what_the_ledger_says_and_no_table_is_empty() {
    let project = sample().project_with_prefix("agree");
    let seed = ["seed", "--from", sample().dump_text(), "--to", "staging", "--if-exists", "replace", "--json"];
    let ended = Ended::of(&mut sample().etl_in(&project, &seed)).ends_with(1);
    let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let mut events = BTreeMap::<&str, i64>::new();
    for mapping in report["mappings"].as_array().unwrap() {
        *events.entry(mapping["event"].as_str().unwrap()).or_default() += mapping["events"].as_i64().unwrap();
    }
    let modules: Vec<&str> =
        report["modules"].as_array().unwrap().iter().map(|module| module["name"].as_str().unwrap()).collect();
    assert_eq!(modules.len(), 11);
    for module in report["modules"].as_array().unwrap() {
        let number = |name: &str| module[name].as_i64().unwrap();
        assert_eq!(number("rejected"), 0, "{module}");
        assert_eq!(number("taken") + number("passed_over"), events.values().sum::<i64>(), "{module}");
    }
    let database = |module: &str| Database::connect(&sample().postgres_url, &format!("agree_{module}"));
    for module in &modules {
        for (table, rows, _) in database(module).checksums() {
            assert!(rows > 0, "{module}.{table} is empty");
        }
    }
    for (module, counted, types) in COUNTS {
        let expected: i64 = types.iter().map(|event| events[event]).sum();
        assert_eq!(database(module).number(&format!("SELECT {counted}")), expected, "{module}: {counted}");
    }
    drop_databases(&sample().postgres_url, "agree", &modules);
}
