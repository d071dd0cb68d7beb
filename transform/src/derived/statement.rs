//! From the text of a file to its derived tables: `CREATE TABLE derived.<name> (<column> <type> [NOT NULL]
//! [PRIMARY KEY], ... [, PRIMARY KEY (<column>, ...)]) AS SELECT ...;`.
//!
//! The SELECT is left to SQLite, so the statement is read word by word and not by the mappings' grammar.

use std::ops::Range;
use std::path::Path;

use etl_schemas::diagnostic::{Diagnostic, did_you_mean};
use etl_schemas::sql_type::SqlType;
use etl_schemas::table::{Column, Key, KeyKind, TableName, TableSchema, field_names, safe_name};
use sqlparser::dialect::SQLiteDialect;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::{DerivedTable, SCHEMA};
use crate::mapping::SourceFile;

const SHAPE: &str = "write CREATE TABLE derived.<name> (<column> <type>, ...) AS SELECT ...";
const TYPES: [&str; 14] = [
    "bit",
    "tinyint",
    "smallint",
    "int",
    "bigint",
    "decimal",
    "real",
    "float",
    "nvarchar",
    "varbinary",
    "uniqueidentifier",
    "date",
    "datetime2",
    "datetimeoffset",
];

/// All derived tables of a file; what is wrong is collected.
pub(crate) fn statements(path: &Path, text: &str, errors: &mut Vec<Diagnostic>) -> Vec<DerivedTable> {
    let file = SourceFile::new(path.to_path_buf(), text.to_string());
    let tokens = match Tokenizer::new(&SQLiteDialect {}, text).tokenize_with_location() {
        Ok(tokens) => tokens,
        Err(error) => {
            let span = sqlparser::tokenizer::Span::new(error.location, error.location);
            errors.push(file.error(span, error.message));
            return Vec::new();
        }
    };
    let mut found = Vec::new();
    for tokens in tokens.split(|token| token.token == Token::SemiColon) {
        let is_word = |token: &&TokenWithSpan| !matches!(token.token, Token::Whitespace(_) | Token::EOF);
        let words: Vec<Word> = tokens.iter().filter(is_word).map(|token| Word::of(&file, token)).collect();
        if !words.is_empty() {
            match (Reader { path, text, words: &words, next: 0 }).table() {
                Ok(table) => found.push(table),
                Err(error) => errors.push(*error),
            }
        }
    }
    found
}

/// A token's text and place.
struct Word {
    text: String,
    place: Range<usize>,
}

impl Word {
    fn of(file: &SourceFile, token: &TokenWithSpan) -> Word {
        let text = match &token.token {
            Token::Word(word) => word.value.clone(),
            other => other.to_string(),
        };
        Word { text, place: file.bytes(token.span) }
    }
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    words: &'a [Word],
    next: usize,
}

impl Reader<'_> {
    fn table(mut self) -> Result<DerivedTable, Box<Diagnostic>> {
        for word in ["CREATE", "TABLE", SCHEMA, "."] {
            self.expect(word)?;
        }
        let name = self.word("a name")?.text.clone();
        self.expect("(")?;
        let (mut columns, mut places, mut key) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            if self.accept("PRIMARY") {
                self.primary_key(&columns, &mut key)?;
            } else {
                self.column(&mut columns, &mut places, &mut key)?;
            }
            if !self.accept(",") {
                break;
            }
        }
        self.expect(")")?;
        self.expect("AS")?;
        let first = self.word("SELECT")?.place.start;
        let last = self.words.last().map_or(first, |last| last.place.end);
        let fields = field_names(columns.iter().map(|column| (column.id, column.name.as_str())));
        columns.iter_mut().zip(fields).for_each(|(column, field)| column.field = field);
        let key = (!key.is_empty()).then(|| Key {
            name: format!("PK_{name}"),
            kind: KeyKind::Unique,
            unique: true,
            columns: key,
        });
        let message = safe_name(&name);
        let schema = TableSchema { name: TableName::new(SCHEMA, name), message, columns, key };
        let (file, text) = (self.path.to_path_buf(), self.text.to_string());
        Ok(DerivedTable { schema, file, text, columns: places, query: first..last })
    }

    fn column(
        &mut self,
        columns: &mut Vec<Column>,
        places: &mut Vec<Range<usize>>,
        key: &mut Vec<usize>,
    ) -> Result<(), Box<Diagnostic>> {
        let word = self.word("a column")?;
        let (name, place) = (word.text.clone(), word.place.clone());
        if columns.iter().any(|column| column.name.eq_ignore_ascii_case(&name)) {
            return Err(self.wrong(place, format!("column `{name}` is declared twice"), SHAPE));
        }
        let sql_type = self.sql_type()?;
        let mut nullable = true;
        loop {
            if self.accept("NOT") {
                self.expect("NULL")?;
                nullable = false;
            } else if self.accept("PRIMARY") {
                self.expect("KEY")?;
                nullable = false;
                key.push(columns.len());
            } else if !self.accept("NULL") {
                break;
            }
        }
        let id = columns.len() as u32 + 1;
        let field = String::new();
        columns.push(Column { id, name, field, sql_type, nullable, collation: None, identity: false, computed: false });
        places.push(place);
        Ok(())
    }

    fn primary_key(&mut self, columns: &[Column], key: &mut Vec<usize>) -> Result<(), Box<Diagnostic>> {
        self.expect("KEY")?;
        self.expect("(")?;
        loop {
            let word = self.word("a column")?;
            let found = columns.iter().position(|column| column.name.eq_ignore_ascii_case(&word.text));
            let (text, place) = (word.text.clone(), word.place.clone());
            match found {
                Some(column) => key.push(column),
                None => {
                    let help = did_you_mean(&text, columns.iter().map(|column| column.name.as_str()));
                    return Err(self.wrong(place, format!("no column `{text}` is declared before"), &help));
                }
            }
            if !self.accept(",") {
                return self.expect(")");
            }
        }
    }

    /// A type of SQL Server's, with its sizes.
    fn sql_type(&mut self) -> Result<SqlType, Box<Diagnostic>> {
        let word = self.word("a type")?;
        let (name, place) = (word.text.to_ascii_lowercase(), word.place.clone());
        let mut sizes: Vec<Option<u16>> = Vec::new();
        if self.accept("(") {
            loop {
                let size = self.word("a size")?;
                let (text, place) = (size.text.clone(), size.place.clone());
                sizes.push(match text.parse::<u16>() {
                    Ok(size) => Some(size),
                    Err(_) if text.eq_ignore_ascii_case("max") => None,
                    Err(_) => return Err(self.wrong(place, format!("`{text}` is no size"), "write a number, or max")),
                });
                if !self.accept(",") {
                    break;
                }
            }
            self.expect(")")?;
        }
        let size = |place: usize| sizes.get(place).copied().flatten();
        let length = |bytes: i32| size(0).map_or(-1, |length| i32::from(length) * bytes);
        let wide = matches!(name.as_str(), "nchar" | "nvarchar");
        let scale = match name.as_str() {
            "decimal" | "numeric" => size(1).unwrap_or(0),
            _ => size(0).unwrap_or(7),
        };
        let precision = size(0).unwrap_or(if name == "float" { 53 } else { 18 });
        let (precision, scale) = (u8::try_from(precision).unwrap_or(u8::MAX), u8::try_from(scale).unwrap_or(u8::MAX));
        let found = SqlType::from_catalog(&name, length(if wide { 2 } else { 1 }), precision, scale, false);
        let sound = match &found {
            Some(SqlType::Decimal { precision, scale }) => (1..=38).contains(precision) && scale <= precision,
            Some(SqlType::Time { scale } | SqlType::DateTime2 { scale } | SqlType::DateTimeOffset { scale }) => {
                *scale <= 7
            }
            Some(SqlType::SqlVariant | SqlType::Geometry | SqlType::Geography | SqlType::RowVersion) | None => false,
            Some(_) => true,
        };
        match found {
            Some(found) if sound => Ok(found),
            _ => Err(self.wrong(
                place,
                format!("a derived column can't be a {name} like this"),
                &did_you_mean(&name, TYPES),
            )),
        }
    }

    fn accept(&mut self, wanted: &str) -> bool {
        let found = self.words.get(self.next).is_some_and(|word| word.text.eq_ignore_ascii_case(wanted));
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, wanted: &str) -> Result<(), Box<Diagnostic>> {
        match self.accept(wanted) {
            true => Ok(()),
            false => Err(self.expected(&format!("`{wanted}`"))),
        }
    }

    fn word(&mut self, wanted: &str) -> Result<&Word, Box<Diagnostic>> {
        match self.words.get(self.next) {
            Some(word) => {
                self.next += 1;
                Ok(word)
            }
            None => Err(self.expected(wanted)),
        }
    }

    fn expected(&self, wanted: &str) -> Box<Diagnostic> {
        let end = self.words.last().map_or(0..0, |last| last.place.end..last.place.end);
        let place = self.words.get(self.next).map_or(end, |word| word.place.clone());
        self.wrong(place, format!("{wanted} is expected here"), SHAPE)
    }

    fn wrong(&self, place: Range<usize>, message: String, help: &str) -> Box<Diagnostic> {
        Box::new(Diagnostic::at(self.path, self.text, place, message).help(help))
    }
}
