//! What `POST /{db}/_snapshot` asks for: `{"ddocs":["billing"],"expires_in":60}`, both optional.

use crate::invalid::{Invalid, one_more, utf8};
use trunkline_core::json::{self, Reader};

/// A snapshot that is to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnapshotRequest {
    /// The design documents whose indexes are to be kept with it, with `_design/`; `None` for all.
    pub designs: Option<Vec<String>>,
    /// Seconds until it ends.
    pub expires_in: Option<u64>,
}

/// Reads the body. An empty one asks for nothing in particular.
pub fn parse(text: &[u8]) -> Result<SnapshotRequest, Invalid> {
    let mut request = SnapshotRequest::default();
    if text.trim_ascii().is_empty() {
        return Ok(request);
    }
    let mut reader = Reader::new(utf8(text)?);
    reader.members(|name, reader| {
        let value = reader.raw()?;
        match &*name {
            "ddocs" => request.designs = Some(designs(value)?),
            "expires_in" => {
                let seconds = value.parse().ok().filter(|seconds| *seconds > 0);
                let wrong =
                    || Invalid::bad_request("`expires_in` must be a whole number of seconds above 0.");
                request.expires_in = Some(seconds.ok_or_else(wrong)?);
            }
            _ => {
                return Err(Invalid::bad_request(format!(
                    "A snapshot has no option `{name}`."
                )));
            }
        }
        Ok::<_, Invalid>(())
    })?;
    reader.end()?;
    Ok(request)
}

fn designs(value: &str) -> Result<Vec<String>, Invalid> {
    let wrong = || Invalid::bad_request("`ddocs` must be an array of names of design documents.");
    if Reader::new(value).peek() != Some(b'[') {
        return Err(wrong());
    }
    let mut designs = Vec::new();
    json::elements(value, |element| {
        one_more(designs.len())?;
        let name = json::string(element).ok_or_else(wrong)?;
        designs.push(format!("_design/{}", name.trim_start_matches("_design/")));
        Ok::<_, Invalid>(())
    })?;
    Ok(designs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        assert_eq!(parse(b" ").unwrap(), SnapshotRequest::default());
        assert_eq!(parse(b"{}").unwrap(), SnapshotRequest::default());
        let asked = parse(br#"{"ddocs":["billing","_design/x"],"expires_in":5}"#).unwrap();
        let designs = ["_design/billing", "_design/x"].map(str::to_owned).to_vec();
        assert_eq!(asked.designs, Some(designs));
        assert_eq!(asked.expires_in, Some(5));
    }

    #[test]
    fn what_is_none() {
        for text in [
            "[]",
            "{",
            r#"{"expires_in":0}"#,
            r#"{"expires_in":1.5}"#,
            r#"{"expires_in":"5"}"#,
            r#"{"ddocs":"x"}"#,
            r#"{"ddocs":[1]}"#,
            r#"{"other":1}"#,
            "{} {}",
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
