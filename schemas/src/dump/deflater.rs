//! deflate (RFC 1951), by the codec that this build has: libdeflate, or with the feature `isal` at the default level ISA-L.
//!
//! In: a block's content. Out: its deflated bytes, in room that the caller gives. Whichever codec wrote a block, every
//! inflater reads it; ours is libdeflate's in any build, since none was measured to be faster.

use libdeflater::{CompressionLvl, Compressor};

use super::member::Level;

/// Deflates one block after another.
pub(super) struct Deflater {
    libdeflate: Compressor,
    /// For the default level only: no other of ISA-L's is about as small as libdeflate's of the same number.
    #[cfg(feature = "isal")]
    isal: Option<isal::CompressionLevel>,
}

impl Deflater {
    pub(super) fn new(level: Level) -> Deflater {
        let number = CompressionLvl::new(i32::from(level.get())).expect("`Level` keeps to libdeflate's range");
        Deflater {
            libdeflate: Compressor::new(number),
            #[cfg(feature = "isal")]
            isal: (level == Level::default()).then_some(isal::CompressionLevel::Three),
        }
    }

    /// The room that [`deflate`](Deflater::deflate) needs for content of this length.
    pub(super) fn bound(&mut self, length: usize) -> usize {
        self.libdeflate.deflate_compress_bound(length)
    }

    /// Fills `room`, which is at least as large as the bound, and says how far.
    pub(super) fn deflate(&mut self, content: &[u8], room: &mut [u8]) -> usize {
        // The bound is libdeflate's, so where it should ever be too small for the other, this one goes on.
        #[cfg(feature = "isal")]
        if let Some(level) = self.isal
            && let Ok(deflated) = isal::compress_into(content, room, level, isal::Codec::Deflate)
        {
            return deflated;
        }
        self.libdeflate.deflate_compress(content, room).expect("libdeflate's own bound is large enough")
    }
}

#[cfg(all(test, feature = "isal"))]
mod tests {
    use std::io::Read as _;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A build without ISA-L reads what a build with it wrote, and so does any gunzip.
        #[test]
        fn what_isal_writes_libdeflate_and_flate2_read(words in proptest::collection::vec("[a-d]{0,9}|\\PC{0,40}", 0..400)) {
            let content = words.concat().into_bytes();
            let mut deflater = Deflater::new(Level::default());
            let mut room = vec![0; deflater.bound(content.len())];
            let length = deflater.deflate(&content, &mut room);
            prop_assert_eq!(isal::compress_into(&content, &mut vec![0; room.len()], isal::CompressionLevel::Three,
                isal::Codec::Deflate).ok(), Some(length), "the room was large enough for ISA-L");
            let deflated = &room[..length];

            let mut back = vec![0; content.len()];
            let inflated = libdeflater::Decompressor::new().deflate_decompress(deflated, &mut back);
            prop_assert_eq!(inflated, Ok(content.len()));
            prop_assert_eq!(&back, &content);
            back.clear();
            flate2::read::DeflateDecoder::new(deflated).read_to_end(&mut back).unwrap();
            prop_assert_eq!(&back, &content);
        }
    }
}
