//! Secrets by reference: the pipeline file says where a secret stands, never what it is.
//!
//! So a pipeline file, a plan, a checkpoint or a task's bytes have nothing to hide. A secret's own text lives for one
//! request and shows itself to nobody: [`Secret`] prints as `***`.

use std::fmt;

/// Where a secret stands: `${env:NAME}` or `${file:PATH}`, looked up in the process that needs it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SecretRef(Place);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Place {
    Environment(String),
    File(String),
}

/// A secret's text. Its `Debug` and `Display` show nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl SecretRef {
    /// Reads a reference; `None` for anything else, a secret itself included.
    pub fn parse(text: &str) -> Option<Self> {
        let inner = text.trim().strip_prefix("${")?.strip_suffix('}')?;
        let (kind, place) = inner.split_once(':')?;
        if place.is_empty() {
            return None;
        }
        match kind {
            "env" => Some(Self(Place::Environment(place.to_owned()))),
            "file" => Some(Self(Place::File(place.to_owned()))),
            _ => None,
        }
    }

    /// The secret, as it stands there now. The error names the place.
    pub fn resolve(&self) -> Result<Secret, String> {
        let text = match &self.0 {
            Place::Environment(name) => std::env::var(name)
                .map_err(|_| format!("the environment variable {name} is not set in this process"))?,
            Place::File(path) => std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?,
        };
        let text = text.trim_end_matches(['\r', '\n']).to_owned();
        // A line break inside would end the header that it is sent in.
        if text.is_empty() || text.contains(['\r', '\n']) {
            return Err(format!("{self} is empty or holds line breaks"));
        }
        Ok(Secret(text))
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Environment(name) => write!(f, "${{env:{name}}}"),
            Place::File(path) => write!(f, "${{file:{path}}}"),
        }
    }
}

impl Secret {
    /// The text itself, for the one place that sends it.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_references_are_taken() {
        assert_eq!(SecretRef::parse("${env:HOME}").unwrap().to_string(), "${env:HOME}");
        assert_eq!(SecretRef::parse("${file:/run/secrets/a b}").unwrap().to_string(), "${file:/run/secrets/a b}");
        for text in ["hunter2", "", "$HOME", "${HOME}", "${env:}", "${vault:x}", "${env:X"] {
            assert_eq!(SecretRef::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_secret_is_read_where_it_stands_and_shows_nothing() {
        let file = std::env::temp_dir().join(format!("firesteel-secret-{}", std::process::id()));
        std::fs::write(&file, "canary-7f\n").unwrap();
        let reference = SecretRef::parse(&format!("${{file:{}}}", file.display())).unwrap();
        let secret = reference.resolve().unwrap();
        assert_eq!(secret.reveal(), "canary-7f");
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
        std::fs::write(&file, "two\nlines\n").unwrap();
        assert!(!reference.resolve().unwrap_err().contains("two"));
        std::fs::remove_file(&file).unwrap();
        assert!(reference.resolve().is_err());
        let unset = SecretRef::parse("${env:FIRESTEEL_NO_SUCH_VARIABLE}").unwrap();
        assert!(unset.resolve().unwrap_err().contains("FIRESTEEL_NO_SUCH_VARIABLE"));
    }
}
