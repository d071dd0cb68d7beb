//! Running the queries, once: rows into a dump of their own, which is kept under its fingerprint.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use etl_schemas::dump::{
    BlockBuilder, Compressor, Dump, DumpTable, DumpWriter, FinishedTable, KeyRange, Level, PartSummary, PartWriter,
    RowLayout,
};
use etl_schemas::table::TableSchema;
use sha2::{Digest, Sha256};

use super::value::put;
use super::{DerivedTable, EngineError, prepare, virtual_table};
use crate::error::TransformError;
use crate::mapping::Program;

/// Raised when the same query would give other rows or be kept in another form.
const VERSION: u32 = 1;

/// Derived tables that are being read: as long as this lives, no other run removes them.
#[derive(Debug, Default)]
pub struct KeptTables {
    _locks: Vec<File>,
}

/// The dump with the program's derived tables beside its own. Those that `folder` doesn't hold yet are made and kept there;
/// what it held of the same tables before is removed, unless another run reads it.
pub fn materialise(program: &Program, dump: Dump, folder: &Path) -> Result<(Dump, KeptTables), TransformError> {
    let (mut dump, mut tables) = (dump, KeptTables::default());
    let mut before = format!("etl derived {VERSION} {}", dump.fingerprint());
    for table in &program.derived {
        // A table may read those before it, so their texts are part of its fingerprint.
        before = fingerprint(&before, table);
        let kept = folder.join(format!("{}-{}", table.schema.message, &before[..32]));
        let (made, lock) = match open_locked(&kept) {
            Ok(made) => made,
            // It isn't there, or not whole; what else may be wrong comes again.
            Err(_) => {
                make(table, &dump, folder, &kept)?;
                open_locked(&kept)?
            }
        };
        tables._locks.push(lock);
        dump = dump.with_tables_of(made);
    }
    Ok((dump, tables))
}

/// What is kept here, if it is whole, and the lock under which it stays.
fn open_locked(kept: &Path) -> Result<(Dump, File), TransformError> {
    let failed = |source: std::io::Error| {
        let gone = || std::io::Error::other("another run took it away; run the same command again");
        let source = if source.kind() == std::io::ErrorKind::NotFound { gone() } else { source };
        TransformError::Work { path: kept.to_path_buf(), source }
    };
    let lock = File::open(kept).map_err(failed)?;
    lock.lock_shared().map_err(failed)?;
    // The lock may have been waited for while the folder was removed; then there is nothing to open.
    std::fs::metadata(kept).map_err(failed)?;
    Ok((Dump::open(kept)?, lock))
}

fn fingerprint(before: &str, table: &DerivedTable) -> String {
    let all = format!("{before}\0{}", table.definition());
    Sha256::digest(all).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes a table in a folder of its own, which gets its name when it is whole.
fn make(table: &DerivedTable, dump: &Dump, folder: &Path, kept: &Path) -> Result<(), TransformError> {
    let failed = |source| TransformError::Work { path: folder.to_path_buf(), source };
    std::fs::create_dir_all(folder).map_err(failed)?;
    remove_former(table, folder).map_err(failed)?;
    let unfinished = folder.join(format!("unfinished-{}-{}", std::process::id(), table.schema.message));
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished).map_err(failed)?;
    }
    let writer = DumpWriter::create(&unfinished, "derived", std::slice::from_ref(&table.schema))?;
    let summary = fill(table, dump, &writer).inspect_err(|_| {
        // What can't be removed now goes when the table is made again.
        let _ = std::fs::remove_dir_all(&unfinished);
    })?;
    writer.record_part(&table.schema.name, 0, KeyRange::default(), summary, 0)?;
    let finished = FinishedTable { name: table.schema.name.clone(), parts: 1, notes: Vec::new() };
    writer.finish(dump.manifest().source.clone(), &[finished])?;
    match std::fs::rename(&unfinished, kept) {
        Ok(()) => Ok(()),
        // Another run has made the same table meanwhile.
        Err(_) if kept.exists() => std::fs::remove_dir_all(&unfinished).map_err(failed),
        Err(error) => Err(failed(error)),
    }
}

fn fill(table: &DerivedTable, dump: &Dump, writer: &DumpWriter) -> Result<PartSummary, TransformError> {
    let known: Vec<(TableSchema, Option<DumpTable>)> =
        dump.tables().iter().map(|table| (table.schema.clone(), Some(table.clone()))).collect();
    let wrong = |error: EngineError| {
        TransformError::Invalid(vec![match error {
            EngineError::Sql(error) => table.refused(&error),
            EngineError::Wrong(diagnostic) => *diagnostic,
        }])
    };
    let engine = virtual_table::connect(known).map_err(wrong)?;
    let mut statement = prepare(&engine, table).map_err(wrong)?;
    let mut rows = statement.query([]).map_err(|error| wrong(error.into()))?;
    let layout = Arc::new(RowLayout::new(&table.schema));
    let mut part = PartWriter::create(&writer.part_path(&table.schema.name, 0), Arc::clone(&layout))?;
    let (mut builder, mut compressor) = (BlockBuilder::new(layout), Compressor::new(Level::default()));
    let mut number = 0u64;
    while let Some(row) = rows.next().map_err(|error| wrong(error.into()))? {
        number += 1;
        for (place, column) in table.schema.columns.iter().enumerate() {
            let value = row.get_ref(place).map_err(|error| wrong(error.into()))?;
            put(&mut builder, place, column, value).map_err(|message| {
                let message = format!("row {number} of {}: {}: {message}", table.schema.name, column.name);
                let help = "declare another type, or CAST the value in the SELECT";
                let place = table.columns[place].clone();
                TransformError::Invalid(vec![table.diagnostic(place, message).help(help)])
            })?;
        }
        builder.end_row()?;
        if builder.is_full() {
            part.append(&compressor.compress(&builder.take()))?;
        }
    }
    if builder.rows() > 0 {
        part.append(&compressor.compress(&builder.take()))?;
    }
    Ok(part.finish()?)
}

/// Removes what was kept of this table before, and what killed runs left of it.
fn remove_former(table: &DerivedTable, folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // A folder of a process that lives no more.
        let unfinished = name.strip_prefix("unfinished-").and_then(|rest| rest.split_once('-'));
        let is_left = unfinished.is_some_and(|(process, _)| !Path::new("/proc").join(process).exists());
        let is_former = name.rsplit_once('-').is_some_and(|(of, hash)| of == table.schema.message && hash.len() == 32);
        // The lock is held until the folder is gone, so that nobody begins to read it meanwhile.
        let unread = if is_former { unread(&path) } else { None };
        if is_left || unread.is_some() {
            std::fs::remove_dir_all(&path)?;
        }
    }
    Ok(())
}

/// The folder's lock, where no run holds it; the next run removes what this one can't.
fn unread(kept: &Path) -> Option<File> {
    let folder = File::open(kept).ok()?;
    folder.try_lock().is_ok().then_some(folder)
}
