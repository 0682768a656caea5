//! The lake that most tests only read: built once, from a small tree with every construct.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Failure, Lake, files_below};

/// A tree that was built, and what the program said of it.
#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) tree: Tree,
    pub(crate) lake: Lake,
    pub(crate) summary: Value,
}

/// Values of statics are never dropped: what this one leaves behind goes with the target folder.
static SHOP: LazyLock<Result<Shop, String>> =
    LazyLock::new(|| Shop::build().map_err(|error| error.to_string()));

/// The shared lake. Tests that change a lake make one of their own.
pub(crate) fn shop() -> Result<&'static Shop, Failure> {
    Ok(SHOP.as_ref().map_err(Clone::clone)?)
}

impl Shop {
    fn build() -> Result<Self, Failure> {
        let tree = Tree::of_the_shop()?;
        let lake = Lake::new()?;
        let summary = lake.build(tree.root(), 2)?;
        Ok(Self {
            tree,
            lake,
            summary,
        })
    }
}

/// A source tree in a folder that is removed with it.
#[derive(Debug)]
pub(crate) struct Tree {
    folder: TempDir,
}

impl Tree {
    /// A tree without files.
    pub(crate) fn empty() -> Result<Self, Failure> {
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?;
        Ok(Self { folder })
    }

    /// A copy of the shop, which resolves names across files, and of the corpus, which has every construct.
    pub(crate) fn of_the_shop() -> Result<Self, Failure> {
        let tree = Self::empty()?;
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        copy(&crates.join("cpg-views/tests/trees/shop"), tree.root())?;
        copy(
            &crates.join("../tests/oracle/corpus"),
            &tree.root().join("corpus"),
        )?;
        Ok(tree)
    }

    /// The folder.
    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Adds a file, or replaces it.
    pub(crate) fn write(
        &self,
        name: impl AsRef<Path>,
        bytes: impl AsRef<[u8]>,
    ) -> Result<(), Failure> {
        Ok(fs::write(self.root().join(name), bytes)?)
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    let files = files_below(from)?;
    assert!(!files.is_empty(), "{} has files", from.display());
    for file in files {
        let copied: PathBuf = to.join(file.strip_prefix(from)?);
        if let Some(folder) = copied.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(file, copied)?;
    }
    Ok(())
}
