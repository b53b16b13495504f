//! How much memory a container gives its processes.

use std::fs;
use std::path::Path;

/// Values from here on mean "no limit" in version 1 of control groups.
const NO_LIMIT: u64 = 1 << 60;

/// The limit of the control group whose files are in `root` (`/sys/fs/cgroup`), version 2 or 1, in bytes.
pub fn container_limit(root: &Path) -> Option<u64> {
    ["memory.max", "memory/memory.limit_in_bytes"]
        .iter()
        .find_map(|name| fs::read_to_string(root.join(name)).ok())
        .and_then(|text| text.trim().parse().ok())
        .filter(|&bytes| bytes < NO_LIMIT)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_versions_and_knows_what_is_no_limit() {
        let folder = std::env::temp_dir().join(format!("firesteel-cgroup-{}", std::process::id()));
        fs::create_dir_all(folder.join("memory")).unwrap();
        fs::write(folder.join("memory/memory.limit_in_bytes"), "9223372036854771712\n").unwrap();
        assert_eq!(container_limit(&folder), None);
        fs::write(folder.join("memory/memory.limit_in_bytes"), "1073741824\n").unwrap();
        assert_eq!(container_limit(&folder), Some(1 << 30));
        fs::write(folder.join("memory.max"), "max\n").unwrap();
        assert_eq!(container_limit(&folder), None);
        fs::write(folder.join("memory.max"), "536870912\n").unwrap();
        assert_eq!(container_limit(&folder), Some(1 << 29));
        fs::remove_dir_all(&folder).unwrap();
    }
}
