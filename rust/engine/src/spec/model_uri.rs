//! What a model's `uri` names: a file, or a model in a store. `docs/reference/model-store.md` is the user's page.

/// A model's uri by its form. Nothing is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelUri<'a> {
    /// An ONNX file.
    File(&'a str),
    /// `STORE@alias`: the version that an alias of a store folder stands at.
    Alias {
        /// The store's folder.
        store: &'a str,
        /// The alias.
        alias: &'a str,
    },
    /// `STORE@3`: a version in a store folder.
    Version {
        /// The store's folder.
        store: &'a str,
        /// The version, from 1.
        version: u64,
    },
    /// `models:/…` or `runs:/…`: MLflow's registry.
    Mlflow(&'a str),
}

impl<'a> ModelUri<'a> {
    /// Reads a uri. An `@` counts in the last part of the path only, and with a plain word or number behind it: in
    /// `abfss://models@account/fraud.onnx` and `me@home.onnx` it is part of a file's name.
    pub fn parse(uri: &'a str) -> Self {
        if uri.starts_with("models:/") || uri.starts_with("runs:/") {
            return Self::Mlflow(uri);
        }
        let last = uri.rfind('/').map_or(0, |slash| slash + 1);
        let Some(at) = uri[last..].rfind('@').map(|at| last + at).filter(|&at| at > last) else {
            return Self::File(uri);
        };
        let (store, reference) = (&uri[..at], &uri[at + 1..]);
        if let Ok(version @ 1..) = reference.parse::<u64>()
            && reference.bytes().all(|b| b.is_ascii_digit())
        {
            return Self::Version { store, version };
        }
        if is_alias(reference) { Self::Alias { store, alias: reference } } else { Self::File(uri) }
    }

    /// Whether the model has a version.
    pub fn is_stored(&self) -> bool {
        !matches!(self, Self::File(_))
    }
}

/// Whether a word can be an alias: letters, digits, `-`, `_`, a letter first.
pub fn is_alias(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_at_sign_counts_in_the_last_part_only() {
        let alias = ModelUri::Alias { store: "models/fraud", alias: "champion" };
        assert_eq!(ModelUri::parse("models/fraud@champion"), alias);
        let version = ModelUri::Version { store: "s3a://b/m/fraud", version: 3 };
        assert_eq!(ModelUri::parse("s3a://b/m/fraud@3"), version);
        for file in
            ["m.onnx", "abfss://c@account/m.onnx", "a/me@home.onnx", "@champion", "a/@3", "fraud@0", "fraud@-1", "x@"]
        {
            assert_eq!(ModelUri::parse(file), ModelUri::File(file), "{file}");
        }
        for uri in ["models:/fraud@champion", "models:/fraud/3", "runs:/0123/model"] {
            assert_eq!(ModelUri::parse(uri), ModelUri::Mlflow(uri));
        }
    }
}
