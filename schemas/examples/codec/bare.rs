//! The codecs that this build has, bare: no header, no checks.
//!
//! In: the name of one. Out: what inflates or deflates a block into room that is large enough, and says how many bytes it
//! filled.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

use crate::Result;

/// What takes bytes and fills room with others.
pub(crate) type Step = Box<dyn FnMut(&[u8], &mut [u8]) -> Result<usize>>;

/// flate2 has one of them, whichever it is built with.
const FLATE2: &str = if cfg!(feature = "zlib-ng") { "zlib-ng" } else { "zlib-rs" };
const LIBDEFLATE: &str = "libdeflate";
const ISAL: &str = "isal";

/// All that there are.
pub(crate) fn names() -> Vec<&'static str> {
    let isal = cfg!(feature = "isal").then_some(ISAL);
    [LIBDEFLATE, FLATE2].into_iter().chain(isal).collect()
}

pub(crate) fn inflater(name: &str) -> Result<Step> {
    match name {
        LIBDEFLATE => {
            let mut inflater = libdeflater::Decompressor::new();
            Ok(Box::new(move |deflated, room| Ok(inflater.deflate_decompress(deflated, room)?)))
        }
        FLATE2 => {
            let mut inflater = Decompress::new(false);
            Ok(Box::new(move |deflated, room| {
                inflater.reset(false);
                inflater.decompress(deflated, room, FlushDecompress::Finish)?;
                Ok(usize::try_from(inflater.total_out())?)
            }))
        }
        #[cfg(feature = "isal")]
        ISAL => Ok(Box::new(|deflated, room| {
            isal::decompress_into(deflated, room, isal::Codec::Deflate).map_err(|error| format!("{error:?}").into())
        })),
        _ => Err(unknown()),
    }
}

pub(crate) fn deflater(name: &str, level: u8) -> Result<Step> {
    match name {
        LIBDEFLATE => {
            let level = libdeflater::CompressionLvl::new(i32::from(level)).map_err(|error| format!("{error:?}"))?;
            let mut deflater = libdeflater::Compressor::new(level);
            Ok(Box::new(move |content, room| Ok(deflater.deflate_compress(content, room)?)))
        }
        FLATE2 => {
            let mut deflater = Compress::new(Compression::new(u32::from(level)), false);
            Ok(Box::new(move |content, room| {
                deflater.reset();
                deflater.compress(content, room, FlushCompress::Finish)?;
                Ok(usize::try_from(deflater.total_out())?)
            }))
        }
        #[cfg(feature = "isal")]
        ISAL => {
            let level = isal::CompressionLevel::try_from(isize::from(level)).map_err(|error| format!("{error:?}"))?;
            Ok(Box::new(move |content, room| {
                isal::compress_into(content, room, level, isal::Codec::Deflate)
                    .map_err(|error| format!("{error:?}").into())
            }))
        }
        _ => Err(unknown()),
    }
}

fn unknown() -> Box<dyn std::error::Error> {
    format!("this build has the codecs {}", names().join(", ")).into()
}
