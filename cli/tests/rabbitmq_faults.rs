//! Faults while events go through RabbitMQ into the modules' databases, of each kind as many as `ETL_TEST_FAULTS` says:
//! connections are closed, the broker is stopped and started, its memory runs short, publisher and consumer are killed.
//! Every table equals the direct seed's.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use etl_fixtures::rabbitmq::PrivateRabbit;

use crate::rabbitmq::{Trial, direct, report};
use crate::sample::{Ended, sample};

/// Few enough for every day; `scripts/rabbitmq-faults` asks for ten.
const FAULTS: usize = 2;
const KINDS: usize = 5;
/// Chat has two consumers, of which one stands by.
const CONSUMERS: [&str; 3] = ["chat", "chat", "favourites"];
/// What a publisher says when the broker blocks it.
const BLOCKED: &str = "takes nothing for now";
/// Longer than anything that is waited for takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

struct Shaken {
    broker: PrivateRabbit,
    trial: Trial,
    rate: String,
    publisher: Child,
    consumers: Vec<Child>,
    /// The reports of all processes; what they told meanwhile lies beside them.
    said: Vec<PathBuf>,
}

impl Shaken {
    /// For stdout and stderr of a process.
    fn outputs(&mut self, name: &str) -> [Stdio; 2] {
        let number = self.said.len();
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("rabbitmq-faults-{number}-{name}.json"));
        self.said.push(path.clone());
        [path.clone(), path.with_extension("log")].map(|path| Stdio::from(std::fs::File::create(path).unwrap()))
    }

    fn start_publisher(&mut self) -> Child {
        let [stdout, stderr] = self.outputs("publisher");
        let mut publish = self.trial.publish();
        publish.args(["--rate", &self.rate, "--retry-for", "120"]);
        publish.stdout(stdout).stderr(stderr).spawn().unwrap()
    }

    fn start_consumer(&mut self, module: &str) -> Child {
        let [stdout, stderr] = self.outputs(module);
        let mut consume = self.trial.consume(module);
        consume.args(["--retry-for", "120", "--until-idle", "20"]);
        consume.stdout(stdout).stderr(stderr).spawn().unwrap()
    }

    fn strike(&mut self, kind: usize, round: usize) {
        match kind {
            0 => self.broker.close_connections(&self.trial.prefix).unwrap(),
            1 => {
                if round.is_multiple_of(2) { self.broker.stop() } else { self.broker.crash() }.unwrap();
                self.broker.start_again().unwrap();
            }
            2 => {
                self.block();
                // What was sent since then is lost with the broker, or goes on its way.
                if round.is_multiple_of(2) {
                    self.broker.crash().unwrap();
                    self.broker.start_again().unwrap();
                } else {
                    self.broker.set_memory_alarm(false).unwrap();
                }
            }
            3 => {
                self.publisher.kill().unwrap();
                self.publisher.wait().unwrap();
                self.publisher = self.start_publisher();
            }
            _ => {
                let index = round % CONSUMERS.len();
                self.consumers[index].kill().unwrap();
                self.consumers[index].wait().unwrap();
                self.consumers[index] = self.start_consumer(CONSUMERS[index]);
            }
        }
    }

    /// Raises the alarm until the publisher is told, and for a while more, in which it sends what nobody confirms.
    fn block(&mut self) {
        let told =
            |shaken: &Shaken| shaken.said.iter().map(|path| log_of(path).matches(BLOCKED).count()).sum::<usize>();
        let before = told(self);
        self.broker.set_memory_alarm(true).unwrap();
        let begun = Instant::now();
        while told(self) == before {
            assert!(self.publisher.try_wait().unwrap().is_none(), "the publisher has ended");
            assert!(begun.elapsed() < PATIENCE, "the publisher isn't told that it is blocked");
            sleep(Duration::from_millis(20));
        }
        sleep(Duration::from_secs(1));
    }

    /// Kills the publisher when chat has an event that its checkpoint doesn't know of: it will be published again.
    fn kill_behind_the_checkpoint(&mut self) {
        for _ in 0..20 {
            self.publisher.kill().unwrap();
            self.publisher.wait().unwrap();
            let (saved, begun) = (self.saved_position(), Instant::now());
            while begun.elapsed() < Duration::from_secs(5) {
                if self.trial.checkpoint("chat")[0] > saved {
                    return;
                }
                sleep(Duration::from_millis(50));
            }
            self.publisher = self.start_publisher();
            sleep(Duration::from_millis(1_700));
        }
        panic!("the publisher's checkpoint is always ahead of the consumer's");
    }

    /// Of the publisher's checkpoint file.
    fn saved_position(&self) -> i64 {
        let files = std::fs::read_dir(self.trial.project.join(".etl")).unwrap().map(|entry| entry.unwrap().path());
        let is_checkpoint = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("published-"))
                && path.extension().is_some_and(|extension| extension == "json")
        };
        let text = std::fs::read_to_string(files.into_iter().find(is_checkpoint).unwrap()).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["position"].as_i64().unwrap()
    }

    /// Consumers that have seen nothing for a while have ended; others take their place.
    fn revive(&mut self) {
        for (index, module) in CONSUMERS.iter().enumerate() {
            if self.consumers[index].try_wait().unwrap().is_some() {
                self.consumers[index] = self.start_consumer(module);
            }
        }
    }

    /// What the publishers told of messages that they sent again, and what the consumers that came to their end have
    /// dropped as repeated.
    fn repeated(&self) -> (u64, u64) {
        let (mut published, mut consumed) = (0, 0);
        for path in &self.said {
            let told = log_of(path);
            let again = |line: &str| {
                let (before, _) = line.split_once(" messages that weren't confirmed are sent again")?;
                before.rsplit(' ').next()?.parse::<u64>().ok()
            };
            published += told.lines().filter_map(again).sum::<u64>();
            let text = std::fs::read_to_string(path).unwrap();
            let Ok(report) = serde_json::from_str::<serde_json::Value>(&text) else { continue };
            consumed += report["module"]["repeated"].as_u64().unwrap_or(0);
        }
        (published, consumed)
    }
}

/// What a process told beside its report.
fn log_of(report: &Path) -> String {
    std::fs::read_to_string(report.with_extension("log")).unwrap()
}

fn idle() -> Child {
    std::process::Command::new("true").spawn().unwrap()
}

#[test]
fn through_rabbitmq_with_faults_of_every_kind_nothing_is_lost_and_nothing_comes_twice() {
    let faults = std::env::var("ETL_TEST_FAULTS").map_or(FAULTS, |faults| faults.parse().unwrap());
    let events = direct().checkpoint("chat")[0];
    let broker = PrivateRabbit::temporary().unwrap();
    let trial = Trial::new(&broker, "rabbitshaken");
    trial.declare();
    // Slow enough that every fault strikes while events are on their way, also on a busy machine.
    let rate = (events / (faults as i64 * 120)).max(100).to_string();
    let mut shaken = Shaken { broker, trial, rate, publisher: idle(), consumers: Vec::new(), said: Vec::new() };
    shaken.publisher.wait().unwrap();
    shaken.publisher = shaken.start_publisher();
    for module in CONSUMERS {
        let consumer = shaken.start_consumer(module);
        shaken.consumers.push(consumer);
    }
    let mut struck = [0; KINDS];
    for fault in 0..faults * KINDS {
        sleep(Duration::from_millis(300 + (fault as u64 * 977) % 1_500));
        if shaken.publisher.try_wait().unwrap().is_none() || fault % KINDS != 3 {
            shaken.strike(fault % KINDS, fault / KINDS);
            struck[fault % KINDS] += 1;
        }
        shaken.revive();
    }
    assert!(struck.iter().all(|struck| *struck > 0), "{struck:?}");
    // The rest goes at full speed.
    shaken.kill_behind_the_checkpoint();
    let ended = Ended::of(&mut shaken.trial.publish());
    assert!(matches!(ended.code, Some(0 | 1)), "{}", ended.stderr);
    for consumer in &mut shaken.consumers {
        let ended = consumer.wait().unwrap();
        assert!(ended.success(), "{ended:?}");
    }
    let mut late = 0;
    for module in ["chat", "favourites"] {
        let begun = Instant::now();
        while shaken.trial.checkpoint(module)[4] == 0 {
            assert!(begun.elapsed() < Duration::from_secs(120), "{module} doesn't become complete");
            let ended = Ended::of(shaken.trial.consume(module).args(["--until-idle", "10"])).success();
            late += report(&ended)["module"]["repeated"].as_u64().unwrap_or(0);
        }
        assert_eq!(shaken.trial.checksums(module), direct().checksums(module), "{module} after {struck:?}");
        assert_eq!(shaken.trial.checkpoint(module), direct().checkpoint(module), "{module} after {struck:?}");
    }
    let (published, consumed) = shaken.repeated();
    let consumed = consumed + late;
    println!("{struck:?} closes, stops, alarms, kills of publisher and consumer at scale of {}", sample().dump_text());
    println!("sent again after a fault: {published}; dropped as repeated by consumers that weren't killed: {consumed}");
    assert!(published > 0, "no fault struck while messages were on their way");
    assert!(consumed > 0, "no message came twice");
}
