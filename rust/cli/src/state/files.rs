//! Where snapshots lie: `<checkpoint>/sources/N/windows/TOPIC-PARTITION/OFFSET.arrow`.

use std::path::{Path, PathBuf};

use crate::error::CliError;

/// A snapshot's file, and what its path says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SnapshotFile {
    pub(super) path: PathBuf,
    /// Topic and partition, if the folder says so.
    pub(super) partition: Option<String>,
    /// All records before this offset are in it, if the name says so.
    pub(super) offset: Option<u64>,
}

/// The snapshot that `path` is, or the newest one of each partition below it, by partition.
pub(super) fn find(path: &Path) -> Result<Vec<SnapshotFile>, CliError> {
    let kind = std::fs::metadata(path).map_err(CliError::file(path))?;
    if kind.is_file() {
        return Ok(vec![snapshot(path)]);
    }
    let mut folders = vec![path.to_owned()];
    let mut sources = entries(&path.join("sources"));
    if let Some(beside) = path.file_name().filter(|name| *name == "sources").map(|_| path.to_owned()) {
        sources = entries(&beside);
    }
    let windows = std::iter::once(path.to_owned()).chain(sources).map(|folder| folder.join("windows"));
    for folder in windows.chain([path.to_owned()]) {
        folders.extend(entries(&folder));
    }
    let mut found: Vec<SnapshotFile> = folders.iter().filter_map(|folder| newest(folder)).collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found.dedup();
    if found.is_empty() {
        let message = "no snapshot of windows is here (OFFSET.arrow). Name one, its folder TOPIC-PARTITION, \
                       CHECKPOINT/sources/0/windows, or the checkpoint. The first one is written after snapshotEvents \
                       events of a partition";
        return Err(CliError::Content { path: path.to_owned(), message: message.to_owned() });
    }
    Ok(found)
}

/// Everything in a folder; nothing if it is none.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// The snapshot with the highest offset in a folder.
fn newest(folder: &Path) -> Option<SnapshotFile> {
    let snapshots = entries(folder).into_iter().map(|path| snapshot(&path));
    snapshots.filter(|file| file.offset.is_some()).max_by_key(|file| file.offset)
}

fn snapshot(path: &Path) -> SnapshotFile {
    let offset = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".arrow")?.parse().ok());
    let folder = std::path::absolute(path).ok().and_then(|path| path.parent()?.file_name().map(ToOwned::to_owned));
    let partition = folder.map(|name| name.to_string_lossy().into_owned()).filter(|name| {
        name.rsplit_once('-').is_some_and(|(topic, number)| !topic.is_empty() && number.parse::<u32>().is_ok())
    });
    SnapshotFile { path: path.to_owned(), partition, offset }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_each_partition_is_found_from_anywhere() {
        let root = std::env::temp_dir().join(format!("firesteel-files-{}", std::process::id()));
        let windows = root.join("sources/0/windows");
        for (folder, file) in [("a-b-0", "9.arrow"), ("a-b-0", "10.arrow"), ("a-b-1", "7.arrow"), ("a-b-1", ".8.x.tmp")]
        {
            std::fs::create_dir_all(windows.join(folder)).unwrap();
            std::fs::write(windows.join(folder).join(file), "").unwrap();
        }
        let shown = |path: &Path| -> Vec<(Option<String>, Option<u64>)> {
            find(path).unwrap().into_iter().map(|file| (file.partition, file.offset)).collect()
        };
        let both = [(Some("a-b-0".to_owned()), Some(10)), (Some("a-b-1".to_owned()), Some(7))];
        for path in ["", "sources", "sources/0", "sources/0/windows"] {
            assert_eq!(shown(&root.join(path)), both, "{path}");
        }
        assert_eq!(shown(&windows.join("a-b-1")), both[1..]);
        assert_eq!(shown(&windows.join("a-b-0/9.arrow")), [(Some("a-b-0".to_owned()), Some(9))]);
        std::fs::create_dir_all(root.join("empty")).unwrap();
        assert!(find(&root.join("empty")).unwrap_err().to_string().contains("no snapshot"));
        assert!(find(&root.join("nowhere")).is_err());
        std::fs::remove_dir_all(root).unwrap();
    }
}
