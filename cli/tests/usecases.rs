//! `etl test`: the sample's use cases hold, and one that doesn't is shown with what was found.

use crate::postgres::Database;
use crate::sample::{Ended, sample};

fn test(project: &std::path::Path, arguments: &[&str]) -> Ended {
    let all = [&["test", "--on", &sample().postgres_url], arguments].concat();
    Ended::of(&mut sample().etl_in(project, &all))
}

#[test]
fn the_use_cases_of_the_sample_hold_and_leave_nothing_behind() {
    let ended = test(&sample().project, &[]).success();
    for module in ["alerts", "blocks", "chat", "favourites", "likes", "news", "profile", "review", "search", "visits"] {
        let cases = ended.stdout.lines().filter(|line| line.starts_with(&format!("holds  {module}/"))).count();
        assert!(cases >= 5, "{}", ended.stdout);
    }
    let left =
        "DO $$ BEGIN IF EXISTS (SELECT FROM pg_database WHERE datname ~ '^etl_test_[0-9]+_[0-9]+_(alerts|chat)$')
                THEN RAISE 'a database is left behind'; END IF; END $$";
    Database::connect(&sample().postgres_url, "postgres").run(left);
}

/// As the help of `etl test` writes it.
#[test]
fn a_part_of_the_name_chooses_use_cases() {
    let ended = test(&sample().project, &["--module", "chat", "blocked"]).success();
    assert!(ended.stdout.contains("holds  chat/blocked_again_holds"), "{}", ended.stdout);
    assert!(!ended.stdout.contains("message_is_kept"), "{}", ended.stdout);
}

#[test]
fn a_use_case_that_does_not_hold_shows_both_sides() {
    let project = sample().project_with_prefix("usecases");
    let path = project.join("modules/news/usecases/shared_later_is_shown_then.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("headline = \"Pancakes\"", "headline = \"Cakes\"")).unwrap();
    let ended = test(&project, &["--module", "news", "shared_later"]).ends_with(1);
    for part in [
        "FAILS  news/shared_later_is_shown_then",
        "shared_later_is_shown_then.toml:26:1: `feed` has no such row",
        "the nearest row differs:",
        "line 30: headline is Pancakes, expected Cakes",
        "found and not expected:",
        "position = 2, author_id = 00000000-0000-0000-0000-000000000009, headline = Pancakes",
        "1 use cases: 1 failed",
        "etl test news/shared_later_is_shown_then",
    ] {
        assert!(ended.stdout.contains(part), "{part}\n{}", ended.stdout);
    }
}

#[test]
fn a_use_case_that_cannot_be_names_file_and_line() {
    let project = sample().project_with_prefix("usecase_mistakes");
    let path = project.join("modules/news/usecases/uploaded_photo_is_no_news.toml");
    let wrong = "title = \"T\"\n[[given]]\nevent_type = \"PhotoRejected\"\nphoto_id = 7\nmember = \"x\"\n[then]\nfeed_item = -1\n";
    std::fs::write(&path, wrong).unwrap();
    let ended = test(&project, &[]).ends_with(2);
    for part in [
        "uploaded_photo_is_no_news.toml:4:12: `photo_id` can't be integer",
        "uploaded_photo_is_no_news.toml:5:1: `PhotoRejected` has no field `member`",
        "did you mean `member_id`?",
        "`PhotoRejected` needs its field `reason`",
        "uploaded_photo_is_no_news.toml:7:13: a number of rows is 0 or more",
    ] {
        assert!(ended.stderr.contains(part), "{part}\n{}", ended.stderr);
    }
}
