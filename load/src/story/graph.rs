//! The outline as a graph: legacy tables, events, handlers in their modules, tables and views.

use super::drawing::{dot, mermaid};
use super::outline::{ModuleOutline, Outline};

/// The language in which a graph is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraphFormat {
    /// Graphviz: `dot -Tsvg` draws it.
    Dot,
    /// Mermaid, which forges draw in Markdown.
    Mermaid,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    LegacyTable,
    Event,
    Handler,
    Table,
    View,
}

pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) label: String,
    /// Whether a use case covers it. Legacy tables need none.
    pub(super) covered: bool,
}

/// Nodes that are drawn together.
pub(super) struct Group {
    pub(super) label: String,
    pub(super) covered: bool,
    /// Range of the nodes.
    pub(super) nodes: std::ops::Range<usize>,
}

/// Edges go from node to node by their places.
#[derive(Default)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    pub(super) groups: Vec<Group>,
    pub(super) edges: Vec<(usize, usize)>,
}

/// The graph as text. What no use case covers is red.
pub fn graph(outline: &Outline, format: GraphFormat) -> String {
    let graph = Graph::of(outline);
    match format {
        GraphFormat::Dot => dot(&graph),
        GraphFormat::Mermaid => mermaid(&graph),
    }
}

impl Graph {
    fn of(outline: &Outline) -> Graph {
        let mut graph = Graph::default();
        let mut sources: Vec<&String> = outline.events.iter().flat_map(|event| &event.sources).collect();
        sources.sort_unstable();
        sources.dedup();
        for source in &sources {
            graph.node(Kind::LegacyTable, (*source).clone(), true);
        }
        if !sources.is_empty() {
            graph.groups.push(Group { label: "legacy tables".to_string(), covered: true, nodes: 0..sources.len() });
        }
        let first_event = graph.nodes.len();
        for event in &outline.events {
            let node = graph.node(Kind::Event, event.name.clone(), event.covered);
            let from = |source: &String| sources.binary_search(&source).ok();
            graph.edges.extend(event.sources.iter().filter_map(from).map(|source| (source, node)));
        }
        for module in &outline.modules {
            graph.module(module, |event| {
                outline.events.iter().position(|known| known.name == event).map(|at| first_event + at)
            });
        }
        graph
    }

    fn module(&mut self, module: &ModuleOutline, event: impl Fn(&str) -> Option<usize>) {
        let first = self.nodes.len();
        let first_table = first + module.handlers.len();
        let table =
            |name: &String| module.tables.iter().position(|table| table.name == *name).map(|at| first_table + at);
        for handler in &module.handlers {
            let label = format!("{} · {}", handler.event, handler.kind);
            let node = self.node(Kind::Handler, label, !handler.use_cases.is_empty());
            self.edges.extend(event(&handler.event).map(|event| (event, node)));
            self.edges.extend(handler.writes.iter().filter_map(table).map(|table| (node, table)));
        }
        for relation in &module.tables {
            let kind = if relation.view_of.is_some() { Kind::View } else { Kind::Table };
            let node = self.node(kind, relation.name.clone(), !relation.use_cases.is_empty());
            let reads = relation.view_of.iter().flatten().filter_map(table);
            self.edges.extend(reads.map(|table| (table, node)));
        }
        let cases = module.use_cases.len();
        let label = format!("{} · {cases} use case{}", module.name, if cases == 1 { "" } else { "s" });
        self.groups.push(Group { label, covered: cases > 0, nodes: first..self.nodes.len() });
    }

    fn node(&mut self, kind: Kind, label: String, covered: bool) -> usize {
        self.nodes.push(Node { kind, label, covered });
        self.nodes.len() - 1
    }
}
