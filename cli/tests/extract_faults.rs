//! Sixty faults over extractions of the sample at scale 0.2: whatever breaks when, the dump is the undisturbed one, part
//! for part and byte for byte.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use etl_fixtures::happypancake;
use etl_fixtures::sqlserver::faults::{Fault, FaultKind};
use etl_fixtures::sqlserver::server::{ServerOptions, SqlServer};
use etl_schemas::table::TableName;

use crate::sample::{Ended, sample, scratch};

const SCALE: f64 = 0.2;
const KILLS: usize = 24;
/// Dropped connections, deadlocks and other errors that pass.
const BROKEN_QUERIES: usize = 26;
const FULL_DISKS: usize = 10;

/// The source of these tests, and its undisturbed dump.
struct Undisturbed {
    source: SqlServer,
    folder: PathBuf,
    dump: PathBuf,
    took: Duration,
}

fn undisturbed() -> &'static Undisturbed {
    static UNDISTURBED: OnceLock<Undisturbed> = OnceLock::new();
    UNDISTURBED.get_or_init(|| {
        let folder = scratch("extract-faults");
        let (legacy, dump) = (folder.join("legacy"), folder.join("calm"));
        happypancake::generate(&legacy, SCALE, 7, &mut |_, _, _| ()).unwrap();
        let source = SqlServer::start(&legacy, ServerOptions::default()).unwrap();
        let mut undisturbed = Undisturbed { source, folder, dump, took: Duration::ZERO };
        let started = Instant::now();
        Ended::of(&mut undisturbed.extract(&undisturbed.dump)).success();
        undisturbed.took = started.elapsed();
        undisturbed
    })
}

impl Undisturbed {
    fn extract(&self, out: &Path) -> Command {
        let mut command = sample().etl(&["extract", "--part-rows", "20000", "--jobs", "3", "--out"]);
        let url =
            format!("mssql://sa@{}/HappyPancake?encrypt=required&trust_server_certificate=true", self.source.address());
        command.arg(out).env("ETL_SOURCE_URL", url);
        command
    }

    /// That a dump is whole, and the same as the undisturbed one: only the manifest, which tells of times and of parts
    /// that were kept, may be another.
    fn assert_same(&self, dump: &Path) {
        sample().run(&["dump", "verify", dump.to_str().unwrap()]).success();
        assert_eq!(checksums(&self.dump), checksums(dump));
    }
}

/// Of every file but the manifest, by name.
fn checksums(dump: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(dump.join("SHA256SUMS")).unwrap();
    let pairs = text.lines().map(|line| line.split_once("  ").unwrap());
    let files: BTreeMap<String, String> = pairs
        .map(|(sum, file)| (file.to_string(), sum.to_string()))
        .filter(|(file, _)| file != "manifest.json")
        .collect();
    assert!(files.len() > 50, "{} files", files.len());
    files
}

/// Numbers that differ in every run, from the clock's last digits.
struct Random(u64);

impl Random {
    fn new() -> Random {
        Random(std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64)
    }

    /// Below 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn below(&mut self, most: u64) -> u64 {
        (self.next() * most as f64) as u64
    }

    /// Something that strikes one query over one of the large tables.
    fn fault(&mut self) -> Fault {
        let after_rows = self.below(3000);
        let kind = match self.below(4) {
            0 | 1 => FaultKind::DropConnection { after_rows },
            2 => FaultKind::Error { number: 1205, after_rows },
            _ => FaultKind::Error { number: 40613, after_rows },
        };
        let table = ["Messages", "Visits", "Members", "Flirts"][self.below(4) as usize];
        Fault::new(kind).on(TableName::new("dbo", table)).times(1)
    }
}

#[test]
fn fifty_kills_dropped_connections_and_deadlocks_leave_the_same_dump() {
    let undisturbed = undisturbed();
    let faults = undisturbed.source.faults();
    let (mut random, mut kills, mut added) = (Random::new(), 0, 0);
    let dump = undisturbed.folder.join("disturbed");
    let struck = |added: usize| added - faults.remaining();
    for round in 0.. {
        assert!(round < 200, "only {kills} kills and {} broken queries", struck(added));
        if kills >= KILLS && struck(added) >= BROKEN_QUERIES {
            break;
        }
        while struck(added) < BROKEN_QUERIES && faults.remaining() < 4 {
            faults.add(random.fault());
            added += 1;
        }
        let log = undisturbed.folder.join("log");
        let said = std::fs::File::create(&log).unwrap();
        let mut child = undisturbed.extract(&dump).stdout(Stdio::null()).stderr(said).spawn().unwrap();
        std::thread::sleep(undisturbed.took.mul_f64(random.next() * 1.2));
        let ended = child.try_wait().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        match ended {
            None => kills += 1,
            Some(status) => assert!(status.success(), "{}", std::fs::read_to_string(&log).unwrap()),
        }
        // It came to its end, perhaps just before the kill: the next round begins anew.
        if dump.join("manifest.json").exists() {
            undisturbed.assert_same(&dump);
            std::fs::remove_dir_all(&dump).unwrap();
        }
    }
    faults.clear();
    if !dump.join("manifest.json").exists() {
        Ended::of(&mut undisturbed.extract(&dump)).success();
    }
    undisturbed.assert_same(&dump);
}

/// In a mount namespace of its own, a file system of so many bytes, which grows each time that it is full.
const FULL_DISK: &str = r#"
set -eu
disk=$1; step=$2; result=$3; shift 3
mkdir -p "$disk"; mount -t tmpfs -o size=$step tmpfs "$disk"
full=0; size=$step
while ! "$@" "$disk/dump" 2>"$disk.log"; do
    grep -q 'No space left on device' "$disk.log" || { cat "$disk.log" >&2; exit 3; }
    full=$((full + 1)); size=$((size + step)); mount -o remount,size=$size "$disk"
done
cp -r "$disk/dump" "$result"
echo "$full"
"#;

#[test]
fn ten_full_disks_leave_the_same_dump() {
    let undisturbed = undisturbed();
    let bytes: u64 = walk(&undisturbed.dump).iter().map(|file| file.metadata().unwrap().len()).sum();
    let step = bytes / (FULL_DISKS as u64 + 4);
    let (disk, result) = (undisturbed.folder.join("disk"), undisturbed.folder.join("from-full-disks"));
    let extract = undisturbed.extract(Path::new("unused"));
    let mut command = Command::new("unshare");
    // Whoever isn't root becomes it in a user namespace of its own, just for the mount.
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", FULL_DISK, "sh"]);
    command.arg(&disk).arg(step.to_string()).arg(&result).arg(extract.get_program());
    command.args(extract.get_args().filter(|argument| *argument != "unused"));
    for (name, value) in extract.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command.env_remove("RUST_LOG").current_dir(extract.get_current_dir().unwrap());
    let ended = Ended::of(&mut command).success();
    let full: usize = ended.stdout.lines().last().unwrap().parse().unwrap();
    assert!(full >= FULL_DISKS, "the disk was full {full} times only");
    undisturbed.assert_same(&result);
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(walk(&path)),
            false => files.push(path),
        }
    }
    files
}
