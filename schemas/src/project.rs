//! The project file `etl.toml`: the source, its tables, the legacy clock's zone, and targets by name.
//!
//! In: a project folder. Out: a validated [`Project`], or one [`Diagnostic`] with file, line and what would be right.
//! Secrets never stand in the file: a setting may name environment variables as `${VAR}`, read when the setting is
//! used, so that `etl check` needs none of them.

mod after;
mod casts;
mod client;
mod queue;
mod setting;
mod source;
mod target;
mod toml_file;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_spanned::Spanned;
use thiserror::Error;
use uuid::Uuid;

use after::FileAfter;
pub use after::{After, EventFieldName};
pub use casts::Cast;
pub use client::SourceClient;
pub use queue::QueueKind;
pub use setting::Setting;
pub use source::{Consistency, Source};
use target::FileTarget;
pub use target::{Server, Target};
pub use toml_file::parse_toml;

use crate::diagnostic::Diagnostic;
use crate::uuid5::uuid5;

/// The project file's name.
pub const PROJECT_FILE: &str = "etl.toml";

/// Why a project can't be opened.
#[derive(Debug, Error)]
pub enum ProjectError {
    /// No project file in the folder.
    #[error("{}: no {PROJECT_FILE} here; go to a project's folder or name it with --project", folder.display())]
    Missing {
        /// The folder looked into.
        folder: PathBuf,
    },
    /// The file can't be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file says something that can't be.
    #[error(transparent)]
    Invalid(#[from] Box<Diagnostic>),
}

/// A project, as its file says.
#[derive(Clone, Debug)]
pub struct Project {
    /// The folder.
    pub folder: PathBuf,
    /// `[project] name`
    pub name: String,
    /// Namespace of all the project's UUIDs: UUIDv5 of the name, or `[project] namespace`.
    pub namespace: Uuid,
    /// `[source]`, when the project has one.
    pub source: Option<Source>,
    /// `[tables]`
    pub tables: Tables,
    /// `[casts]`
    pub casts: Vec<Cast>,
    /// `[targets.<name>]`
    pub targets: BTreeMap<String, Target>,
    /// `[[after]]`: which events follow from which.
    pub after: Vec<After>,
}

/// Which tables are read: patterns like `dbo.*`, `*` standing for any run of characters.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// Read only these; empty means all.
    pub include: Vec<String>,
    /// But none of these.
    pub exclude: Vec<String>,
}

impl Tables {
    /// Whether a table, given as `dbo.Messages`, is to be read. Without regard to case.
    pub fn selects(&self, table: &str) -> bool {
        let table = &table.to_lowercase();
        let any = |patterns: &[String]| patterns.iter().any(|pattern| matches(&pattern.to_lowercase(), table));
        (self.include.is_empty() || any(&self.include)) && !any(&self.exclude)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    project: FileProject,
    source: Option<source::FileSource>,
    #[serde(default)]
    tables: FileTables,
    #[serde(default)]
    casts: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    targets: BTreeMap<String, FileTarget>,
    #[serde(default)]
    after: Vec<FileAfter>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileProject {
    name: Spanned<String>,
    namespace: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTables {
    #[serde(default)]
    include: Vec<String>,
    #[serde(default)]
    exclude: Vec<String>,
}

impl Project {
    /// Opens the project in `folder`.
    pub fn open(folder: &Path) -> Result<Project, ProjectError> {
        // Messages name the file as a person in the folder would.
        let path = if folder == Path::new(".") { PathBuf::from(PROJECT_FILE) } else { folder.join(PROJECT_FILE) };
        let text = std::fs::read_to_string(&path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => ProjectError::Missing { folder: folder.to_path_buf() },
            _ => ProjectError::Read { path: path.clone(), source },
        })?;
        Ok(Project::parse(folder, &path, &text)?)
    }

    /// The file with the events' types.
    pub fn events_file(&self) -> PathBuf {
        self.folder.join("events.proto")
    }

    /// The folder of the mappings.
    pub fn mappings_folder(&self) -> PathBuf {
        self.folder.join("mappings")
    }

    /// The folder of the derived tables.
    pub fn derived_folder(&self) -> PathBuf {
        self.folder.join("derived")
    }

    /// The folder of the modules.
    pub fn modules_folder(&self) -> PathBuf {
        self.folder.join("modules")
    }

    fn parse(folder: &Path, path: &Path, text: &str) -> Result<Project, Box<Diagnostic>> {
        let file: File = parse_toml(path, text)?;
        let name = checked_name(path, text, &file.project.name)?;
        let namespace = match &file.project.namespace {
            None => uuid5(&Uuid::NAMESPACE_OID, format!("etl project {name}").as_bytes()),
            Some(written) => Uuid::parse_str(written.get_ref()).map_err(|error| {
                let message = format!("`namespace` is no UUID: {error}");
                Box::new(Diagnostic::at(path, text, written.span(), message))
            })?,
        };
        let source = file.source.as_ref().map(|source| source.checked(path, text)).transpose()?;
        let casts = casts::checked(path, text, &file.casts)?;
        let targets = file.targets.iter().map(|(name, target)| Ok((name.clone(), target.checked(path, text)?)));
        let targets = targets.collect::<Result<_, Box<Diagnostic>>>()?;
        let tables = Tables { include: file.tables.include, exclude: file.tables.exclude };
        let after = file.after.iter().map(|after| after.checked(path, text)).collect::<Result<_, _>>()?;
        Ok(Project { folder: folder.to_path_buf(), name, namespace, source, tables, casts, targets, after })
    }
}

/// The name becomes part of database names and ids, so it is kept simple.
fn checked_name(path: &Path, text: &str, name: &Spanned<String>) -> Result<String, Box<Diagnostic>> {
    let simple = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    match !name.get_ref().is_empty() && name.get_ref().chars().all(simple) {
        true => Ok(name.get_ref().clone()),
        false => {
            let diagnostic = Diagnostic::at(path, text, name.span(), "a project's name can't be written like this");
            Err(Box::new(diagnostic.help("use lower-case letters, digits, `_` and `-`")))
        }
    }
}

/// Whether `*`-patterns match, both already in lower case.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut remaining) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or("");
    for part in parts {
        match remaining.find(part) {
            Some(at) => remaining = &remaining[at + part.len()..],
            None => return false,
        }
    }
    remaining.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn parse(text: &str) -> Result<Project, Box<Diagnostic>> {
        Project::parse(Path::new("."), Path::new("etl.toml"), text)
    }

    fn refused(text: &str, shown: &Expect) {
        shown.assert_eq(&parse(text).unwrap_err().to_string());
    }

    #[test]
    fn an_unknown_key_names_the_nearest_known_one() {
        refused(
            "[project]\nname = \"x\"\n[source]\nurl = \"mssql://h/d\"\npasword = \"p\"\n",
            &expect![[r#"
                etl.toml:5:1: unknown key `pasword`
                  |
                5 | pasword = "p"
                  | ^^^^^^^
                  = did you mean `password`?"#]],
        );
    }

    #[test]
    fn broken_toml_and_wrong_types_point_at_the_place() {
        let broken = parse("[project]\nname = \n").unwrap_err();
        assert_eq!(broken.line, 2);
        let wrong = parse("[project]\nname = 5\n").unwrap_err();
        assert_eq!((wrong.line, wrong.column), (2, 8));
    }

    #[test]
    fn a_client_is_named_or_left_to_choose() {
        let client = |line: &str| parse(&format!("[project]\nname = \"x\"\n[source]\nurl = \"mssql://h/d\"\n{line}\n"));
        assert_eq!(client("").unwrap().source.unwrap().client, SourceClient::Auto);
        for known in SourceClient::ALL {
            assert_eq!(client(&format!("client = \"{known}\"")).unwrap().source.unwrap().client, known);
        }
        let refused = client("client = \"mssql\"").unwrap_err();
        assert_eq!((refused.line, refused.column), (5, 10));
        assert!(refused.to_string().contains("mssql-tds"), "{refused}");
    }

    #[test]
    fn modules_may_have_servers_of_their_own() {
        let text = "[project]\nname = \"x\"\n[targets.t]\nurl = \"postgres://u@h\"\n\
                    [targets.t.modules.chta]\nurl = \"${CHAT_URL}\"\npassword = \"${CHAT_PASSWORD}\"\n";
        let project = parse(text).unwrap();
        assert!(project.targets["t"].modules["chta"].password.is_some());
        assert_eq!(project.targets["t"].unknown_modules(&["chta"]), []);
        expect![[r#"
            etl.toml:6:7: this is a server for module `chta`, and there is no such module
              |
            6 | url = "${CHAT_URL}"
              |       ^^^^^^^^^^^^^
              = did you mean `chat`?"#]]
        .assert_eq(&project.targets["t"].unknown_modules(&["chat", "news"])[0].to_string());
        // As anywhere else: no secret in the clear, no unknown key, no server without a URL.
        for (from, to) in
            [("\"${CHAT_PASSWORD}\"", "\"s3cret\""), ("password", "pasword"), ("url = \"${CHAT_URL}\"\n", "")]
        {
            let shown = parse(&text.replace(from, to)).unwrap_err().to_string();
            assert!(!shown.contains("s3cret"), "{shown}");
        }
    }

    #[test]
    fn tables_are_selected_by_patterns() {
        let tables = Tables { include: vec!["dbo.*".into()], exclude: vec!["*_bak".into(), "dbo.Tmp*x*".into()] };
        assert!(tables.selects("dbo.Messages"));
        assert!(tables.selects("DBO.messages"));
        assert!(!tables.selects("dbo.Messages_bak"));
        assert!(!tables.selects("dbo.tmp1x2"));
        assert!(!tables.selects("audit.Log"));
    }

    #[test]
    fn what_follows_from_what_names_fields_of_events() {
        let text = "[project]\nname = \"x\"\n[[after]]\neffect = \"Read.id\"\ncause = \"Sent.id\"\nrepair = true\n";
        let after = &parse(text).unwrap().after[0];
        assert_eq!((after.effect.event.as_str(), after.cause.field.as_str(), after.repair), ("Read", "id", true));
        refused(
            &text.replace("Sent.id", "Sent"),
            &expect![[r#"
                etl.toml:5:9: this names no field of an event
                  |
                5 | cause = "Sent"
                  |         ^^^^^^
                  = write <event>.<field>, like "MessageSent.message_id""#]],
        );
    }

    #[test]
    fn a_project_has_a_namespace_of_its_own() {
        let a = parse("[project]\nname = \"a\"").unwrap();
        let b = parse("[project]\nname = \"b\"").unwrap();
        assert_ne!(a.namespace, b.namespace);
        assert!(parse("[project]\nname = \"A b\"").is_err());
    }
}
