//! The files of the repository as tidy sees them: what git tracks or would track, read once.
//!
//! Paths are relative with forward slashes; a snapshot for a test is a list of literals.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

/// One file. `text` is `None` when the bytes are no UTF-8.
#[derive(Debug, Clone)]
pub(crate) struct File {
    /// Size in bytes.
    pub(crate) size: u64,
    /// The content.
    pub(crate) text: Option<String>,
}

/// All files by path.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, File>,
}

impl Tree {
    /// Reads the work tree: tracked files and new ones that are not ignored.
    pub(crate) fn load(root: &Path) -> anyhow::Result<Self> {
        let list = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .context("git ls-files")?;
        if !list.status.success() {
            bail!("git ls-files: {}", String::from_utf8_lossy(&list.stderr).trim());
        }
        let mut files = BTreeMap::new();
        for path in String::from_utf8(list.stdout)?.split('\0').filter(|path| !path.is_empty()) {
            // A tracked file that was deleted but not yet staged is simply gone.
            let Ok(bytes) = std::fs::read(root.join(path)) else { continue };
            let size = u64::try_from(bytes.len())?;
            files.insert(path.to_owned(), File { size, text: String::from_utf8(bytes).ok() });
        }
        Ok(Self { files })
    }

    /// A tree of literals.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let file = |text: &str| File { size: text.len() as u64, text: Some(text.to_owned()) };
        Self { files: files.iter().map(|(path, text)| ((*path).to_owned(), file(text))).collect() }
    }

    /// Every file with its path.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &File)> {
        self.files.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// The text files below `prefix` whose name ends with one of `ends`.
    pub(crate) fn texts<'a>(
        &'a self,
        prefix: &'a str,
        ends: &'a [&'a str],
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.all().filter_map(move |(path, file)| {
            let fits = path.starts_with(prefix) && ends.iter().any(|end| path.ends_with(end));
            fits.then_some(path).zip(file.text.as_deref())
        })
    }

    /// One text file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path)?.text.as_deref()
    }
}
