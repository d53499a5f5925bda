//! Headers with which the gateway tells the Workers behind it what only it knows. Those Workers have no
//! public address, and the gateway replaces the headers of clients.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// The id of the request, so that all logs and the audit log name the id that the client receives.
pub const REQUEST_ID_HEADER: &str = "x-clawless-request-id";

/// The names that requests for models may have: models, and aliases with a model.
pub const MODELS_HEADER: &str = "x-clawless-offered-models";

/// Bytes that a list of names in a header cannot contain, or that structure it.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%').add(b',').add(b' ');

/// Writes names as the value of a header.
pub fn write_names<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names = names.into_iter();
    let names = names.map(|name| utf8_percent_encode(name, ESCAPED).to_string());
    names.collect::<Vec<_>>().join(",")
}

/// Reads names from the value of a header.
pub fn read_names(value: &str) -> Vec<String> {
    let names = value.split(',').filter(|name| !name.is_empty());
    let decode = |name| percent_decode_str(name).decode_utf8_lossy().into_owned();
    names.map(decode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_were_written() {
        let names = [
            "gpt-6",
            "@cf/meta/llama",
            "a,b",
            "50% off",
            "m\r\nx: y",
            "modèle",
            "auto",
        ];
        let value = write_names(names);
        assert!(
            value.is_ascii() && !value.contains(char::is_control),
            "{value}"
        );
        assert_eq!(read_names(&value), names);
        assert_eq!(read_names(""), Vec::<String>::new());
    }
}
