//! Faults, as many as `ETL_TEST_FAULTS` says, while `etl seed` loads the sample: the loader is killed, the server
//! crashes, the network cuts, somebody holds a lock, the disk is full. Every table equals that of an undisturbed run.
//!
//! The disk is a file system of its own in memory, which only the test and what it starts can see: the test runs itself
//! again in a mount namespace.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use etl_fixtures::cutting_proxy::CuttingProxy;
use etl_fixtures::postgres::PrivatePostgres;

use crate::postgres::Database;
use crate::sample::{DISK, Ended, sample, scale};
use crate::seed::MODULES;

/// Few enough for every day; `scripts/faults` asks for fifty.
const FAULTS: usize = 8;

/// Makes a disk of so many bytes at a folder, then runs a command.
const WITH_A_DISK: &str = r#"mount -t tmpfs -o size="$2",mode=777 none "$1" && shift 2 && exec "$@""#;
/// The longest that a disk stays full.
const FULL_MAX: Duration = Duration::from_secs(20);

struct Trial {
    disk: PathBuf,
    server: PrivatePostgres,
    proxy: CuttingProxy,
    project: std::path::PathBuf,
    random: u64,
    /// How often the loader has met the full disk.
    met_full_disk: usize,
}

impl Trial {
    /// A number below the limit, from a fixed series (SplitMix64).
    fn below(&mut self, limit: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ self.random >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed >> 29) % limit
    }

    /// The seed, by way of the network that fails.
    fn seed(&self) -> Command {
        let mut command = sample().etl_in(&self.project, &["seed", "--from", sample().dump_text(), "--to", "staging"]);
        command.env("ETL_STAGING_URL", format!("postgres://postgres@{}", self.proxy.address()));
        command
    }

    /// Starts a loader, and waits until it has reached the server: one that finds nobody there says so and ends.
    fn start(&self) -> Child {
        let server = self.reach();
        let newest = "SELECT coalesce(max(extract(epoch FROM backend_start) * 1e6), 0)::bigint FROM pg_stat_activity
                      WHERE application_name = 'etl'";
        let before = server.number(newest);
        let said = std::fs::File::create(log()).unwrap();
        let mut seed = self.seed().stdout(Stdio::null()).stderr(said).spawn().unwrap();
        while server.number(newest) <= before && seed.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(5));
        }
        seed
    }

    /// Says whether the fault did happen.
    fn strike(&mut self, seed: &mut Child, kind: usize) -> bool {
        match kind {
            0 => {
                seed.kill().unwrap();
                seed.wait().unwrap();
                *seed = self.start();
            }
            1 => self.server.crash_and_restart().unwrap(),
            2 => {
                let bytes = 200_000 + self.below(2_000_000);
                let before = self.proxy.cuts();
                self.proxy.cut_after(bytes);
                // Sessions that are open were not told; ended, they connect again and are cut.
                self.end_sessions();
                while self.proxy.cuts() == before && seed.try_wait().unwrap().is_none() {
                    std::thread::sleep(Duration::from_millis(5));
                }
                return self.proxy.cuts() > before;
            }
            3 => return self.hold_a_lock(),
            _ => self.fill_the_disk(seed),
        }
        true
    }

    /// Until the loader has met it, or for a while. A server that the full disk has ended is started again.
    fn fill_the_disk(&mut self, seed: &mut Child) {
        let said = || std::fs::read_to_string(log()).unwrap().matches("No space left").count();
        let (before, ballast) = (said(), self.disk.join("ballast"));
        let mut file = File::create(&ballast).unwrap();
        let block = vec![0; 1 << 20];
        while file.write_all(&block).is_ok() {}
        let full = Instant::now();
        while full.elapsed() < FULL_MAX && said() == before && seed.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.met_full_disk += usize::from(said() > before);
        // What is removed while it is open keeps its place.
        drop(file);
        std::fs::remove_file(&ballast).unwrap();
        if Database::try_connect(&self.server.url(), "postgres").is_err() {
            self.server.crash_and_restart().unwrap();
        }
    }

    fn end_sessions(&self) {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'etl'";
        // A server that goes down instead ends them as well.
        self.reach().try_run(end);
    }

    /// A session of the test's own. A server that a full disk has ended comes up by itself, and lets nobody in until then.
    fn reach(&self) -> Database {
        let begun = Instant::now();
        loop {
            match Database::try_connect(&self.server.url(), "postgres") {
                Ok(server) => return server,
                Err(error) => assert!(begun.elapsed() < Duration::from_secs(60), "{error}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Longer than a loader waits for it at a time. Not where database or table aren't there yet.
    fn hold_a_lock(&self) -> bool {
        let lock = "BEGIN; LOCK TABLE etl.checkpoint; SELECT pg_sleep(11); COMMIT";
        Database::try_connect(&self.server.url(), "shaken_profile").is_ok_and(|profile| profile.try_run(lock))
    }
}

/// What the last loader said.
fn log() -> std::path::PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults.log")
}

/// Runs the test again where it has a disk of its own; only root may mount, so anybody else becomes it in a user
/// namespace, and himself again behind the mount.
fn run_with_a_disk(test: &str) {
    let disk = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults-disk");
    std::fs::create_dir_all(&disk).unwrap();
    let bytes = ((1.5 + 5.0 * scale()) * 1e9) as u64;
    let id = |flag: &str| String::from_utf8(Command::new("id").arg(flag).output().unwrap().stdout).unwrap();
    let (user, group) = (id("-u"), id("-g"));
    let mut command = Command::new("unshare");
    let within: &[&str] = match user.trim() {
        "0" => &["--mount", "sh", "-c", WITH_A_DISK, "sh"],
        _ => &["--user", "--map-root-user", "--mount", "sh", "-c", WITH_A_DISK, "sh"],
    };
    command.args(within).arg(&disk).arg(bytes.to_string());
    if user.trim() != "0" {
        let (user, group) = (user.trim(), group.trim());
        command.args(["unshare", "--user", &format!("--map-user={user}"), &format!("--map-group={group}")]);
    }
    command.arg(std::env::current_exe().unwrap()).args([test, "--exact", "--nocapture"]).env(DISK, &disk);
    let ended = command.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout) + String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && said.contains("1 passed"), "{said}");
}

fn checksums(server: &PrivatePostgres, prefix: &str) -> Vec<(String, i64, String)> {
    let tables = |module: &&str| Database::connect(&server.url(), &format!("{prefix}_{module}")).checksums();
    MODULES.iter().flat_map(tables).collect()
}

#[test]
fn faults_of_every_kind_leave_the_same_tables_as_none() {
    let Some(disk) = std::env::var_os(DISK).map(PathBuf::from) else {
        return run_with_a_disk("faults::faults_of_every_kind_leave_the_same_tables_as_none");
    };
    let faults = std::env::var("ETL_TEST_FAULTS").map_or(FAULTS, |faults| faults.parse().unwrap());
    let server = PrivatePostgres::start_with(&disk.join("postgres"), &["max_wal_size=256MB"]).unwrap();
    let calm = sample().project_with_prefix("calm_faults");
    let mut undisturbed = sample().etl_in(&calm, &["seed", "--from", sample().dump_text(), "--to", "staging"]);
    let begun = Instant::now();
    Ended::of(undisturbed.env("ETL_STAGING_URL", server.url())).ends_with(1);
    let whole = begun.elapsed();
    let expected = checksums(&server, "calm_faults");

    let proxy = CuttingProxy::start(SocketAddr::from(([127, 0, 0, 1], server.port()))).unwrap();
    let mut trial =
        Trial { disk, server, proxy, project: sample().project_with_prefix("shaken"), random: 1, met_full_disk: 0 };
    let mut struck = [0; 5];
    while struck.iter().sum::<usize>() < faults {
        let mut seed = trial.start();
        while struck.iter().sum::<usize>() < faults {
            let pause = trial.below(whole.as_millis() as u64 / 4 + 1);
            std::thread::sleep(Duration::from_millis(pause));
            if seed.try_wait().unwrap().is_some() {
                break;
            }
            // Locks and full disks take long, so they are rarer. First come a full disk and a cut, so that there are some.
            let kind = match (struck[4], struck[2]) {
                (0, _) => 4,
                (_, 0) => 2,
                _ => [0, 1, 2, 0, 1, 2, 0, 1, 2, 3, 4][trial.below(11) as usize],
            };
            struck[kind] += usize::from(trial.strike(&mut seed, kind));
        }
        trial.proxy.cut_after(u64::MAX);
        trial.end_sessions();
        let ended = seed.wait().unwrap();
        let said = std::fs::read_to_string(log()).unwrap();
        assert!(matches!(ended.code(), Some(0 | 1)), "{ended:?} after {struck:?}: {said}");
        assert_eq!(
            expected,
            checksums(&trial.server, "shaken"),
            "after {struck:?} kills, crashes, cuts, locks, full disks"
        );
        if struck.iter().sum::<usize>() < faults {
            crate::postgres::drop_databases(&trial.server.url(), "shaken", &MODULES);
        }
    }
    assert!(trial.met_full_disk > 0, "{struck:?}");
    assert!(trial.proxy.cuts() > 0, "{struck:?}");
}
