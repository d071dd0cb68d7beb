//! What one core spends on blocks, step by step: what the benchmark measures the codec by.
//!
//! ```text
//! cargo run --release -p etl-schemas --example codec -- codecs
//! cargo run --release -p etl-schemas --example codec -- content|read <dump> <table>
//! cargo run --release -p etl-schemas --example codec -- write <dump> <table> <level> <part>
//! cargo run --release -p etl-schemas --example codec -- inflate <dump> <table> <codec>
//! cargo run --release -p etl-schemas --example codec -- deflate <dump> <table> <codec> <level>
//! ```
//!
//! `codecs` names those that this build has: `--features isal,zlib-ng` for more. `content` writes the table's blocks,
//! inflated, to stdout: the bytes that other programs are measured with. `write` compresses the table's blocks into a
//! part; what makes them ready for that isn't counted. `read` reads the blocks as every phase does. `inflate` reads and
//! inflates them without any check: the floor below which no `read` can be; `deflate` only deflates them, into memory.
//! The last four print a line: bytes of content, bytes of members, seconds, seconds of CPU.

#![allow(clippy::print_stdout, reason = "the figures are the result")]

use std::error::Error;
use std::fs::File;
use std::io::{Write as _, stdout};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use etl_schemas::dump::{
    Block, BlockBuffer, BlockBuilder, Cell, Compressor, Dump, DumpTable, Level, Part, PartWriter, RowReader,
};

mod bare;

use bare::Step;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const USAGE: &str = "usage: codec codecs, codec content|read <dump> <table>, codec write <dump> <table> <level> <part>, \
                     codec inflate <dump> <table> <codec>, or codec deflate <dump> <table> <codec> <level>";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if words == ["codecs"] {
        println!("{}", bare::names().join(" "));
        return Ok(());
    }
    let [mode, dump, table, rest @ ..] = words.as_slice() else { return Err(USAGE.into()) };
    let dump = Dump::open(Path::new(dump))?;
    let table = dump.tables().iter().find(|each| each.schema.name.to_string() == *table);
    let table = table.ok_or("the dump has no such table; its name is one as dbo.Messages")?;
    let spent = match (*mode, rest) {
        ("content", []) => return content(table),
        ("write", [level, part]) => write(table, level.parse()?, Path::new(part))?,
        ("read", []) => read(table)?,
        ("inflate", [codec]) => inflate(table, bare::inflater(codec)?)?,
        ("deflate", [codec, level]) => deflate(table, bare::deflater(codec, level.parse()?)?)?,
        _ => return Err(USAGE.into()),
    };
    println!("{} {} {:.6} {:.6}", spent.content_bytes, spent.member_bytes, spent.wall, spent.cpu);
    Ok(())
}

/// Bytes that went by, and the seconds that they took.
#[derive(Default)]
struct Spent {
    content_bytes: usize,
    member_bytes: usize,
    wall: f64,
    cpu: f64,
}

impl Spent {
    /// Does what is to be counted.
    fn on<T>(&mut self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let (cpu, begun) = (cpu_seconds()?, Instant::now());
        let done = work()?;
        self.wall += begun.elapsed().as_secs_f64();
        self.cpu += cpu_seconds()? - cpu;
        Ok(done)
    }
}

/// What this thread has had of a CPU so far.
fn cpu_seconds() -> Result<f64> {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: u64 = statistics.split(' ').next().ok_or("schedstat is empty")?.parse()?;
    Ok(nanoseconds as f64 / 1e9)
}

fn parts(table: &DumpTable) -> impl Iterator<Item = Result<Part>> {
    (0..table.parts.len()).map(|part| Ok(table.open_part(part)?))
}

fn content(table: &DumpTable) -> Result<()> {
    let (mut buffer, mut out) = (BlockBuffer::new(), stdout().lock());
    for part in parts(table) {
        let part = part?;
        for block in 0..part.blocks().len() {
            part.read(block, &mut buffer)?;
            out.write_all(buffer.content())?;
        }
    }
    Ok(())
}

fn read(table: &DumpTable) -> Result<Spent> {
    let (mut buffer, mut spent) = (BlockBuffer::new(), Spent::default());
    for part in parts(table) {
        let part = part?;
        for (block, entry) in part.blocks().iter().enumerate() {
            spent.on(|| Ok(part.read(block, &mut buffer)?))?;
            spent.content_bytes += buffer.content().len();
            spent.member_bytes += entry.member_bytes as usize;
        }
    }
    Ok(spent)
}

/// Reads each member into one buffer, and has it inflated into another.
fn inflate(table: &DumpTable, mut inflate: Step) -> Result<Spent> {
    let (mut member, mut content, mut spent) = (Vec::new(), Vec::new(), Spent::default());
    for part in parts(table) {
        let part = part?;
        let file = File::open(part.path())?;
        for entry in part.blocks() {
            member.resize(entry.member_bytes as usize, 0);
            content.resize(entry.content_bytes as usize, 0);
            let inflated = spent.on(|| {
                file.read_exact_at(&mut member, entry.offset)?;
                inflate(deflated(&member), &mut content)
            })?;
            assert_eq!(inflated, content.len(), "a block inflates to what its index says");
            spent.content_bytes += inflated;
            spent.member_bytes += member.len();
        }
    }
    Ok(spent)
}

/// Deflates the content of each block into one buffer.
fn deflate(table: &DumpTable, mut deflate: Step) -> Result<Spent> {
    let (mut buffer, mut room, mut spent) = (BlockBuffer::new(), Vec::new(), Spent::default());
    for part in parts(table) {
        let part = part?;
        for block in 0..part.blocks().len() {
            part.read(block, &mut buffer)?;
            // More than any of them makes of what can't be compressed.
            room.resize(buffer.content().len() * 2 + 1024, 0);
            let deflated = spent.on(|| deflate(buffer.content(), &mut room))?;
            spent.member_bytes += deflated;
            spent.content_bytes += buffer.content().len();
        }
    }
    Ok(spent)
}

/// What lies between a member's header with its extra field and its trailer (RFC 1952).
fn deflated(member: &[u8]) -> &[u8] {
    let extra = usize::from(u16::from_le_bytes([member[10], member[11]]));
    &member[12 + extra..member.len() - 8]
}

fn write(table: &DumpTable, level: u8, path: &Path) -> Result<Spent> {
    let level = Level::new(level).ok_or("a level is a number from 0 to 12")?;
    let (mut compressor, mut buffer, mut spent) = (Compressor::new(level), BlockBuffer::new(), Spent::default());
    let mut writer = PartWriter::create(path, Arc::clone(table.layout()))?;
    for part in parts(table) {
        let part = part?;
        for number in 0..part.blocks().len() {
            part.read(number, &mut buffer)?;
            let block = rebuild(table, &buffer)?;
            spent.on(|| Ok(writer.append(&compressor.compress(&block))?))?;
            spent.content_bytes += block.content().len();
        }
    }
    spent.member_bytes = usize::try_from(writer.finish()?.bytes)?;
    Ok(spent)
}

/// A block that was read as one to be written.
fn rebuild(table: &DumpTable, buffer: &BlockBuffer) -> Result<Block> {
    let mut builder = BlockBuilder::new(Arc::clone(table.layout()));
    let (reader, mut cells) = (RowReader::all(table.layout()), Vec::new());
    for row in buffer.rows() {
        reader.read(row, &mut cells)?;
        cells.iter().enumerate().for_each(|(column, cell)| put(&mut builder, column, cell));
        builder.end_row()?;
    }
    Ok(builder.take())
}

fn put(builder: &mut BlockBuilder, column: usize, cell: &Cell<'_>) {
    match *cell {
        Cell::Null => builder.put_null(column),
        Cell::Bool(value) => builder.put_bool(column, value),
        Cell::Integer(value) => builder.put_integer(column, value),
        Cell::Float(value) => builder.put_float(column, value),
        Cell::Double(value) => builder.put_double(column, value),
        Cell::Text(value) => builder.put_text(column, value),
        Cell::Bytes(value) => builder.put_bytes(column, value),
        Cell::Timestamp(value) => builder.put_timestamp(column, value),
        Cell::DateTimeOffset { utc, offset_minutes } => builder.put_datetime_offset(column, utc, offset_minutes),
        Cell::Variant { base_type, text } => builder.put_variant(column, base_type, text),
        Cell::Geometry { srid, wkb } => builder.put_geometry(column, srid, wkb),
    }
}
