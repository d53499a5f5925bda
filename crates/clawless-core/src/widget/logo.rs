//! Logos: small raster images, recognised by their content. A vector image could contain scripts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::keys::KeyDigest;

/// The maximum length of a logo, in bytes.
pub const MAX_LOGO_BYTES: usize = 64 * 1024;
/// The largest width and height, in pixels: a small file could otherwise fill a browser's memory.
const MAX_SIDE: u32 = 1024;

/// The format of a logo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogoFormat {
    /// Portable Network Graphics.
    Png,
    /// JPEG.
    Jpeg,
    /// WebP.
    WebP,
}

impl LogoFormat {
    /// All formats.
    pub const ALL: [Self; 3] = [Self::Png, Self::Jpeg, Self::WebP];

    /// The content type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::WebP => "image/webp",
        }
    }

    /// The format of a content type.
    pub fn of_content_type(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.content_type() == name)
    }
}

/// Why a logo is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLogo {
    /// It is empty or too long.
    #[error("a logo has at most {MAX_LOGO_BYTES} bytes")]
    Length,
    /// It is none of the accepted formats.
    #[error("a logo is a PNG, JPEG or WebP image")]
    Format,
    /// It is too large.
    #[error("a logo has at most {MAX_SIDE} × {MAX_SIDE} pixels")]
    Size,
}

/// A raster image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logo {
    /// The format.
    pub format: LogoFormat,
    /// The file.
    pub bytes: Vec<u8>,
}

impl Logo {
    /// Recognises an image by its first bytes.
    ///
    /// # Errors
    /// It is too long, too large, or not a raster image.
    pub fn new(bytes: Vec<u8>) -> Result<Self, InvalidLogo> {
        if bytes.is_empty() || bytes.len() > MAX_LOGO_BYTES {
            return Err(InvalidLogo::Length);
        }
        let sizes = [
            (LogoFormat::Png, png_size(&bytes)),
            (LogoFormat::Jpeg, jpeg_size(&bytes)),
            (LogoFormat::WebP, webp_size(&bytes)),
        ];
        let mut found = sizes
            .into_iter()
            .filter_map(|(format, size)| size.map(|size| (format, size)));
        let (format, (width, height)) = found.next().ok_or(InvalidLogo::Format)?;
        let fits = |side| (1..=MAX_SIDE).contains(&side);
        if !fits(width) || !fits(height) {
            return Err(InvalidLogo::Size);
        }
        Ok(Self { format, bytes })
    }
}

impl Logo {
    /// The file in base64.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(&self.bytes)
    }

    /// An image that was stored as base64; `None` if the text is not base64.
    pub fn from_stored(format: LogoFormat, base64: &str) -> Option<Self> {
        let bytes = STANDARD.decode(base64).ok()?;
        Some(Self { format, bytes })
    }

    /// Recognises an image that a request has as base64.
    ///
    /// # Errors
    /// As [`Self::new`]; a text that is not base64 is no image.
    pub fn from_base64(base64: &str) -> Result<Self, InvalidLogo> {
        if base64.len() > MAX_LOGO_BYTES.div_ceil(3) * 4 {
            return Err(InvalidLogo::Length);
        }
        Self::new(STANDARD.decode(base64).map_err(|_| InvalidLogo::Format)?)
    }

    /// The digest of the file.
    pub fn digest(&self) -> KeyDigest {
        KeyDigest::from_secret(&self.bytes)
    }
}

/// The bytes of a range.
fn range<const N: usize>(bytes: &[u8], from: usize) -> Option<[u8; N]> {
    let end = from.checked_add(N)?;
    bytes.get(from..end)?.try_into().ok()
}

/// The size in the first chunk of a PNG.
fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    bytes
        .starts_with(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR")
        .then(|| {
            let side = |at| range(bytes, at).map(u32::from_be_bytes);
            Some((side(16)?, side(20)?))
        })?
}

/// The size in the frame header of a JPEG, which follows segments of other kinds.
fn jpeg_size(bytes: &[u8]) -> Option<(u32, u32)> {
    if !bytes.starts_with(b"\xff\xd8\xff") {
        return None;
    }
    let mut at = 2;
    loop {
        let [mark, kind] = range(bytes, at)?;
        if mark != 0xff {
            return None;
        }
        let is_frame = matches!(kind, 0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf);
        if is_frame {
            let side = |at| range(bytes, at).map(u16::from_be_bytes).map(u32::from);
            return Some((side(at + 7)?, side(at + 5)?));
        }
        let length = usize::from(u16::from_be_bytes(range(bytes, at + 2)?));
        at = at.checked_add(2)?.checked_add(length.max(2))?;
    }
}

/// The size in the first chunk of a WebP.
fn webp_size(bytes: &[u8]) -> Option<(u32, u32)> {
    if !bytes.starts_with(b"RIFF") || range(bytes, 8)? != *b"WEBP" {
        return None;
    }
    let short = |at| range(bytes, at).map(u16::from_le_bytes).map(u32::from);
    let three = |at| {
        let [a, b, c] = range(bytes, at)?;
        Some(u32::from_le_bytes([a, b, c, 0]))
    };
    match &range(bytes, 12)? {
        b"VP8 " => Some((short(26)? & 0x3fff, short(28)? & 0x3fff)),
        b"VP8L" => {
            let bits = u32::from_le_bytes(range(bytes, 21)?);
            Some(((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1))
        }
        b"VP8X" => Some((three(24)? + 1, three(27)? + 1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes
    }

    fn jpeg(width: u16, height: u16) -> Vec<u8> {
        let mut bytes = b"\xff\xd8\xff\xe0\0\x04ab\xff\xc0\0\x11\x08".to_vec();
        bytes.extend(height.to_be_bytes());
        bytes.extend(width.to_be_bytes());
        bytes
    }

    fn webp(chunk: [u8; 4], rest: &[u8]) -> Vec<u8> {
        [b"RIFF\0\0\0\0WEBP".as_slice(), &chunk, &[0; 4], rest].concat()
    }

    #[test]
    fn raster_image_is_recognised_by_its_content() {
        let lossy = webp(*b"VP8 ", &[0, 0, 0, 0, 0, 0, 64, 0, 32, 0]);
        let lossless = webp(*b"VP8L", &[0x2f, 63, 0xc0, 0x07, 0]);
        let extended = webp(*b"VP8X", &[0, 0, 0, 0, 63, 0, 0, 31, 0, 0]);
        for (bytes, format) in [
            (png(64, 32), LogoFormat::Png),
            (jpeg(64, 32), LogoFormat::Jpeg),
            (lossy, LogoFormat::WebP),
            (lossless, LogoFormat::WebP),
            (extended, LogoFormat::WebP),
        ] {
            assert_eq!(Logo::new(bytes).map(|logo| logo.format), Ok(format));
        }
        assert_eq!(
            webp_size(&webp(*b"VP8X", &[0, 0, 0, 0, 63, 0, 0, 31, 0, 0])),
            Some((64, 32))
        );
        assert_eq!(
            webp_size(&webp(*b"VP8L", &[0x2f, 63, 0xc0, 0x07, 0])),
            Some((64, 32))
        );
        assert_eq!(jpeg_size(&jpeg(64, 32)), Some((64, 32)));
    }

    #[test]
    fn other_content_and_large_images_are_refused() {
        for other in [
            b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>".as_slice(),
            b"<!doctype html>",
            b"GIF89a\x40\0\x40\0",
            b"\x89PNG",
            b"\xff\xd8\xff",
            b"\xff\xd8\xffabcdefgh",
            b"RIFF\0\0\0\0WEBPVP8X",
            b"RIFF\0\0\0\0WEBPabcd\0\0\0\0",
        ] {
            assert_eq!(Logo::new(other.to_vec()), Err(InvalidLogo::Format));
        }
        for large in [png(1025, 1), png(1, 100_000), png(0, 1), jpeg(2000, 2)] {
            assert_eq!(Logo::new(large), Err(InvalidLogo::Size));
        }
        for length in [0, MAX_LOGO_BYTES + 1] {
            assert_eq!(Logo::new(vec![0; length]), Err(InvalidLogo::Length));
        }
    }
}
