//! The quarantine: rows that a mapping couldn't take, kept with their reason.
//!
//! `quarantine/<table>.pb.gz` is a part in the dump's own format, so the same readers read it: a message for each
//! rejected row, in the order of the plan, with the row's own message inside. A file appears when it is complete.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use etl_schemas::dump::{BlockBuilder, Compressor, DumpError, Level, PartWriter, RowLayout};
use etl_schemas::sql_type::SqlType;
use etl_schemas::table::{Column, TableName, TableSchema};

use crate::error::TransformError;

/// What a quarantine file's messages look like: the table `quarantine` with these columns, `column_id` counting
/// from 1. `part`, `block` and `row` say where the row lies in the dump, each counted from 0.
pub fn quarantine_schema() -> TableSchema {
    let columns = [
        ("table", SqlType::NVarChar { length: None }),
        ("key", SqlType::NVarChar { length: None }),
        ("mapping", SqlType::NVarChar { length: None }),
        ("reason", SqlType::NVarChar { length: None }),
        ("part", SqlType::Int),
        ("block", SqlType::Int),
        ("row", SqlType::Int),
        ("content", SqlType::VarBinary { length: None }),
    ];
    let column = |(place, (name, sql_type)): (usize, (&str, SqlType))| Column {
        id: place as u32 + 1,
        name: name.to_string(),
        field: name.to_string(),
        sql_type,
        nullable: false,
        collation: None,
        identity: false,
        computed: false,
    };
    TableSchema {
        name: TableName::new("etl", "quarantine"),
        message: "quarantine".to_string(),
        columns: columns.into_iter().enumerate().map(column).collect(),
        key: None,
    }
}

/// A row on its way into quarantine.
pub(crate) struct Rejected<'a> {
    pub table: &'a TableName,
    pub key: &'a str,
    pub mapping: &'a str,
    pub reason: &'a str,
    pub part: usize,
    pub block: usize,
    pub row: u32,
    pub content: &'a [u8],
}

/// The quarantine files of one run.
pub(crate) struct Quarantine {
    folder: PathBuf,
    layout: Arc<RowLayout>,
    compressor: Compressor,
    files: BTreeMap<TableName, (BlockBuilder, PartWriter)>,
}

impl Quarantine {
    /// In `<work>/quarantine`. Files of the run before are removed: they belong to other events.
    pub(crate) fn create(work: &Path) -> Result<Quarantine, TransformError> {
        let folder = work.join("quarantine");
        remove_former(&folder).map_err(|source| TransformError::Work { path: folder.clone(), source })?;
        let layout = Arc::new(RowLayout::new(&quarantine_schema()));
        Ok(Quarantine { folder, layout, compressor: Compressor::new(Level::default()), files: BTreeMap::new() })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Adds a row.
    pub(crate) fn add(&mut self, rejected: &Rejected<'_>) -> Result<(), TransformError> {
        if !self.files.contains_key(rejected.table) {
            let failed = |source| TransformError::Work { path: self.folder.clone(), source };
            std::fs::create_dir_all(&self.folder).map_err(failed)?;
            let path = self.folder.join(format!("{}.pb.gz", rejected.table).replace(['/', '\\'], "_"));
            let writer = PartWriter::create(&path, Arc::clone(&self.layout))?;
            self.files.insert(rejected.table.clone(), (BlockBuilder::new(Arc::clone(&self.layout)), writer));
        }
        let Some((builder, writer)) = self.files.get_mut(rejected.table) else { return Ok(()) };
        builder.put_text(0, &rejected.table.to_string());
        builder.put_text(1, rejected.key);
        builder.put_text(2, rejected.mapping);
        builder.put_text(3, rejected.reason);
        builder.put_integer(4, rejected.part as i64);
        builder.put_integer(5, rejected.block as i64);
        builder.put_integer(6, i64::from(rejected.row));
        builder.put_bytes(7, rejected.content);
        builder.end_row()?;
        if builder.is_full() {
            flush(&mut self.compressor, builder, writer)?;
        }
        Ok(())
    }

    /// Writes what is left and gives the files their names.
    pub(crate) fn close(&mut self) -> Result<(), TransformError> {
        for (mut builder, mut writer) in std::mem::take(&mut self.files).into_values() {
            if builder.rows() > 0 {
                flush(&mut self.compressor, &mut builder, &mut writer)?;
            }
            writer.finish()?;
        }
        Ok(())
    }
}

/// Removes quarantine files; whatever else lies there stays.
fn remove_former(folder: &Path) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.to_str().is_some_and(|path| path.ends_with(".pb.gz") || path.ends_with(".idx")) {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

fn flush(compressor: &mut Compressor, builder: &mut BlockBuilder, writer: &mut PartWriter) -> Result<(), DumpError> {
    let block = builder.take();
    writer.append(&compressor.compress(&block))
}
