//! `etl demo`: the whole way on the sample project, with nothing to set up.
//!
//! Generates the legacy database, serves it by a stand-in for SQL Server, starts a private Postgres, extracts, seeds, and
//! tells in tables what happened. All it started ends with it.

mod folders;
mod report;

use std::time::Instant;

use anyhow::{Context, bail};
use etl_extract::report::{ExtractReport, Outcome as Ending};
use etl_extract::run::{Extract, extract};
use etl_fixtures::happypancake;
use etl_fixtures::postgres::PrivatePostgres;
use etl_fixtures::sqlserver::server::{ServerOptions, SqlServer};
use etl_load::postgres::PostgresTarget;
use etl_schemas::project::Project;
use secrecy::SecretString;

use super::extract::Bars;
use super::pipeline::Pipeline;
use super::seed::{Seeded, open_sinks, seed};
use super::target::Target;
use super::work_folder::{self, WorkFolder};
use crate::arguments::{DemoArguments, Durability, IfExists, PublishArguments, SeedArguments, TransformArguments};
use crate::failure::Outcome;
use crate::interrupt;
use crate::progress::Progress;
use folders::Folders;

/// Memory of the demo's transform: what `etl seed` takes by default.
const MEMORY_BYTES: usize = 512 << 20;
/// Connections of the demo's extraction.
const JOBS: usize = 4;

/// The servers of a demo; both end when this is dropped.
struct Servers {
    source: SqlServer,
    source_password: String,
    postgres: PrivatePostgres,
}

impl Servers {
    fn start(folders: &Folders) -> anyhow::Result<Servers> {
        let options = ServerOptions::default();
        let source_password = options.password.clone();
        let source = SqlServer::start(&folders.legacy, options).context("start the SQL Server stand-in")?;
        let postgres = PrivatePostgres::start(&folders.postgres)?;
        Ok(Servers { source, source_password, postgres })
    }

    fn source_url(&self) -> String {
        format!("mssql://sa@{}/HappyPancake?encrypt=required&trust_server_certificate=true", self.source.address())
    }
}

pub(super) fn run(arguments: &DemoArguments) -> anyhow::Result<Outcome> {
    let folders = Folders::prepare(&arguments.dir)?;
    happypancake::write_project(&folders.project).with_context(|| folders.project.display().to_string())?;
    let (rows, generated) = generate(&folders, arguments)?;
    let servers = Servers::start(&folders)?;
    let extracted = extract_all(&folders, &servers)?;
    let seeded = seed_all(&folders, &servers)?;
    let phases = report::Phases { generated_rows: rows, generated, extracted: &extracted, seeded: &seeded };
    report::print(&phases, &folders, arguments)?;
    if arguments.keep_running {
        report::print_servers(&servers.source_url(), &servers.source_password, &servers.postgres.url())?;
        while !interrupt::requested() {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }
    Ok(Outcome::Done)
}

/// Writes the legacy database; gives back its rows and the seconds it took.
fn generate(folders: &Folders, arguments: &DemoArguments) -> anyhow::Result<(u64, f64)> {
    let started = Instant::now();
    let progress = Progress::new();
    let mut current: Option<(String, crate::progress::Task<'_>)> = None;
    let summary = happypancake::generate(&folders.legacy, arguments.scale, arguments.seed, &mut |table, done, all| {
        if current.as_ref().is_none_or(|(name, _)| name != table) {
            current = Some((table.to_string(), progress.task(&format!("generate {table}"), all, "rows")));
        }
        if let Some((_, task)) = &current {
            task.set(done);
        }
    })?;
    drop(current);
    interrupt::check()?;
    let rows = summary.tables.iter().map(|table| table.rows).sum();
    Ok((rows, started.elapsed().as_secs_f64()))
}

fn extract_all(folders: &Folders, servers: &Servers) -> anyhow::Result<ExtractReport> {
    let project = Project::open(&folders.project)?;
    let password = Some(SecretString::from(servers.source_password.clone()));
    let options = Extract {
        tables: project.tables.clone(),
        casts: project.casts.clone(),
        jobs: JOBS,
        ..Extract::new(servers.source_url().parse()?, password, &folders.dump)
    };
    let progress = Progress::new();
    let report = extract(&options, &Bars::new(&progress), interrupt::flag())?;
    interrupt::check()?;
    match report.outcome {
        Ending::Complete => Ok(report),
        _ => bail!(
            "{}",
            report.failed.iter().map(|f| format!("{}: {}", f.table, f.reason)).collect::<Vec<_>>().join("\n")
        ),
    }
}

fn seed_all(folders: &Folders, servers: &Servers) -> anyhow::Result<Seeded> {
    let server = PostgresTarget::parse(&servers.postgres.url(), None)?;
    let target = Target::Postgres(super::servers::Servers::all_on(server, "the demo's server".to_string()));
    let arguments = SeedArguments {
        transform: TransformArguments {
            from: folders.dump.clone(),
            threads: None,
            memory: MEMORY_BYTES,
            max_rejects: None,
            work: None,
        },
        to: "staging".to_string(),
        module: Vec::new(),
        if_exists: IfExists::Fail,
        durability: Durability::Server,
        retry_for: 60,
        publish: PublishArguments::default(),
        json: false,
    };
    let pipeline = Pipeline::open(&folders.project, &arguments.transform)?;
    let work = WorkFolder::kept(&work_folder::of_project(&pipeline.project))?;
    let sinks = open_sinks(&pipeline, &target, &arguments, &work)?;
    seed(&pipeline, sinks, &arguments, &work)
}
