//! The outline as a story: Markdown that people read who don't read TOML.

use std::fmt::Write as _;

use super::outline::{Field, GivenOutline, ModuleOutline, Outline, ThenOutline};

/// Ids that people make up for use cases have nothing but a number at their end; only that is told.
const MADE_UP_ID: &str = "00000000-0000-0000-0000-";

/// All use cases of the modules: given, when, then.
pub fn story(outline: &Outline) -> String {
    outline.modules.iter().map(module).collect::<Vec<_>>().join("\n")
}

fn module(module: &ModuleOutline) -> String {
    let mut text = format!("# {}\n", module.name);
    if module.use_cases.is_empty() {
        text.push_str("\nNobody has written down what this module does.\n");
    }
    for case in &module.use_cases {
        _ = write!(text, "\n## {}\n\n`{}/{}`\n\nGiven", case.title, module.name, case.name);
        text.push_str(if case.given.is_empty() { " nothing\n" } else { "\n\n" });
        for event in &case.given {
            _ = writeln!(text, "- {}", given(event));
        }
        text.push_str("\nWhen that is loaded, then\n\n");
        for table in &case.then {
            text.push_str(&then(table));
        }
    }
    text
}

fn given(event: &GivenOutline) -> String {
    let mut text = format!("**{}**", event.event);
    if let Some(time) = &event.occurred_at {
        _ = write!(text, " at {time}");
    }
    if !event.fields.is_empty() {
        _ = write!(text, ": {}", fields(&event.fields));
    }
    text
}

fn then(table: &ThenOutline) -> String {
    let plural = if table.count == 1 { "row" } else { "rows" };
    let amount = match table.count {
        0 => "no rows".to_string(),
        count => format!("{count} {plural}"),
    };
    match &table.rows {
        Some(rows) if !rows.is_empty() => {
            let rows: String = rows.iter().map(|row| format!("  - {}\n", fields(row))).collect();
            format!("- `{}` holds {amount}:\n{rows}", table.table)
        }
        _ => format!("- `{}` holds {amount}\n", table.table),
    }
}

fn fields(fields: &[Field]) -> String {
    let field = |field: &Field| match &field.value {
        None => format!("{} is NULL", field.name),
        Some(value) => format!("{} {}", field.name, told(value)),
    };
    fields.iter().map(field).collect::<Vec<_>>().join(", ")
}

fn told(value: &str) -> String {
    let number = value.strip_prefix(MADE_UP_ID).map(|digits| digits.trim_start_matches('0'));
    match number.filter(|digits| !digits.is_empty()) {
        Some(digits) => format!("#{digits}"),
        // A line of its own would end the list.
        None if value.chars().any(|c| c.is_whitespace() || c.is_control()) || value.is_empty() => format!("{value:?}"),
        None => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_ids_are_told_by_their_number() {
        assert_eq!(told("00000000-0000-0000-0000-000000000901"), "#901");
        assert_eq!(told("00000000-0000-0000-0000-000000000000"), "00000000-0000-0000-0000-000000000000");
        assert_eq!(told("two\nlines"), "\"two\\nlines\"");
        assert_eq!(told("WOMAN"), "WOMAN");
    }
}
