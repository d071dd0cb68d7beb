//! What a consumer's user is told to do about a database that doesn't fit its queue any more, done.

use crate::rabbitmq::{Trial, broker, direct};
use crate::sample::Ended;

#[test]
fn a_database_of_an_earlier_module_is_reset_and_consumed_anew() {
    let trial = Trial::new(broker(), "repaired");
    trial.declare();
    Ended::of(&mut trial.publish()).ends_with(1);
    Ended::of(&mut trial.consume("favourites")).success();
    let schema = trial.project.join("modules/favourites/schema.sql");
    let text = std::fs::read_to_string(&schema).unwrap();
    std::fs::write(&schema, format!("{text}\n-- Changed.\n")).unwrap();
    // The queue is empty; everything comes once more.
    Ended::of(trial.publish().args(["--if-exists", "replace"])).ends_with(1);

    let refused = Ended::of(&mut trial.consume("favourites")).ends_with(2);
    assert!(refused.stderr.contains("the module has changed since it was loaded; drop it with"), "{}", refused.stderr);
    assert!(refused.stderr.contains("`etl reset --to TARGET --module favourites`"), "{}", refused.stderr);
    assert!(refused.stderr.contains("publish anew with `etl seed --if-exists replace`"), "{}", refused.stderr);
    Ended::of(&mut trial.etl(&["reset", "--to", "staging", "--module", "favourites"])).success();
    Ended::of(&mut trial.consume("favourites")).success();
    assert_eq!(trial.checksums("favourites"), direct().checksums("favourites"));
}
