//! A graph in DOT and in Mermaid.

use std::fmt::Write as _;

use super::graph::{Graph, Kind, Node};

pub(super) fn dot(graph: &Graph) -> String {
    let mut text = "digraph {\n  rankdir=LR;\n  ranksep=1.5;\n  node [fontname=\"Helvetica\", fontsize=11];\n  \
                    graph [fontname=\"Helvetica\", fontsize=12, color=\"gray60\"];\n"
        .to_string();
    let line = |index: usize, indent: &str| {
        let node = &graph.nodes[index];
        let red = if node.covered { "" } else { ", color=\"red\", fontcolor=\"red\"" };
        format!("{indent}n{index} [label=\"{}\", shape={}{red}];\n", escaped(&node.label), shape(node))
    };
    for (number, group) in graph.groups.iter().enumerate() {
        let red = if group.covered { "" } else { "    color=\"red\"; fontcolor=\"red\";\n" };
        _ = write!(text, "  subgraph cluster_{number} {{\n    label=\"{}\";\n{red}", escaped(&group.label));
        text.extend(group.nodes.clone().map(|index| line(index, "    ")));
        text.push_str("  }\n");
    }
    text.extend(ungrouped(graph).map(|index| line(index, "  ")));
    for (from, to) in &graph.edges {
        let red = if graph.nodes[*to].covered { "" } else { " [color=\"red\"]" };
        _ = writeln!(text, "  n{from} -> n{to}{red};");
    }
    text.push_str("}\n");
    text
}

pub(super) fn mermaid(graph: &Graph) -> String {
    let mut text = "flowchart LR\n  classDef uncovered stroke:red,color:red\n".to_string();
    let line = |index: usize, indent: &str| {
        let node = &graph.nodes[index];
        // Mermaid knows entities by their names, and has no backslashes.
        let label = node.label.replace('"', "#quot;");
        let (open, close) = match node.kind {
            Kind::LegacyTable | Kind::Table => ("[(", ")]"),
            Kind::Event => ("([", "])"),
            Kind::Handler => ("[", "]"),
            Kind::View => ("[/", "/]"),
        };
        let red = if node.covered { "" } else { ":::uncovered" };
        format!("{indent}n{index}{open}\"{label}\"{close}{red}\n")
    };
    for (number, group) in graph.groups.iter().enumerate() {
        _ = writeln!(text, "  subgraph g{number}[\"{}\"]", group.label.replace('"', "#quot;"));
        text.extend(group.nodes.clone().map(|index| line(index, "    ")));
        text.push_str("  end\n");
        if !group.covered {
            _ = writeln!(text, "  class g{number} uncovered");
        }
    }
    text.extend(ungrouped(graph).map(|index| line(index, "  ")));
    for (from, to) in &graph.edges {
        _ = writeln!(text, "  n{from} --> n{to}");
    }
    text
}

fn ungrouped(graph: &Graph) -> impl Iterator<Item = usize> + '_ {
    (0..graph.nodes.len()).filter(|index| !graph.groups.iter().any(|group| group.nodes.contains(index)))
}

fn shape(node: &Node) -> &'static str {
    match node.kind {
        Kind::LegacyTable | Kind::Table => "cylinder",
        Kind::Event => "ellipse",
        Kind::Handler => "box",
        Kind::View => "note",
    }
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"")
}
