//! Events through RabbitMQ: `etl topology`, `etl seed --to` a broker and `etl consume`, against a private broker.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use etl_fixtures::rabbitmq::{PrivateRabbit, RabbitOptions};

use crate::postgres::{Database, drop_databases};
use crate::sample::{Ended, sample};
use crate::seed::MODULES;

/// One broker for all tests of this process, because a start takes long; each test has a virtual host of its own.
pub(crate) fn broker() -> &'static PrivateRabbit {
    static BROKER: OnceLock<PrivateRabbit> = OnceLock::new();
    BROKER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rabbitmq");
        let lines = &["max_message_size = 1000000"];
        PrivateRabbit::start(&folder, &RabbitOptions { lines, tls: true, ..RabbitOptions::default() }).unwrap()
    })
}

/// A project, a virtual host and databases of one test.
pub(crate) struct Trial {
    pub(crate) prefix: String,
    pub(crate) project: PathBuf,
    pub(crate) broker_url: String,
    pub(crate) postgres_url: String,
}

impl Trial {
    /// With nothing in any of them.
    pub(crate) fn new(broker: &PrivateRabbit, prefix: &str) -> Trial {
        drop_databases(&sample().postgres_url, prefix, &MODULES);
        broker.make_virtual_host(prefix).unwrap();
        let project = sample().project_with_prefix(prefix);
        let file = project.join("etl.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let target = "[targets.broker]\nurl = \"${ETL_BROKER_URL}\"\npassword = \"${ETL_BROKER_PASSWORD}\"\n";
        std::fs::write(file, format!("{text}\n{target}")).unwrap();
        let postgres_url = sample().postgres_url.clone();
        Trial { prefix: prefix.to_string(), project, broker_url: broker.url(prefix), postgres_url }
    }

    pub(crate) fn etl(&self, arguments: &[&str]) -> Command {
        let mut command = sample().etl_in(&self.project, arguments);
        command.env("ETL_BROKER_URL", &self.broker_url).env("ETL_BROKER_PASSWORD", "guest");
        command.env("ETL_STAGING_URL", &self.postgres_url);
        command
    }

    pub(crate) fn declare(&self) {
        Ended::of(&mut self.etl(&["topology", "--to", "broker", "--apply"])).success();
    }

    pub(crate) fn publish(&self) -> Command {
        self.etl(&["seed", "--from", sample().dump_text(), "--to", "broker", "--json"])
    }

    pub(crate) fn consume(&self, module: &str) -> Command {
        self.etl(&["consume", "--module", module, "--from", "broker", "--to", "staging", "--json"])
    }

    pub(crate) fn checksums(&self, module: &str) -> Vec<(String, i64, String)> {
        Database::connect(&self.postgres_url, &format!("{}_{module}", self.prefix)).checksums()
    }

    /// All messages are acknowledged. The broker counts anew every five seconds, so this is waited for.
    pub(crate) fn wait_until_empty(&self, broker: &PrivateRabbit) {
        let begun = Instant::now();
        loop {
            let full: Vec<_> =
                broker.queues(&self.prefix).unwrap().into_iter().filter(|queue| queue.messages > 0).collect();
            if full.is_empty() {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{full:?}");
        }
    }

    /// Position and counts of the module's checkpoint.
    pub(crate) fn checkpoint(&self, module: &str) -> Vec<i64> {
        let database = Database::connect(&self.postgres_url, &format!("{}_{module}", self.prefix));
        ["position", "(counts->>'taken')", "(counts->>'passed_over')", "(counts->>'rejected')", "complete::int"]
            .map(|column| database.number(&format!("SELECT {column} FROM etl.checkpoint")))
            .to_vec()
    }
}

/// Databases of a direct seed, which everything else is compared with.
pub(crate) fn direct() -> &'static Trial {
    static DIRECT: OnceLock<Trial> = OnceLock::new();
    DIRECT.get_or_init(|| {
        let trial = Trial::new(broker(), "direct");
        Ended::of(&mut trial.etl(&["seed", "--from", sample().dump_text(), "--to", "staging"])).ends_with(1);
        trial
    })
}

/// What a run printed as JSON.
pub(crate) fn report(ended: &Ended) -> serde_json::Value {
    serde_json::from_str(&ended.stdout).unwrap()
}

#[test]
fn every_module_loaded_from_its_queue_equals_the_direct_seed() {
    let trial = Trial::new(broker(), "queued");
    let missing = Ended::of(&mut trial.publish()).ends_with(2);
    assert!(missing.stderr.contains("etl topology --to TARGET"), "{}", missing.stderr);
    let shown = Ended::of(&mut trial.etl(&["topology", "--to", "broker"])).success();
    assert!(shown.stdout.contains("missing"), "{}", shown.stdout);
    trial.declare();

    let published = Ended::of(&mut trial.publish()).ends_with(1);
    let sink = &report(&published)["modules"][0];
    assert_eq!((sink["complete"].as_bool(), sink["rejected"].as_u64()), (Some(true), Some(0)), "{sink}");
    assert_eq!(sink["repeated"], 0, "{sink}");
    for module in MODULES {
        let consumed = Ended::of(&mut trial.consume(module)).success();
        let report = report(&consumed);
        assert_eq!(report["module"]["complete"], true, "{report}");
        assert_eq!(report["module"]["repeated"], 0, "{report}");
        assert_eq!(trial.checksums(module), direct().checksums(module), "{module}");
        assert_eq!(trial.checkpoint(module), direct().checkpoint(module), "{module}");
    }
    trial.wait_until_empty(broker());

    // Published once more: who has it drops it, and a run for what is complete has nothing to do.
    Ended::of(&mut trial.publish()).ends_with(0);
    Ended::of(trial.publish().args(["--if-exists", "replace"])).ends_with(1);
    let again = Ended::of(&mut trial.consume("favourites")).success();
    let taken = report(&again)["module"]["taken"].as_u64();
    assert_eq!(report(&again)["module"]["repeated"].as_u64(), taken, "{}", again.stdout);
    assert_eq!(trial.checksums("favourites"), direct().checksums("favourites"));
}

#[test]
fn a_queue_that_is_declared_otherwise_is_shown_and_refused() {
    let trial = Trial::new(broker(), "otherwise");
    let file = trial.project.join("modules/favourites/module.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("name = \"favourites\"", "name = \"favourites\"\nqueue = \"classic\"")).unwrap();
    trial.declare();
    std::fs::write(&file, &text).unwrap();
    let shown = Ended::of(&mut trial.etl(&["topology", "--to", "broker", "--apply"])).ends_with(1);
    assert!(shown.stdout.contains("differs: PRECONDITION_FAILED"), "{}", shown.stdout);
    assert!(shown.stdout.contains("inequivalent arg"), "{}", shown.stdout);
    let refused = Ended::of(&mut trial.publish()).ends_with(2);
    assert!(refused.stderr.contains("`happypancake.favourites` differs"), "{}", refused.stderr);
    std::fs::write(&file, text.replace("name = \"favourites\"", "name = \"favourites\"\nqueue = \"clasic\"")).unwrap();
    let refused = Ended::of(&mut trial.publish()).ends_with(2);
    assert!(refused.stderr.contains("did you mean `classic`?"), "{}", refused.stderr);

    let dot = Ended::of(&mut direct().etl(&["topology", "--to", "broker", "--dot"])).success();
    assert!(
        dot.stdout.contains("\"happypancake\" -> \"happypancake.chat\" [label=\"*.MessageSent\"]"),
        "{}",
        dot.stdout
    );
}
