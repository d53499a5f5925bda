//! Converts images for the Messages API. Clients send `data:` URLs in forms that other providers
//! accept: alternative media type names, upper case, parameters and line breaks.

use std::borrow::Cow;

use serde::Serialize;

/// The location of an image.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Source {
    Base64 {
        media_type: &'static str,
        data: String,
    },
    Url {
        url: String,
    },
}

/// The source of an image by its URL.
///
/// # Errors
/// The API does not support the image.
pub(super) fn source(url: &str) -> Result<Source, &'static str> {
    let url = url.trim();
    if has_scheme(url, "https:") {
        return Ok(Source::Url {
            url: url.to_owned(),
        });
    }
    let other = "images other than https: and base64 data: URLs";
    let (description, data) = (has_scheme(url, "data:"))
        .then(|| url.get(5..)?.split_once(','))
        .flatten()
        .ok_or(other)?;
    let (media_type, parameters) = description.split_once(';').ok_or(other)?;
    let is_base64 = parameters
        .split(';')
        .any(|it| it.trim().eq_ignore_ascii_case("base64"));
    if !is_base64 {
        return Err(other);
    }
    let data = normalize_base64(data).ok_or("images whose base64 is not valid")?;
    // The API compares the content with the media type and rejects a difference.
    let media_type = by_content(&data)
        .or_else(|| name(media_type))
        .ok_or("images of other types than JPEG, PNG, GIF and WebP")?;
    Ok(Source::Base64 {
        media_type,
        data: data.into_owned(),
    })
}

fn has_scheme(url: &str, scheme: &str) -> bool {
    url.get(..scheme.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

/// The API's name of a media type.
fn name(media_type: &str) -> Option<&'static str> {
    let media_type = media_type.trim().to_ascii_lowercase();
    match media_type.as_str() {
        "image/jpeg" | "image/jpg" | "image/pjpeg" | "image/jfif" => Some("image/jpeg"),
        "image/png" | "image/x-png" | "image/apng" => Some("image/png"),
        "image/gif" => Some("image/gif"),
        "image/webp" => Some("image/webp"),
        _ => None,
    }
}

/// Detects the media type from the first bytes, in base64.
fn by_content(data: &str) -> Option<&'static str> {
    let types = [
        ("/9j/", "image/jpeg"),
        ("iVBORw0KGgo", "image/png"),
        ("R0lGOD", "image/gif"),
        ("UklGR", "image/webp"),
    ];
    let found = types.into_iter().find(|(start, _)| data.starts_with(start));
    found.map(|(_, media_type)| media_type)
}

/// Base64 without line breaks and escapes, in the standard alphabet; `None` if the input is not
/// base64.
fn normalize_base64(data: &str) -> Option<Cow<'_, str>> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    if !data.is_empty() && data.chars().all(is_plain) {
        return Some(Cow::Borrowed(data));
    }
    let mut cleaned = String::with_capacity(data.len());
    let mut rest = data.chars();
    while let Some(c) = rest.next() {
        match c {
            c if c.is_ascii_whitespace() => {}
            '-' => cleaned.push('+'),
            '_' => cleaned.push('/'),
            '%' => {
                let escape: String = rest.by_ref().take(2).collect();
                match escape.to_ascii_uppercase().as_str() {
                    "2B" => cleaned.push('+'),
                    "2F" => cleaned.push('/'),
                    "3D" => cleaned.push('='),
                    "0A" | "0D" | "20" => {}
                    _ => return None,
                }
            }
            c if is_plain(c) => cleaned.push(c),
            _ => return None,
        }
    }
    (!cleaned.is_empty()).then_some(Cow::Owned(cleaned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_urls_are_translated_in_every_form() {
        let base64 = |media_type, data: &str| {
            Ok(Source::Base64 {
                media_type,
                data: data.to_owned(),
            })
        };
        for (url, media_type, data) in [
            ("data:image/jpg;base64,/9j/AA==", "image/jpeg", "/9j/AA=="),
            ("data:image/PNG;base64,AAAA", "image/png", "AAAA"),
            (
                "DATA:image/png;charset=utf-8;BASE64,AAAA",
                "image/png",
                "AAAA",
            ),
            ("data:image/webp;base64,AA\r\nAA\n", "image/webp", "AAAA"),
            ("data:image/gif;base64,-_8%3D", "image/gif", "+/8="),
            (
                "data:application/octet-stream;base64,iVBORw0KGgoA",
                "image/png",
                "iVBORw0KGgoA",
            ),
            ("data:;base64,/9j/AAAA", "image/jpeg", "/9j/AAAA"),
            // The content decides, not the declared type.
            (
                "data:image/jpg;base64,iVBORw0KGgoA",
                "image/png",
                "iVBORw0KGgoA",
            ),
            ("data:image/png;base64,/9j/AAAA", "image/jpeg", "/9j/AAAA"),
            (
                "data:image/jpeg;base64,UklGRiQAAABXRUJQ",
                "image/webp",
                "UklGRiQAAABXRUJQ",
            ),
            (
                "data:image/png;base64,R0lGODlhAQAB",
                "image/gif",
                "R0lGODlhAQAB",
            ),
        ] {
            assert_eq!(source(url), base64(media_type, data), "{url}");
        }
        let url = "https://x.example/a.png";
        assert_eq!(
            source(url),
            Ok(Source::Url {
                url: url.to_owned()
            })
        );
    }

    #[test]
    fn unsupported_images_are_rejected() {
        for url in [
            "http://x.example/a.png",
            "data:image/svg+xml,<svg/>",
            "data:image/svg+xml;base64,PHN2Zz4=",
            "data:image/png;base64,",
            "data:image/png;base64,a b!",
            "data:image/png;base64,%zz",
            "",
        ] {
            assert!(source(url).is_err(), "{url}");
        }
    }
}
