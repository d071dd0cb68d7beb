//! Reads `manifest.json` into the domain's own types, or says what in it can't be.
//!
//! A manifest is input like any other: paths must stay within the dump, names must be names, sums must add up.

use std::collections::{BTreeMap, HashSet};
use std::path::{Component, Path};

use uuid::Uuid;

use super::json::{
    ColumnJson, FORMAT_NAME, FormatJson, KeyJson, KeyKindJson, ManifestJson, PartJson, SourceJson, TableJson, Version,
};
use super::type_text::parse_type;
use super::{FORMAT_VERSION, KeyRange, Manifest, ManifestTable, PartInfo, SourceInfo};
use crate::dump::{PartSummary, field_number};
use crate::table::{Column, Key, KeyKind, TableName, TableSchema, safe_name};
use crate::ticks::{Ticks, civil_from_days, days_from_civil};

/// SQL Server's widest tables have 30,000 columns.
const COLUMNS_MAX: usize = 30_000;
/// Field numbers end here.
const FIELD_NUMBER_MAX: u32 = (1 << 29) - 1;

impl PartJson {
    /// `Err` says what can't be.
    pub(crate) fn into_part(self) -> Result<PartInfo, String> {
        let file = self.file;
        if !stays_within(&file) || !file.ends_with(".pb.gz") {
            return Err(format!("`{file}` is no path of a part within the dump"));
        }
        for sum in [&self.sha256, &self.index_sha256] {
            if sum.len() != 64 || !sum.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
                return Err(format!("`{file}` has a checksum that is no SHA-256"));
            }
        }
        let summary = PartSummary {
            rows: self.rows,
            blocks: self.blocks,
            bytes: self.bytes,
            content_bytes: self.content_bytes,
            sha256: self.sha256,
            index_sha256: self.index_sha256,
        };
        let range = KeyRange { after: self.after, through: self.through };
        Ok(PartInfo { file, range, summary, replaced_characters: self.replaced_characters })
    }
}

/// Whether a path with forward slashes is relative and never leads up.
pub(crate) fn stays_within(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|component| matches!(component, Component::Normal(_)))
}

/// Reads a manifest's bytes; `Err` says what is wrong.
pub(crate) fn parse(bytes: &[u8]) -> Result<Manifest, String> {
    let version: Version = serde_json::from_slice(bytes).map_err(|error| format!("no manifest of a dump: {error}"))?;
    let FormatJson { name, major, minor } = version.format;
    if name != FORMAT_NAME || major != FORMAT_VERSION.0 {
        return Err(format!(
            "this is format {name} {major}.{minor}, and this etl reads {FORMAT_NAME} {}; take the etl that wrote it",
            FORMAT_VERSION.0
        ));
    }
    let json: ManifestJson = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let tables = json.tables.into_iter().map(table).collect::<Result<Vec<_>, _>>()?;
    let mut names = HashSet::new();
    if let Some(twice) = tables.iter().find(|table| !names.insert(&table.schema.name)) {
        return Err(format!("the table {} stands there twice", twice.schema.name));
    }
    Ok(Manifest {
        version: (major, minor),
        id: Uuid::try_parse(&json.id).map_err(|_| format!("`{}` is no id of a dump", json.id))?,
        fingerprint: json.fingerprint,
        tool: json.tool,
        source: source(json.source)?,
        tables,
    })
}

fn source(json: SourceJson) -> Result<SourceInfo, String> {
    let time = |text: &str| parse_utc(text).ok_or_else(|| format!("`{text}` is no time in UTC"));
    Ok(SourceInfo {
        started_at: time(&json.started_at)?,
        finished_at: time(&json.finished_at)?,
        server: json.server,
        version: json.version,
        edition: json.edition,
        database: json.database,
        collation: json.collation,
        consistency: json.consistency,
    })
}

fn table(json: TableJson) -> Result<ManifestTable, String> {
    let name = TableName::new(json.schema, json.name);
    let wrong = |problem: String| format!("table {name}: {problem}");
    if !stays_within(&json.folder) {
        return Err(wrong(format!("`{}` is no folder within the dump", json.folder)));
    }
    check_identifier(&json.message).map_err(wrong)?;
    let columns = columns(json.columns).map_err(wrong)?;
    let key = json.key.map(|json| key(json, &columns)).transpose().map_err(wrong)?;
    let parts = json.parts.into_iter().map(PartJson::into_part).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    let sum = |of: fn(&PartSummary) -> u64| parts.iter().try_fold(0u64, |sum, part| sum.checked_add(of(&part.summary)));
    let sums = (sum(|part| part.rows), sum(|part| part.bytes), sum(|part| part.content_bytes));
    if sums != (Some(json.rows), Some(json.bytes), Some(json.content_bytes)) {
        return Err(wrong("rows and bytes of the parts don't add up to the table's".to_string()));
    }
    let schema = TableSchema { name, message: json.message, columns, key };
    Ok(ManifestTable { schema, folder: json.folder, parts, notes: json.notes })
}

fn columns(json: Vec<ColumnJson>) -> Result<Vec<Column>, String> {
    if json.len() > COLUMNS_MAX {
        return Err(format!("{} columns are more than a table can have", json.len()));
    }
    let mut last = 0;
    let column = |json: ColumnJson| {
        let sql_type = parse_type(&json.sql_type, json.clr)
            .ok_or_else(|| format!("column {}: `{}` is no type that a dump carries", json.name, json.sql_type))?;
        if json.id <= last || field_number(json.id) > FIELD_NUMBER_MAX {
            return Err(format!("column {}: ids have to rise, and {} doesn't", json.name, json.id));
        }
        last = json.id;
        check_identifier(&json.field)?;
        Ok(Column {
            id: json.id,
            name: json.name,
            field: json.field,
            sql_type,
            nullable: json.nullable,
            collation: json.collation,
            identity: json.identity,
            computed: json.computed,
        })
    };
    json.into_iter().map(column).collect()
}

/// Names go into protobuf source, so nothing else may stand in them.
fn check_identifier(name: &str) -> Result<(), String> {
    if safe_name(name) == name { Ok(()) } else { Err(format!("`{name}` is no name in protobuf")) }
}

fn key(json: KeyJson, columns: &[Column]) -> Result<Key, String> {
    let places: BTreeMap<&str, usize> =
        columns.iter().enumerate().map(|(place, column)| (column.name.as_str(), place)).collect();
    let place = |name: &String| {
        places.get(name.as_str()).copied().ok_or_else(|| format!("key {}: there is no column {name}", json.name))
    };
    let columns = json.columns.iter().map(place).collect::<Result<Vec<_>, _>>()?;
    let kind = match json.kind {
        KeyKindJson::Clustered => KeyKind::Clustered,
        KeyKindJson::Unique => KeyKind::Unique,
    };
    Ok(Key { name: json.name, kind, unique: json.unique, columns })
}

/// `2014-03-01T12:30:00.123Z`, as [`Ticks`] prints with a `Z` behind it.
fn parse_utc(text: &str) -> Option<Ticks> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(clock, ':')?;
    if year > 9999 || month > 12 || day > 31 || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_from_civil(year as i32, month, day);
    if civil_from_days(days) != (year as i32, month, day) {
        return None;
    }
    let nanos: u32 = format!("{fraction:0<9}").parse().ok().filter(|nanos| *nanos < 1_000_000_000)?;
    let seconds = i64::from(days) * 86_400 + i64::from(hour * 3600 + minute * 60 + second);
    Ticks::from_timestamp(seconds, nanos as i32)
}

fn numbers(text: &str, separator: char) -> Option<[u32; 3]> {
    let numbers: Vec<u32> = text.split(separator).map(|number| number.parse().ok()).collect::<Option<_>>()?;
    numbers.try_into().ok()
}
