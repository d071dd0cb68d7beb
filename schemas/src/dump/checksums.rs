//! `SHA256SUMS`, as `sha256sum` writes and checks it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::DumpError;
use super::manifest::stays_within;
use super::part_writer::hex;

/// The file's name in a dump.
pub(crate) const CHECKSUMS_FILE: &str = "SHA256SUMS";

/// Path within the dump -> SHA-256 in hexadecimal.
pub(crate) type Checksums = BTreeMap<String, String>;

/// A line per file: checksum, two spaces, path.
pub(crate) fn to_text(checksums: &Checksums) -> String {
    checksums.iter().map(|(path, sha256)| format!("{sha256}  {path}\n")).collect()
}

/// The inverse of [`to_text`]; `Err` quotes the line that is no checksum of a file within the dump.
pub(crate) fn parse(text: &str) -> Result<Checksums, String> {
    let entry = |line: &str| {
        let (sha256, path) = line.split_once("  ")?;
        let hexadecimal = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
        (hexadecimal && stays_within(path)).then(|| (path.to_string(), sha256.to_ascii_lowercase()))
    };
    text.lines().map(|line| entry(line).ok_or_else(|| format!("`{line}` is no line of checksum and path"))).collect()
}

/// SHA-256 of a file, in hexadecimal; `progress` gets the bytes read since it was last called.
pub(crate) fn sha256_of(path: &Path, progress: &(dyn Fn(u64) + Sync)) -> Result<String, DumpError> {
    let mut file = File::open(path).map_err(DumpError::io("open", path))?;
    let mut sha256 = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        let read = file.read(&mut buffer).map_err(DumpError::io("read", path))?;
        if read == 0 {
            return Ok(hex(&sha256.finalize()));
        }
        sha256.update(&buffer[..read]);
        progress(read as u64);
    }
}
