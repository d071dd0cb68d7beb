//! `manifest.json` as it is written. These types are for serde only; they turn into the domain's own at once.

use serde::{Deserialize, Serialize};

use super::{Manifest, ManifestTable, PartInfo};
use crate::sql_type::SqlType;
use crate::table::{Column, KeyKind};

/// What [`FormatJson::name`] says.
pub(super) const FORMAT_NAME: &str = "etl-dump";

/// All that is looked at before the version is known.
#[derive(Deserialize)]
pub(super) struct Version {
    pub(super) format: FormatJson,
}

#[derive(Serialize, Deserialize)]
pub(super) struct FormatJson {
    pub(super) name: String,
    pub(super) major: u32,
    pub(super) minor: u32,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ManifestJson {
    pub(super) format: FormatJson,
    pub(super) id: String,
    pub(super) fingerprint: String,
    pub(super) tool: String,
    pub(super) source: SourceJson,
    pub(super) tables: Vec<TableJson>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct SourceJson {
    pub(super) server: String,
    pub(super) version: String,
    pub(super) edition: String,
    pub(super) database: String,
    pub(super) collation: String,
    pub(super) consistency: String,
    pub(super) started_at: String,
    pub(super) finished_at: String,
}

#[derive(Serialize, Deserialize)]
pub(super) struct TableJson {
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) message: String,
    pub(super) folder: String,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) content_bytes: u64,
    pub(super) columns: Vec<ColumnJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<KeyJson>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<String>,
    pub(super) parts: Vec<PartJson>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ColumnJson {
    pub(super) id: u32,
    pub(super) name: String,
    pub(super) field: String,
    #[serde(rename = "type")]
    pub(super) sql_type: String,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) clr: bool,
    pub(super) nullable: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) collation: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) identity: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) computed: bool,
}

#[derive(Serialize, Deserialize)]
pub(super) struct KeyJson {
    pub(super) name: String,
    pub(super) kind: KeyKindJson,
    pub(super) unique: bool,
    pub(super) columns: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum KeyKindJson {
    Clustered,
    Unique,
}

/// A part, in the manifest and in the record of a finished part.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PartJson {
    pub(super) file: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) after: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) through: Vec<String>,
    pub(super) rows: u64,
    pub(super) blocks: u32,
    pub(super) bytes: u64,
    pub(super) content_bytes: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) replaced_characters: u64,
    pub(super) sha256: String,
    pub(super) index_sha256: String,
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// The manifest's bytes.
pub(crate) fn to_json(manifest: &Manifest) -> Vec<u8> {
    let (major, minor) = manifest.version;
    let source = &manifest.source;
    let json = ManifestJson {
        format: FormatJson { name: FORMAT_NAME.to_string(), major, minor },
        id: manifest.id.to_string(),
        fingerprint: manifest.fingerprint.clone(),
        tool: manifest.tool.clone(),
        source: SourceJson {
            server: source.server.clone(),
            version: source.version.clone(),
            edition: source.edition.clone(),
            database: source.database.clone(),
            collation: source.collation.clone(),
            consistency: source.consistency.clone(),
            started_at: format!("{}Z", source.started_at),
            finished_at: format!("{}Z", source.finished_at),
        },
        tables: manifest.tables.iter().map(table_json).collect(),
    };
    let mut bytes = serde_json::to_vec_pretty(&json).expect("strings, numbers and lists are JSON");
    bytes.push(b'\n');
    bytes
}

fn table_json(table: &ManifestTable) -> TableJson {
    let schema = &table.schema;
    let key = schema.key.as_ref().map(|key| KeyJson {
        name: key.name.clone(),
        kind: match key.kind {
            KeyKind::Clustered => KeyKindJson::Clustered,
            KeyKind::Unique => KeyKindJson::Unique,
        },
        unique: key.unique,
        columns: key.columns.iter().map(|column| schema.columns[*column].name.clone()).collect(),
    });
    TableJson {
        schema: schema.name.schema.clone(),
        name: schema.name.name.clone(),
        message: schema.message.clone(),
        folder: table.folder.clone(),
        rows: table.rows(),
        bytes: table.bytes(),
        content_bytes: table.content_bytes(),
        columns: schema.columns.iter().map(column_json).collect(),
        key,
        notes: table.notes.clone(),
        parts: table.parts.iter().map(PartJson::from).collect(),
    }
}

fn column_json(column: &Column) -> ColumnJson {
    ColumnJson {
        id: column.id,
        name: column.name.clone(),
        field: column.field.clone(),
        sql_type: column.sql_type.to_string(),
        clr: matches!(column.sql_type, SqlType::Clr { .. }),
        nullable: column.nullable,
        collation: column.collation.clone(),
        identity: column.identity,
        computed: column.computed,
    }
}

impl From<&PartInfo> for PartJson {
    fn from(part: &PartInfo) -> PartJson {
        let summary = &part.summary;
        PartJson {
            file: part.file.clone(),
            after: part.range.after.clone(),
            through: part.range.through.clone(),
            rows: summary.rows,
            blocks: summary.blocks,
            bytes: summary.bytes,
            content_bytes: summary.content_bytes,
            replaced_characters: part.replaced_characters,
            sha256: summary.sha256.clone(),
            index_sha256: summary.index_sha256.clone(),
        }
    }
}
