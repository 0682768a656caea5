//! The dotted name under which a file is imported.

use std::collections::BTreeSet;

/// The directories of a tree that hold an `__init__.py`, as paths below the root.
#[derive(Debug, Default)]
pub(crate) struct Packages(BTreeSet<String>);

impl Packages {
    /// Finds them among the paths of the files.
    pub(crate) fn among<'a>(paths: impl Iterator<Item = &'a str>) -> Self {
        Self(
            paths
                .filter_map(|path| match path.rsplit_once('/') {
                    Some((directory, "__init__.py")) => Some(directory.to_owned()),
                    _ => None,
                })
                .collect(),
        )
    }

    /// The module name of a file.
    ///
    /// Inside a package the name begins at the outermost directory of the unbroken chain of packages; elsewhere it is
    /// the whole path below the root, without a leading `src`. An `__init__.py` has its package's name.
    pub(crate) fn module_name(&self, path: &str) -> String {
        let stem = path.strip_suffix(".py").unwrap_or(path);
        let (directory, file) = stem.rsplit_once('/').unwrap_or(("", stem));
        let base = self.base(directory);
        let below = directory
            .get(base..)
            .unwrap_or_default()
            .trim_start_matches('/');
        let parts = below
            .split('/')
            .filter(|part| !part.is_empty())
            .chain((file != "__init__" || below.is_empty()).then_some(file));
        parts.collect::<Vec<_>>().join(".")
    }

    /// How many bytes of a directory lie above the place where module names begin.
    fn base(&self, directory: &str) -> usize {
        if !self.0.contains(directory) {
            return match directory.strip_prefix("src") {
                Some(rest) if rest.is_empty() || rest.starts_with('/') => 3,
                _ => 0,
            };
        }
        let mut outermost = directory;
        while let Some((parent, _)) = outermost.rsplit_once('/') {
            if !self.0.contains(parent) {
                return parent.len();
            }
            outermost = parent;
        }
        0
    }
}

/// The absolute name of an imported module.
///
/// `level` counts the leading dots; the first stands for the importing module's package. The empty name is the root;
/// `None` means that the dots climb above it.
pub(crate) fn absolute(
    importer: &str,
    is_package: bool,
    level: u32,
    module: Option<&str>,
) -> Option<String> {
    let module = module.unwrap_or_default();
    if level == 0 {
        return Some(module.to_owned());
    }
    let mut package: Vec<&str> = importer
        .split('.')
        .filter(|part| !part.is_empty())
        .collect();
    let above = if is_package { level - 1 } else { level };
    for _ in 0..above {
        package.pop()?;
    }
    if !module.is_empty() {
        package.push(module);
    }
    Some(package.join("."))
}

#[cfg(test)]
mod tests {
    use super::{Packages, absolute};
    use expect_test::{Expect, expect};

    #[track_caller]
    fn check(paths: &[&str], want: &Expect) {
        let packages = Packages::among(paths.iter().copied());
        let names: Vec<String> = paths
            .iter()
            .map(|path| format!("{path} = {}", packages.module_name(path)))
            .collect();
        want.assert_eq(&names.join("\n"));
    }

    #[test]
    fn names_begin_at_the_outermost_package() {
        check(
            &[
                "a/b/__init__.py",
                "a/b/c/__init__.py",
                "a/b/c/d.py",
                "a/x.py",
                "a/b/e/f.py",
            ],
            &expect![[r"
                a/b/__init__.py = b
                a/b/c/__init__.py = b.c
                a/b/c/d.py = b.c.d
                a/x.py = a.x
                a/b/e/f.py = a.b.e.f"]],
        );
    }

    #[test]
    fn a_leading_src_is_left_out_and_the_root_is_no_package() {
        check(
            &[
                "src/x.py",
                "src/p/__init__.py",
                "src/p/m.py",
                "src/n/m.py",
                "srcs/m.py",
                "__init__.py",
                "m.py",
                "src.py",
            ],
            &expect![[r"
                src/x.py = x
                src/p/__init__.py = p
                src/p/m.py = p.m
                src/n/m.py = n.m
                srcs/m.py = srcs.m
                __init__.py = __init__
                m.py = m
                src.py = src"]],
        );
    }

    #[test]
    fn dots_climb_from_the_package() {
        for (importer, is_package, level, module, want) in [
            ("a.b.c", false, 1, Some("x"), Some("a.b.x")),
            ("a.b", true, 1, Some("x"), Some("a.b.x")),
            ("a.b", true, 2, None, Some("a")),
            ("main", false, 1, Some("x"), Some("x")),
            ("main", false, 1, None, Some("")),
            ("main", false, 2, Some("x"), None),
            ("a.b", false, 0, Some("x.y"), Some("x.y")),
        ] {
            assert_eq!(
                absolute(importer, is_package, level, module).as_deref(),
                want,
                "{importer} {level}"
            );
        }
    }
}
