//! The sample project with its servers and a dump, made once for all tests of this binary.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use etl_fixtures::happypancake;
use etl_fixtures::postgres::{PrivatePostgres, TEST_SERVER_VARIABLE};
use etl_fixtures::sqlserver::server::{ServerOptions, SqlServer};

/// Big enough for several blocks a table and some seconds of seeding, small enough for every day. `ETL_TEST_SCALE` says
/// another.
const SCALE: f64 = 0.05;

/// What tests share. It lives as long as the process; the servers end with it.
pub(crate) struct Sample {
    pub(crate) source: SqlServer,
    pub(crate) postgres_url: String,
    pub(crate) project: PathBuf,
    pub(crate) dump: PathBuf,
    _postgres: Option<PrivatePostgres>,
}

/// Names the disk of its own to a test that runs itself again with one; it makes a sample of its own, too.
pub(crate) const DISK: &str = "ETL_TEST_DISK";

/// The size of the sample.
pub(crate) fn scale() -> f64 {
    std::env::var("ETL_TEST_SCALE").map_or(SCALE, |scale| scale.parse().unwrap())
}

/// Where this process has its folders.
fn home() -> PathBuf {
    let name = if std::env::var_os(DISK).is_some() { "cli-with-a-disk" } else { "cli" };
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// A folder of this test run.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let folder = home().join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Makes it on the first call: generates, serves, extracts.
pub(crate) fn sample() -> &'static Sample {
    static SAMPLE: OnceLock<Sample> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let folder = scratch("sample");
        let (legacy, project, dump) = (folder.join("legacy"), folder.join("project"), folder.join("dump"));
        happypancake::generate(&legacy, scale(), 7, &mut |_, _, _| ()).unwrap();
        happypancake::write_project(&project).unwrap();
        let source = SqlServer::start(&legacy, ServerOptions::default()).unwrap();
        let (postgres_url, private) = match std::env::var(TEST_SERVER_VARIABLE) {
            Ok(url) if !url.is_empty() => (url, None),
            _ => {
                // A folder that every run uses again, since a static is never dropped and couldn't remove it.
                // Autovacuum comes often, since what it notes of tables within a load, or after a killed one, once led to plans
                // for no rows.
                let settings = ["autovacuum_naptime=1s"];
                let server = PrivatePostgres::start_with(&home().join("postgres"), &settings).unwrap();
                (server.url(), Some(server))
            }
        };
        let sample = Sample { source, postgres_url, project, dump, _postgres: private };
        sample.run(&["extract", "--out", sample.dump.to_str().unwrap()]).success();
        sample
    })
}

impl Sample {
    /// The binary, in the sample's project, with the environment that its `etl.toml` names.
    pub(crate) fn etl(&self, arguments: &[&str]) -> Command {
        self.etl_in(&self.project, arguments)
    }

    /// The same in another project.
    pub(crate) fn etl_in(&self, project: &Path, arguments: &[&str]) -> Command {
        let url =
            format!("mssql://sa@{}/HappyPancake?encrypt=required&trust_server_certificate=true", self.source.address());
        let mut command = Command::new(env!("CARGO_BIN_EXE_etl"));
        command
            .current_dir(project)
            .args(arguments)
            .env("ETL_SOURCE_URL", url)
            .env("ETL_SOURCE_PASSWORD", ServerOptions::default().password)
            .env("ETL_STAGING_URL", &self.postgres_url)
            .env("ETL_STAGING_PASSWORD", "unused")
            .env_remove("RUST_LOG")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(&mut self.etl(arguments))
    }

    /// A copy of the project whose target `staging` makes databases with this prefix, so that tests don't share them.
    pub(crate) fn project_with_prefix(&self, prefix: &str) -> PathBuf {
        let folder = scratch(&format!("project-{prefix}"));
        happypancake::write_project(&folder).unwrap();
        let file = folder.join("etl.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let changed = text.replace("[targets.staging]", &format!("[targets.staging]\ndatabase_prefix = \"{prefix}_\""));
        assert_ne!(text, changed);
        std::fs::write(file, changed).unwrap();
        folder
    }

    pub(crate) fn dump_text(&self) -> &str {
        self.dump.to_str().unwrap()
    }
}

/// How a run of the binary ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn of(command: &mut Command) -> Ended {
        let Output { status, stdout, stderr } = command.output().unwrap();
        Ended {
            code: status.code(),
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
        }
    }

    pub(crate) fn success(self) -> Ended {
        self.ends_with(0)
    }

    pub(crate) fn ends_with(self, code: i32) -> Ended {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}
