//! gzip members (RFC 1952): how a block lies in a part, and the empty member that ends one.
//!
//! In: a block's content. Out: a member that any gzip reads, whose header also says how long it is and how many rows it
//! holds. Every byte is covered by a check: the ten bytes every header begins with are fixed, lengths, row count and
//! compressed bytes by our CRC-32, the content by gzip's own. So a flipped bit is found wherever it falls, even in the
//! padding bits of the deflate stream, which gzip doesn't check.

use libdeflater::{Crc, Decompressor};

use super::CONTENT_BYTES_MAX;
use super::block::Block;
use super::deflater::Deflater;
use super::zone::Zone;

/// Bytes of a block's header: gzip's ten, the length of the extra field, its subfield.
pub(crate) const HEADER_BYTES: usize = 32;
/// gzip's CRC-32 and ISIZE.
const TRAILER_BYTES: usize = 8;
/// Bytes of the member that ends a part.
pub(crate) const FOOTER_BYTES: usize = 50;
/// No member is longer: the worst case of deflate is stored blocks, 5 bytes for at most 65,535.
pub(crate) const MEMBER_BYTES_MAX: usize = HEADER_BYTES + CONTENT_BYTES_MAX + CONTENT_BYTES_MAX / 1000 + 64;

/// Magic, deflate, FEXTRA, no time, no hints, unknown system.
const START: [u8; 10] = [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255];
/// Subfield of a block: member bytes, content bytes, rows, check; each 32 bits, little endian.
const BLOCK_EXTRA: [u8; 6] = [20, 0, b'E', b'B', 16, 0];
/// Subfield of the footer: rows and content bytes of the part in 64 bits each, blocks and check in 32.
const FOOTER_EXTRA: [u8; 6] = [28, 0, b'E', b'F', 24, 0];
/// What deflate makes of nothing, then CRC-32 and ISIZE of nothing.
const EMPTY: [u8; 10] = [3, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// How hard to compress: libdeflate's levels 0 (stored) to 12. The default is 1: a sixth of the time of 6, and files
/// 5 % larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(u8);

impl Level {
    /// `None` beyond 12.
    pub fn new(level: u8) -> Option<Level> {
        (level <= 12).then_some(Level(level))
    }

    /// The number.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl Default for Level {
    fn default() -> Level {
        Level(1)
    }
}

/// A block as it lies in a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompressedBlock {
    pub(crate) bytes: Vec<u8>,
    pub(crate) content_bytes: u32,
    pub(crate) rows: u32,
    pub(crate) zones: Vec<Zone>,
}

impl CompressedBlock {
    /// The gzip member.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes before compression.
    pub fn content_bytes(&self) -> u32 {
        self.content_bytes
    }

    /// Number of rows.
    pub fn rows(&self) -> u32 {
        self.rows
    }
}

/// Compresses blocks. It holds memory of its own for that, so keep one per thread.
pub struct Compressor {
    deflate: Deflater,
    scratch: Vec<u8>,
}

impl Compressor {
    /// A compressor of this level.
    pub fn new(level: Level) -> Compressor {
        Compressor { deflate: Deflater::new(level), scratch: Vec::new() }
    }

    /// Makes a gzip member of a block. CPU only.
    pub fn compress(&mut self, block: &Block) -> CompressedBlock {
        let content = block.content();
        let bound = HEADER_BYTES + self.deflate.bound(content.len()) + TRAILER_BYTES;
        if self.scratch.len() < bound {
            self.scratch.resize(bound, 0);
        }
        let room = &mut self.scratch[HEADER_BYTES..bound - TRAILER_BYTES];
        let deflated = self.deflate.deflate(content, room);
        let trailer = HEADER_BYTES + deflated;
        let header = Header {
            member_bytes: (trailer + TRAILER_BYTES) as u32,
            content_bytes: content.len() as u32,
            rows: block.rows(),
        };
        header.write(&mut self.scratch[..trailer]);
        self.scratch[trailer..trailer + 4].copy_from_slice(&libdeflater::crc32(content).to_le_bytes());
        self.scratch[trailer + 4..trailer + 8].copy_from_slice(&header.content_bytes.to_le_bytes());
        CompressedBlock {
            bytes: self.scratch[..trailer + TRAILER_BYTES].to_vec(),
            content_bytes: header.content_bytes,
            rows: header.rows,
            zones: block.zones().to_vec(),
        }
    }
}

/// What the extra field of a block says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) member_bytes: u32,
    pub(crate) content_bytes: u32,
    pub(crate) rows: u32,
}

impl Header {
    /// Writes the header in front of the deflated bytes that begin at `HEADER_BYTES`, with a check over both.
    fn write(&self, member: &mut [u8]) {
        member[..10].copy_from_slice(&START);
        member[10..16].copy_from_slice(&BLOCK_EXTRA);
        member[16..20].copy_from_slice(&self.member_bytes.to_le_bytes());
        member[20..24].copy_from_slice(&self.content_bytes.to_le_bytes());
        member[24..28].copy_from_slice(&self.rows.to_le_bytes());
        let check = check(&member[16..28], &member[HEADER_BYTES..]);
        member[28..32].copy_from_slice(&check.to_le_bytes());
    }

    /// Reads a header and bounds its lengths. Whether they are right shows when the member is [`inflate`]d.
    pub(crate) fn read(bytes: &[u8; HEADER_BYTES]) -> Result<Header, &'static str> {
        if bytes[..10] != START || bytes[10..16] != BLOCK_EXTRA {
            return Err("no block begins here (its gzip header is not that of a dump)");
        }
        let header =
            Header { member_bytes: u32_at(bytes, 16), content_bytes: u32_at(bytes, 20), rows: u32_at(bytes, 24) };
        header.bounded()
    }

    /// Itself, when a block can be so.
    pub(crate) fn bounded(self) -> Result<Header, &'static str> {
        let member = self.member_bytes as usize;
        if !(HEADER_BYTES + TRAILER_BYTES + 1..=MEMBER_BYTES_MAX).contains(&member) {
            return Err("the block's header gives a length that no block has");
        }
        // Every row has at least one byte, its length.
        if self.content_bytes as usize > CONTENT_BYTES_MAX || self.rows > self.content_bytes {
            return Err("the block's header gives a content or row count that no block has");
        }
        Ok(self)
    }
}

/// Checks a whole member against `header` and inflates it into `content`, which has just the room that it needs.
pub(crate) fn inflate(
    inflater: &mut Decompressor,
    member: &[u8],
    header: Header,
    content: &mut [u8],
) -> Result<(), &'static str> {
    let start = member.first_chunk().ok_or("the block is cut off")?;
    if Header::read(start)? != header || member.len() != header.member_bytes as usize {
        return Err("the block's header differs from what the index or the block before says");
    }
    let (deflated, trailer) = member[HEADER_BYTES..].split_at(member.len() - HEADER_BYTES - TRAILER_BYTES);
    if check(&member[16..28], deflated) != u32_at(member, 28) {
        return Err("the checksum over the compressed block is wrong");
    }
    let inflated = inflater.deflate_decompress(deflated, content).map_err(|_| "the block doesn't inflate")?;
    if inflated != content.len() || u32_at(trailer, 4) != header.content_bytes {
        return Err("the block's content is shorter than its header says");
    }
    match libdeflater::crc32(content) == u32_at(trailer, 0) {
        true => Ok(()),
        false => Err("the checksum over the block's content is wrong"),
    }
}

/// What the last member of a part says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Footer {
    pub(crate) rows: u64,
    pub(crate) content_bytes: u64,
    pub(crate) blocks: u32,
}

impl Footer {
    pub(crate) fn to_bytes(self) -> [u8; FOOTER_BYTES] {
        let mut bytes = [0; FOOTER_BYTES];
        bytes[..10].copy_from_slice(&START);
        bytes[10..16].copy_from_slice(&FOOTER_EXTRA);
        bytes[16..24].copy_from_slice(&self.rows.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.content_bytes.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.blocks.to_le_bytes());
        let check = libdeflater::crc32(&bytes[16..36]);
        bytes[36..40].copy_from_slice(&check.to_le_bytes());
        bytes[40..].copy_from_slice(&EMPTY);
        bytes
    }

    /// `None` when these bytes are no whole footer.
    pub(crate) fn read(bytes: &[u8; FOOTER_BYTES]) -> Option<Footer> {
        let footer = Footer { rows: u64_at(bytes, 16), content_bytes: u64_at(bytes, 24), blocks: u32_at(bytes, 32) };
        (footer.to_bytes() == *bytes).then_some(footer)
    }
}

fn check(lengths: &[u8], deflated: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(lengths);
    crc.update(deflated);
    crc.sum()
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("a slice of four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("a slice of eight bytes"))
}
