//! What files are called: the folder of their partition, and their content.

use std::collections::{BTreeMap, BTreeSet};

use object_store::path::Path;
use ossature_schema_spec::{ColumnName, Fingerprint, Version};

use crate::WriteMode;

/// A partition, as files are placed in it: nothing for a table without.
#[derive(Debug, Default)]
pub(crate) struct FilePlace {
    /// The values of the partition columns, as text.
    pub(crate) values: BTreeMap<String, Option<String>>,
    folder: Vec<String>,
}

impl FilePlace {
    /// The place of files whose rows have these values in these columns.
    pub(crate) fn new(columns: &[ColumnName], values: &[Option<String>]) -> Self {
        let named = || columns.iter().map(ToString::to_string).zip(values);
        // `name=value` for every column; what could leave the folder is escaped by the path type.
        let folder = named().map(|(column, value)| match value {
            // One character more, so that no text has the folder of nulls, nor that of another text.
            Some(value) if value.starts_with(NULL_FOLDER) => format!("{column}={value}_"),
            Some(value) => format!("{column}={value}"),
            None => format!("{column}={NULL_FOLDER}"),
        });
        Self {
            values: named()
                .map(|(column, value)| (column, value.clone()))
                .collect(),
            folder: folder.collect(),
        }
    }
}

/// What stands for null in the name of a folder.
const NULL_FOLDER: &str = "__HIVE_DEFAULT_PARTITION__";

/// Gives every file of one write its name.
///
/// **Determinism**: equal files are numbered, the second as 2. They are interchangeable, so the names that they have
/// together do not depend on which of them asked first.
#[derive(Debug, Clone)]
pub(crate) struct FileNames {
    /// What tells appended files from those that were there.
    suffix: String,
    /// How many files have the name, but for their numbers.
    given: BTreeMap<Path, u32>,
    taken: BTreeSet<Path>,
}

impl FileNames {
    /// Names for a write to the table at that version.
    pub(crate) fn new(mode: &WriteMode, version: Version) -> Self {
        let suffix = match mode {
            // Rows that are appended twice are two files.
            WriteMode::Append => format!("-{}", version.number() + 1),
            _ => String::new(),
        };
        Self {
            suffix,
            given: BTreeMap::new(),
            taken: BTreeSet::new(),
        }
    }

    /// Leaves out the names of files that stay.
    pub(crate) fn without(mut self, taken: BTreeSet<Path>) -> Self {
        self.taken = taken;
        self
    }

    #[cfg(test)]
    pub(crate) fn is_unused(&self) -> bool {
        self.given.is_empty()
    }

    /// The path of the next file with this content.
    pub(crate) fn next(&mut self, place: &FilePlace, digest: Fingerprint) -> Path {
        let stem = format!("part-{:.32}{}", digest.to_hex(), self.suffix);
        let inside =
            |name: String| -> Path { place.folder.iter().cloned().chain([name]).collect() };
        let count = self.given.entry(inside(stem.clone())).or_default();
        loop {
            *count += 1;
            let path = match *count {
                1 => inside(format!("{stem}.parquet")),
                number => inside(format!("{stem}_{number}.parquet")),
            };
            if !self.taken.contains(&path) {
                return path;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_files_of_a_table_have_one_name() {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&[0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]);
        let digest = Fingerprint::from_bytes(digest);
        let mut overwrite = FileNames::new(&WriteMode::Overwrite, Version::new(0));
        let mut append = FileNames::new(&WriteMode::Append, Version::new(1));
        let root = FilePlace::default();
        let family = ColumnName::try_new("family").unwrap();
        let local = FilePlace::new(&[family], &[Some("local".to_owned())]);
        let names = [
            overwrite.next(&root, digest),
            overwrite.next(&root, digest),
            overwrite.next(&local, digest),
            append.next(&root, digest),
            append.next(&root, digest),
        ];
        let names = names.map(|path| path.to_string());
        let want = [
            "part-0123456789abcdef0000000000000000.parquet",
            "part-0123456789abcdef0000000000000000_2.parquet",
            "family=local/part-0123456789abcdef0000000000000000.parquet",
            "part-0123456789abcdef0000000000000000-2.parquet",
            "part-0123456789abcdef0000000000000000-2_2.parquet",
        ];
        assert_eq!(names, want);
    }

    #[test]
    fn the_name_of_a_file_that_stays_is_given_to_no_other() {
        let digest = Fingerprint::from_bytes([7; 32]);
        let other = Fingerprint::from_bytes([8; 32]);
        let root = FilePlace::default();
        let family = ColumnName::try_new("family").unwrap();
        let local = FilePlace::new(&[family], &[Some("local".to_owned())]);
        let stem = format!("part-{}", "07".repeat(16));
        let named = |name: &str| Path::from(format!("{stem}{name}.parquet"));
        let taken = BTreeSet::from([named(""), named("_3")]);
        let new = || FileNames::new(&WriteMode::Merge, Version::new(3));
        let mut names = new().without(taken);
        let given = [1, 2, 3].map(|_| names.next(&root, digest));
        assert_eq!(given, [named("_2"), named("_4"), named("_5")]);
        // Other content has other names, and so have the files of another partition.
        assert_eq!(names.next(&root, other), new().next(&root, other));
        assert_eq!(names.next(&local, digest), new().next(&local, digest));
    }
}
