//! Folder names for tables: any SQL Server name on any file system.

use std::collections::HashSet;

use super::part_writer::sha256_hex;
use crate::table::TableName;

/// File systems take 255 bytes.
const NAME_BYTES_MAX: usize = 200;
/// What else lies in a dump's directory, as it could be taken for a table's folder.
const TAKEN: [&str; 3] = ["manifest.json", "schema.proto", "schema.binpb"];

/// A folder for each table: `dbo.Messages`. Letters, digits and a few signs stay; whatever else is in a name (dots,
/// too, so that the one dot always stands between schema and table) is written as `%` and its UTF-8 bytes in
/// hexadecimal. A name that is too long, or that differs from an earlier one by case only, gets eight digits of its
/// SHA-256 behind it.
pub(crate) fn folder_names<'a>(tables: impl IntoIterator<Item = &'a TableName>) -> Vec<String> {
    let mut taken: HashSet<String> = TAKEN.map(str::to_string).into();
    let name = |table: &TableName| {
        let mut folder = format!("{}.{}", escape(&table.schema), escape(&table.name));
        if folder.len() > NAME_BYTES_MAX || !taken.insert(folder.to_lowercase()) {
            let mut end = folder.len().min(NAME_BYTES_MAX);
            while !folder.is_char_boundary(end) {
                end -= 1;
            }
            let digest = sha256_hex(table.quoted().as_bytes());
            folder = format!("{}~{}", &folder[..end], &digest[..8]);
        }
        folder
    };
    tables.into_iter().map(name).collect()
}

/// The path of a part within the dump.
pub(crate) fn part_file(folder: &str, part: u32) -> String {
    format!("{folder}/{part:05}.pb.gz")
}

fn escape(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for character in name.chars() {
        if character.is_alphanumeric() || matches!(character, '_' | '-' | '$' | '#' | '@' | ' ') {
            escaped.push(character);
        } else {
            let mut bytes = [0; 4];
            let bytes = character.encode_utf8(&mut bytes).bytes();
            escaped.extend(bytes.map(|byte| format!("%{byte:02X}")));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leaves_its_folder_or_shares_it() {
        let tables = [
            ("dbo", "Messages"),
            ("dbo", "messages"),
            ("..", "../x"),
            ("a.b", "c"),
            ("a", "b.c"),
            ("dbo", "Größe\n"),
            ("manifest", "json"),
        ];
        let tables = tables.map(|(schema, name)| TableName::new(schema, name));
        let names = folder_names(&tables);
        assert_eq!(names[0], "dbo.Messages");
        assert_eq!(names[1][..13], *"dbo.messages~");
        assert_eq!(names[2], "%2E%2E.%2E%2E%2Fx");
        assert_eq!(names[3..5], ["a%2Eb.c", "a.b%2Ec"]);
        assert_eq!(names[5], "dbo.Größe%0A");
        assert_eq!(names[6][..14], *"manifest.json~");
    }

    #[test]
    fn long_names_stay_within_what_file_systems_take() {
        let long = "Ö".repeat(128);
        let tables = [TableName::new(&long, format!("{long}1")), TableName::new(&long, format!("{long}2"))];
        let names = folder_names(&tables);
        assert!(names.iter().all(|name| name.len() < 255), "{names:?}");
        assert_ne!(names[0], names[1]);
    }
}
