//! What modules do, shown and tried out.

use clap::{Args, ValueEnum};

/// Run the modules' use cases, each in a temporary database
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  etl test\n  etl test --module chat blocked\n  \
                        etl test --on postgres://etl@127.0.0.1:5432")]
pub(crate) struct TestArguments {
    /// Run only the use cases whose name holds this; a name is MODULE/FILE
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Run only this module's; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) module: Vec<String>,
    /// A server to make the databases on: a target of etl.toml by name, or postgres://user@host:port [default: a
    /// private one, if Postgres is installed on this machine]
    #[arg(long, value_name = "TARGET")]
    pub(crate) on: Option<String>,
}

/// Tell what the modules do: their use cases as text (Markdown), given, when, then
///
/// Read from the project's files; no server is needed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  etl story > story.md\n  etl story --module chat\n  \
                        etl story --json | jq -r '.[].use_cases[].title'")]
pub(crate) struct StoryArguments {
    /// Tell only this module; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) module: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// List which module takes which events, by which handler, into which tables, and how much of it use cases cover
///
/// A use case covers a handler if it gives an event of its type and looks at a table that the handler writes, or at a
/// view of one. Read from the project's files; no server is needed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  etl summary\n  etl summary | grep MessageSent     # who takes it?\n  \
                        etl summary --json | jq '.events[] | select(.covered | not) | .name'")]
pub(crate) struct SummaryArguments {
    /// List only this module; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) module: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// The language of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphLanguage {
    /// For Graphviz
    Dot,
    /// For Markdown of forges
    Mermaid,
}

/// Draw legacy tables, events, modules and their tables as a graph; what no use case covers is red
///
/// Read from the project's files; no server is needed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  etl graph | dot -Tsvg > graph.svg\n  etl graph --module chat --format mermaid")]
pub(crate) struct GraphArguments {
    /// Draw only this module; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) module: Vec<String>,
    /// The graph's language
    #[arg(long, value_enum, default_value_t = GraphLanguage::Dot)]
    pub(crate) format: GraphLanguage,
}
