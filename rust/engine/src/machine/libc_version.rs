//! Which glibc a process runs on, without asking it: the version stands in its file's text.

use std::fs;

/// Minor number of the oldest glibc 2 that our library and ONNX Runtime's are built for.
pub const GLIBC_NEEDED: u32 = 28;

/// The minor number of the glibc 2 that is mapped into a process; `None` if there is none or its file can't be read.
///
/// `maps` is the text of `/proc/self/maps`.
pub fn glibc_of(maps: &str) -> Option<u32> {
    let file = maps.split_ascii_whitespace().find(|word| {
        let name = word.rsplit('/').next().unwrap_or_default();
        name == "libc.so.6" || name.starts_with("libc-2.")
    })?;
    version_in(&fs::read(file).ok()?)
}

/// The number in `GNU C Library (…) stable release version 2.36.`.
fn version_in(library: &[u8]) -> Option<u32> {
    const WORDS: &[u8] = b" release version 2.";
    let start = library.windows(WORDS.len()).position(|window| window == WORDS)? + WORDS.len();
    let digits: String = library[start..].iter().take_while(|b| b.is_ascii_digit()).map(|&b| char::from(b)).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_version_from_the_librarys_text() {
        let text = b"\0GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.\nCopyright";
        assert_eq!(version_in(text), Some(36));
        assert_eq!(version_in(b"musl libc"), None);
        assert_eq!(glibc_of("7f00-7f01 r-xp 0 08:01 12 /lib/ld-musl-x86_64.so.1"), None);
    }

    #[test]
    fn finds_the_glibc_of_this_very_process() {
        let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
        assert!(glibc_of(&maps).is_some_and(|minor| minor >= GLIBC_NEEDED));
    }
}
