//! What producers compress their batches with: gzip, snappy, LZ4 frames and Zstandard.

use std::io::Read;

use super::WireError;

/// The largest batch that is unpacked; Kafka's own limit is the size of an `int`.
const MOST_BYTES: usize = i32::MAX as usize;

/// A batch's compression, by its number in the attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Compression {
    pub(crate) fn of(attributes: i16) -> Result<Self, WireError> {
        match attributes & 7 {
            0 => Ok(Self::None),
            1 => Ok(Self::Gzip),
            2 => Ok(Self::Snappy),
            3 => Ok(Self::Lz4),
            4 => Ok(Self::Zstd),
            _ => Err(WireError::Malformed("a compression that this version does not know")),
        }
    }

    /// Unpacks into the beginning of `out`, which grows if it must and is never cleared, so that its memory is set
    /// once; gives how many bytes there are.
    pub(crate) fn unpack(self, packed: &[u8], out: &mut Vec<u8>) -> Result<usize, WireError> {
        match self {
            Self::None => {
                out.clear();
                out.extend_from_slice(packed);
                Ok(packed.len())
            }
            Self::Gzip => drain(flate2::read::MultiGzDecoder::new(packed), out, "gzip"),
            Self::Snappy => snappy(packed, out),
            Self::Lz4 => lz4(packed, out),
            Self::Zstd => drain(zstd::stream::read::Decoder::new(packed).map_err(|_| broken("zstd"))?, out, "zstd"),
        }
    }
}

fn broken(what: &'static str) -> WireError {
    WireError::Corrupt(format!("{what} data that can't be unpacked"))
}

fn drain(unpacking: impl Read, out: &mut Vec<u8>, what: &'static str) -> Result<usize, WireError> {
    out.clear();
    let read = unpacking.take(MOST_BYTES as u64 + 1).read_to_end(out).map_err(|_| broken(what))?;
    if read > MOST_BYTES { Err(broken(what)) } else { Ok(read) }
}

/// Room for `more` bytes from `start` on.
fn room<'a>(out: &'a mut Vec<u8>, start: usize, more: usize, what: &'static str) -> Result<&'a mut [u8], WireError> {
    let end = start + more;
    if end > MOST_BYTES {
        return Err(broken(what));
    }
    if out.len() < end {
        out.resize(end, 0);
    }
    Ok(&mut out[start..end])
}

/// Snappy as Java's library frames it (magic, version, blocks with their length), or one bare block.
fn snappy(packed: &[u8], out: &mut Vec<u8>) -> Result<usize, WireError> {
    const MAGIC: &[u8] = &[0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
    const HEADER: usize = 16;
    let mut decoder = snap::raw::Decoder::new();
    let mut used = 0;
    let mut block = |bytes: &[u8]| {
        let length = snap::raw::decompress_len(bytes).map_err(|_| broken("snappy"))?;
        let place = room(out, used, length, "snappy")?;
        used += decoder.decompress(bytes, place).map_err(|_| broken("snappy"))?;
        Ok::<_, WireError>(used)
    };
    if !packed.starts_with(MAGIC) {
        return block(packed);
    }
    let mut total = 0;
    let mut rest = packed.get(HEADER..).ok_or_else(|| broken("snappy"))?;
    while let Some((length, after)) = rest.split_first_chunk() {
        let length = u32::from_be_bytes(*length) as usize;
        let (bytes, after) = after.split_at_checked(length).ok_or_else(|| broken("snappy"))?;
        total = block(bytes)?;
        rest = after;
    }
    if rest.is_empty() { Ok(total) } else { Err(broken("snappy")) }
}

/// An LZ4 frame (LZ4 Frame Format 1.6.x): its blocks are unpacked straight into the result. Its checksums are passed
/// over, because the batch's own covers the same bytes.
fn lz4(packed: &[u8], out: &mut Vec<u8>) -> Result<usize, WireError> {
    const MAGIC: [u8; 4] = 0x184D_2204u32.to_le_bytes();
    /// How far back a block may point.
    const WINDOW: usize = 64 << 10;
    let short = || broken("LZ4");
    let (descriptor, mut rest) =
        packed.strip_prefix(&MAGIC).and_then(|rest| rest.split_first_chunk::<2>()).ok_or_else(short)?;
    let [flags, block] = *descriptor;
    let independent = flags & 0x20 != 0;
    let block_checksum = if flags & 0x10 != 0 { 4 } else { 0 };
    let content_size = if flags & 0x08 != 0 { 8 } else { 0 };
    let dictionary = if flags & 0x01 != 0 { 4 } else { 0 };
    // One more byte: the descriptor's checksum.
    rest = rest.get(content_size + dictionary + 1..).ok_or_else(short)?;
    let most = match (block >> 4) & 7 {
        4 => 64 << 10,
        5 => 256 << 10,
        6 => 1 << 20,
        7 => 4 << 20,
        _ => return Err(short()),
    };
    let mut used = 0;
    loop {
        let (size, after) = rest.split_first_chunk().ok_or_else(short)?;
        let size = u32::from_le_bytes(*size);
        if size == 0 {
            return Ok(used);
        }
        let (bytes, after) = after.split_at_checked((size & 0x7fff_ffff) as usize).ok_or_else(short)?;
        rest = after.get(block_checksum..).ok_or_else(short)?;
        if size >> 31 == 1 {
            room(out, used, bytes.len(), "LZ4")?.copy_from_slice(bytes);
            used += bytes.len();
            continue;
        }
        room(out, used, most, "LZ4")?;
        let (before, place) = out.split_at_mut(used);
        let place = &mut place[..most];
        let written = if independent || used == 0 {
            lz4_flex::block::decompress_into(bytes, place)
        } else {
            let window = &before[used.saturating_sub(WINDOW)..];
            lz4_flex::block::decompress_into_with_dict(bytes, place, window)
        };
        used += written.map_err(|_| short())?;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use super::*;

    fn text(bytes: usize) -> Vec<u8> {
        (0..)
            .flat_map(|i: u32| format!("{{\"id\": {i}, \"amount\": {}}}", i * 7919 % 1000).into_bytes())
            .take(bytes)
            .collect()
    }

    fn unpacked(compression: Compression, packed: &[u8]) -> Result<Vec<u8>, WireError> {
        let mut out = b"what was here before".to_vec();
        let used = compression.unpack(packed, &mut out)?;
        out.truncate(used);
        Ok(out)
    }

    fn lz4_frame(content: &[u8], linked: bool) -> Vec<u8> {
        let mode = if linked { lz4_flex::frame::BlockMode::Linked } else { lz4_flex::frame::BlockMode::Independent };
        let info = lz4_flex::frame::FrameInfo::new()
            .block_mode(mode)
            .block_size(lz4_flex::frame::BlockSize::Max64KB)
            .block_checksums(linked)
            .content_checksum(true);
        let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn java_snappy(content: &[u8]) -> Vec<u8> {
        let mut packed = [&[0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0][..], &[0, 0, 0, 1, 0, 0, 0, 1]].concat();
        for block in content.chunks(32 << 10) {
            let bytes = snap::raw::Encoder::new().compress_vec(block).unwrap();
            packed.extend((bytes.len() as u32).to_be_bytes());
            packed.extend(bytes);
        }
        packed
    }

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn all(content: &[u8]) -> Vec<(Compression, Vec<u8>)> {
        vec![
            (Compression::None, content.to_vec()),
            (Compression::Gzip, gzip(content)),
            (Compression::Snappy, java_snappy(content)),
            (Compression::Snappy, snap::raw::Encoder::new().compress_vec(content).unwrap()),
            (Compression::Lz4, lz4_frame(content, false)),
            (Compression::Lz4, lz4_frame(content, true)),
            (Compression::Zstd, zstd::encode_all(content, 1).unwrap()),
        ]
    }

    #[test]
    fn every_compression_gives_its_content() {
        for size in [1, 100, 200_000] {
            let content = text(size);
            for (compression, packed) in all(&content) {
                assert_eq!(unpacked(compression, &packed).unwrap(), content, "{compression:?} of {size}");
            }
        }
    }

    #[test]
    fn what_is_cut_or_damaged_is_an_error_or_other_bytes_and_never_a_panic() {
        let content = text(50_000);
        for (compression, packed) in all(&content).into_iter().skip(1) {
            for cut in [1, 5, 17, packed.len() / 2, packed.len() - 5] {
                if let Ok(out) = unpacked(compression, &packed[..cut]) {
                    assert!(out.len() < content.len(), "{compression:?} cut at {cut}");
                }
            }
            for at in (0..packed.len()).step_by(packed.len() / 50) {
                let mut damaged = packed.clone();
                damaged[at] ^= 0x55;
                let _ = unpacked(compression, &damaged);
            }
        }
    }
}
