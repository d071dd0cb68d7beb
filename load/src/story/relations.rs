//! A module's tables, views, functions and triggers, as `schema.sql` and `indexes.sql` make them.
//!
//! In: the two scripts. Out: what there is, and which tables a piece of SQL writes, by itself, by the functions that it
//! calls and by the triggers of what it writes.

use std::collections::BTreeSet;

use super::sql::{Statement, statements};
use crate::module::Module;

/// What the scripts make, in their order.
#[derive(Debug, Default)]
pub(super) struct Relations {
    pub(super) tables: Vec<String>,
    pub(super) views: Vec<View>,
    functions: Vec<(String, Uses)>,
    /// Table and function.
    triggers: Vec<(String, String)>,
}

#[derive(Debug)]
pub(super) struct View {
    pub(super) name: String,
    /// Tables and views that it reads.
    pub(super) reads: Vec<String>,
}

/// What a piece of SQL writes and calls, among other words.
#[derive(Debug, Default)]
struct Uses {
    written: Vec<String>,
    called: Vec<String>,
}

impl Relations {
    pub(super) fn of(module: &Module) -> Relations {
        Relations::of_scripts(std::iter::once(&module.schema).chain(&module.indexes).map(|script| script.text.as_str()))
    }

    fn of_scripts<'t>(scripts: impl Iterator<Item = &'t str>) -> Relations {
        let mut relations = Relations::default();
        for statement in scripts.flat_map(statements) {
            relations.take(&statement);
        }
        relations
    }

    fn take(&mut self, statement: &Statement) {
        let exists = ["[IF]", "[NOT]", "[EXISTS]"];
        let begins = |words: &[&str]| statement.begins(&[words, &exists].concat());
        let named = |words: &[&str]| begins(words).and_then(|at| statement.name(at));
        if let Some(table) = named(&["CREATE", "[UNLOGGED]", "TABLE"]) {
            self.tables.push(table);
        } else if let Some(name) = named(&["CREATE", "[OR]", "[REPLACE]", "[MATERIALIZED]", "VIEW"]) {
            let reads = statement.read().filter_map(|at| statement.name(at)).filter(|found| self.has(found));
            let reads: BTreeSet<String> = reads.collect();
            self.views.push(View { name, reads: reads.into_iter().collect() });
        } else if let Some(name) = named(&["CREATE", "[OR]", "[REPLACE]", "FUNCTION"]) {
            let mut uses = Uses::default();
            for body in statement.bodies() {
                uses.take(body);
            }
            self.functions.push((name, uses));
        } else if statement.begins(&["CREATE", "[OR]", "[REPLACE]", "[CONSTRAINT]", "TRIGGER"]).is_some() {
            let table = statement.behind("ON", 0).and_then(|at| statement.name(at));
            let execute = statement.behind("EXECUTE", 0).and_then(|at| statement.name(at + 1));
            self.triggers.extend(table.zip(execute));
        }
    }

    /// Whether it is a table or a view.
    pub(super) fn has(&self, name: &str) -> bool {
        self.tables.iter().any(|table| table == name) || self.views.iter().any(|view| view.name == name)
    }

    /// The tables that a script writes, in the order of the schema.
    pub(super) fn written_by_script(&self, text: &str) -> Vec<String> {
        let mut uses = Uses::default();
        uses.take(text);
        self.tables_of(&uses)
    }

    /// The tables that a function writes.
    pub(super) fn written_by_function(&self, name: &str) -> Vec<String> {
        self.tables_of(&Uses { written: Vec::new(), called: vec![name.to_string()] })
    }

    /// A table with those that its triggers write.
    pub(super) fn written_by_copy(&self, table: &str) -> Vec<String> {
        self.tables_of(&Uses { written: vec![table.to_string()], called: Vec::new() })
    }

    /// What a view reads in the end: tables and views.
    pub(super) fn below(&self, name: &str) -> BTreeSet<String> {
        let (mut below, mut open) = (BTreeSet::new(), vec![name.to_string()]);
        while let Some(name) = open.pop() {
            if below.insert(name.clone()) {
                open.extend(self.views.iter().filter(|view| view.name == name).flat_map(|view| view.reads.clone()));
            }
        }
        below
    }

    fn tables_of(&self, uses: &Uses) -> Vec<String> {
        let (mut written, mut called) = (BTreeSet::new(), BTreeSet::new());
        let (mut tables, mut functions) = (uses.written.clone(), uses.called.clone());
        while !tables.is_empty() || !functions.is_empty() {
            for table in std::mem::take(&mut tables).into_iter().filter(|table| self.tables.contains(table)) {
                let triggers = self.triggers.iter().filter(|(on, _)| *on == table);
                functions.extend(triggers.map(|(_, function)| function.clone()));
                written.insert(table);
            }
            for function in std::mem::take(&mut functions) {
                let Some((name, uses)) = self.functions.iter().find(|(name, _)| *name == function) else { continue };
                // Functions may call each other in circles.
                if called.insert(name) {
                    tables.extend(uses.written.clone());
                    functions.extend(uses.called.clone());
                }
            }
        }
        self.tables.iter().filter(|table| written.contains(*table)).cloned().collect()
    }
}

impl Uses {
    fn take(&mut self, text: &str) {
        for statement in statements(text) {
            self.written.extend(statement.written());
            self.called.extend(statement.called());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = "
        CREATE UNLOGGED TABLE IF NOT EXISTS item (id int); CREATE TABLE public.feed (id int); CREATE TABLE log.entry (id int);
        -- CREATE TABLE commented (id int);
        CREATE OR REPLACE FUNCTION spread() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO feed SELECT 1; PERFORM note('DELETE FROM item'); RETURN NULL; END $$;
        CREATE FUNCTION note(_text text) RETURNS void LANGUAGE sql AS $$ UPDATE log.entry SET id = 1; SELECT spread() $$;
        CREATE TRIGGER spreads AFTER INSERT OR UPDATE ON item FOR EACH STATEMENT EXECUTE FUNCTION spread();
        CREATE VIEW shown AS SELECT * FROM feed, item; CREATE MATERIALIZED VIEW most AS SELECT 1 FROM shown";

    #[test]
    fn writes_go_through_functions_and_triggers() {
        let relations = Relations::of_scripts([SCHEMA].into_iter());
        assert_eq!(relations.tables, ["item", "feed", "log.entry"]);
        assert_eq!(relations.written_by_copy("item"), ["item", "feed", "log.entry"]);
        assert_eq!(relations.written_by_copy("feed"), ["feed"]);
        assert_eq!(relations.written_by_function("note"), ["feed", "log.entry"]);
        assert_eq!(
            relations.written_by_script("DELETE FROM feed USING item WHERE note('x') IS NULL"),
            ["feed", "log.entry"]
        );
        assert_eq!(relations.written_by_function("nobody"), [] as [&str; 0]);
    }

    #[test]
    fn a_view_shows_what_is_below_it() {
        let relations = Relations::of_scripts([SCHEMA].into_iter());
        assert_eq!(relations.below("most").into_iter().collect::<Vec<_>>(), ["feed", "item", "most", "shown"]);
    }
}
