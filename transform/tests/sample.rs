//! Small dumps and projects for tests.

use std::path::Path;
use std::sync::Arc;

use etl_schemas::dump::{
    BlockBuilder, Compressor, Dump, DumpWriter, FinishedTable, KeyRange, Level, PartWriter, RowLayout, SourceInfo,
};
use etl_schemas::event::{Event, EventCatalog};
use etl_schemas::project::Project;
use etl_schemas::sql_type::SqlType;
use etl_schemas::table::{Column, Key, KeyKind, TableName, TableSchema, field_names};
use etl_schemas::ticks::{PER_SECOND, Ticks, days_from_civil};
use etl_transform::{Ledger, Mappings, Program, RunOptions, TransformError};

/// A value of a test's row.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    Bytes(Vec<u8>),
    Time(Ticks),
    Offset(Ticks, i32),
}

pub(crate) fn text(text: &str) -> Data {
    Data::Text(text.to_string())
}

/// A wall-clock time.
pub(crate) fn at(year: i32, month: u32, day: u32, hour: i64, minute: i64) -> Ticks {
    Ticks::from_days(days_from_civil(year, month, day), (hour * 60 + minute) * 60 * PER_SECOND)
}

/// A table's schema; the key is a column of its own.
pub(crate) fn table(name: &str, columns: &[(&str, SqlType)], key: Option<&str>) -> TableSchema {
    let ids = 1..;
    let names: Vec<(u32, &str)> = ids.zip(columns.iter().map(|(name, _)| *name)).collect();
    let fields = field_names(names.iter().copied());
    let columns: Vec<Column> = columns
        .iter()
        .zip(names.iter().zip(fields))
        .map(|((name, sql_type), ((id, _), field))| Column {
            id: *id,
            name: (*name).to_string(),
            field,
            sql_type: sql_type.clone(),
            nullable: Some(*name) != key,
            collation: None,
            identity: false,
            computed: false,
        })
        .collect();
    let key = key.map(|key| Key {
        name: format!("PK_{name}"),
        kind: KeyKind::Clustered,
        unique: true,
        columns: vec![columns.iter().position(|column| column.name == key).unwrap()],
    });
    TableSchema { name: TableName::new("dbo", name), message: name.to_string(), columns, key }
}

/// A table with its rows, and how they are cut.
pub(crate) struct Table {
    pub schema: TableSchema,
    pub rows: Vec<Vec<Data>>,
    pub rows_per_block: usize,
    pub blocks_per_part: usize,
    /// What a foreign writer takes the columns for, where that isn't what the manifest says.
    pub written_as: Option<TableSchema>,
}

impl Table {
    pub(crate) fn new(schema: TableSchema, rows: Vec<Vec<Data>>) -> Table {
        Table { schema, rows, rows_per_block: 1000, blocks_per_part: 1000, written_as: None }
    }

    pub(crate) fn cut(mut self, rows_per_block: usize, blocks_per_part: usize) -> Table {
        (self.rows_per_block, self.blocks_per_part) = (rows_per_block, blocks_per_part);
        self
    }
}

/// Writes a dump and opens it.
pub(crate) fn dump(dir: &Path, tables: &[Table]) -> Arc<Dump> {
    let schemas: Vec<TableSchema> = tables.iter().map(|table| table.schema.clone()).collect();
    let writer = DumpWriter::create(dir, "test", &schemas).unwrap();
    let finished: Vec<FinishedTable> = tables.iter().map(|table| write_table(&writer, table)).collect();
    let source = SourceInfo {
        server: "test".into(),
        version: "16".into(),
        edition: "test".into(),
        database: "test".into(),
        collation: "Finnish_Swedish_CI_AS".into(),
        consistency: "read-committed".into(),
        started_at: Ticks(0),
        finished_at: Ticks(0),
    };
    writer.finish(source, &finished).unwrap();
    Arc::new(Dump::open(dir).unwrap())
}

fn write_table(writer: &DumpWriter, table: &Table) -> FinishedTable {
    let layout = Arc::new(RowLayout::new(table.written_as.as_ref().unwrap_or(&table.schema)));
    let mut compressor = Compressor::new(Level::default());
    let mut parts = 0;
    let rows_per_part = table.rows_per_block * table.blocks_per_part;
    let mut chunks: Vec<&[Vec<Data>]> = table.rows.chunks(rows_per_part).collect();
    if chunks.is_empty() {
        chunks.push(&[]);
    }
    for rows in chunks {
        let path = writer.part_path(&table.schema.name, parts);
        let mut part = PartWriter::create(&path, Arc::clone(&layout)).unwrap();
        for rows in rows.chunks(table.rows_per_block) {
            let mut builder = BlockBuilder::new(Arc::clone(&layout));
            for row in rows {
                put_row(&mut builder, row);
            }
            part.append(&compressor.compress(&builder.take())).unwrap();
        }
        let summary = part.finish().unwrap();
        writer.record_part(&table.schema.name, parts, KeyRange::default(), summary, 0).unwrap();
        parts += 1;
    }
    FinishedTable { name: table.schema.name.clone(), parts, notes: Vec::new() }
}

fn put_row(builder: &mut BlockBuilder, row: &[Data]) {
    for (column, data) in row.iter().enumerate() {
        match data {
            Data::Null => builder.put_null(column),
            Data::Bool(value) => builder.put_bool(column, *value),
            Data::Int(value) => builder.put_integer(column, *value),
            Data::Double(value) => builder.put_double(column, *value),
            Data::Text(value) => builder.put_text(column, value),
            Data::Bytes(value) => builder.put_bytes(column, value),
            Data::Time(value) => builder.put_timestamp(column, *value),
            Data::Offset(utc, minutes) => builder.put_datetime_offset(column, *utc, *minutes),
        }
    }
    builder.end_row().unwrap();
}

/// A project named `test`; its zone is Stockholm's.
pub(crate) fn project(folder: &Path) -> Project {
    project_with(folder, "")
}

/// The same with more in its file.
pub(crate) fn project_with(folder: &Path, more: &str) -> Project {
    let file = format!(
        "[project]\nname = \"test\"\n[source]\nurl = \"mssql://h/d\"\ntime_zone = \"Europe/Stockholm\"\n{more}"
    );
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("etl.toml"), file).unwrap();
    Project::open(folder).unwrap()
}

/// Event types from the text behind the usual head.
pub(crate) fn catalog(project: &Project, messages: &str) -> Arc<EventCatalog> {
    let head = "syntax = \"proto3\";\nimport \"google/protobuf/timestamp.proto\";\n";
    Arc::new(EventCatalog::parse(Path::new("events.proto"), &format!("{head}{messages}"), project.namespace).unwrap())
}

/// Compiles one file of mappings.
pub(crate) fn compile(
    project: &Project,
    tables: &[TableSchema],
    catalog: &Arc<EventCatalog>,
    sql: &str,
) -> Result<Arc<Program>, TransformError> {
    let mappings = Mappings::from_texts([("mappings/test.sql".into(), sql.to_string())]);
    mappings.compile(project, tables, catalog).map(Arc::new)
}

/// An event as tests compare it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seen {
    pub occurred_at: Ticks,
    pub rank: u16,
    pub key_bytes: Vec<u8>,
    pub stream: String,
    pub body: Vec<u8>,
}

impl Seen {
    pub(crate) fn of(event: &Event<'_>) -> Seen {
        Seen {
            occurred_at: event.occurred_at,
            rank: event.rank,
            key_bytes: event.key_bytes().to_vec(),
            stream: event.stream().to_string(),
            body: event.body.to_vec(),
        }
    }
}

/// Runs a program to its end.
pub(crate) fn run(
    program: &Arc<Program>,
    dump: &Arc<Dump>,
    options: &RunOptions,
) -> Result<(Vec<Seen>, Ledger), TransformError> {
    let mut stream = etl_transform::run(program, dump, options)?;
    let mut seen = Vec::new();
    while let Some(batch) = stream.next_batch()? {
        assert_eq!(batch.first_position(), seen.len() as u64 + 1);
        seen.extend(batch.events().map(|event| Seen::of(&event)));
    }
    let progress = stream.progress();
    assert_eq!((progress.rows_read, progress.events), (progress.rows_all, seen.len() as u64));
    Ok((seen, stream.finish()?))
}
