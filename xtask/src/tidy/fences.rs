//! Fences: which crates may name which outside dependency.

use crate::manifest::{Manifest, Section};
use crate::problem::Problem;
use crate::repo::Repo;

/// A dependency that only some packages may name.
struct Fence {
    /// A name, or the beginning of names when it ends with `*`.
    dependency: &'static str,
    /// Folders of packages.
    packages: &'static [&'static str],
    /// Whether it also holds for `[dev-dependencies]`.
    holds_in_tests: bool,
    /// What the fence keeps true.
    because: &'static str,
}

const FENCES: &[Fence] = &[
    Fence {
        dependency: "deltalake-core",
        packages: &["registry", "write-pipeline", "tests", "benches"],
        holds_in_tests: true,
        because: "tables are opened in `registry` and written in `write-pipeline`, nowhere else",
    },
    Fence {
        dependency: "buoyant_kernel",
        packages: &["registry", "tests"],
        holds_in_tests: true,
        because: "it goes with `deltalake-core`, through which the kernel is used",
    },
    Fence {
        dependency: "datafusion*",
        packages: &[
            "registry",
            "lineage",
            "udfs",
            "view-graph",
            "write-pipeline",
            "artifacts",
            "pipeline",
            "cpg-views",
            "ossature",
            "tests",
            "benches",
        ],
        holds_in_tests: true,
        because: "declarations, policies and extraction build and run without a query engine",
    },
    Fence {
        dependency: "datafusion-substrait",
        packages: &["lineage"],
        holds_in_tests: false,
        because: "the identity of a plan has one encoder",
    },
    Fence {
        dependency: "object_store",
        packages: &["registry", "write-pipeline", "ossature", "tests", "benches"],
        holds_in_tests: false,
        because: "storage is reached through `registry` and `write-pipeline`",
    },
    Fence {
        dependency: "ruff_*",
        packages: &["python-extract", "benches"],
        holds_in_tests: true,
        because: "the parser's interface is unstable, and one crate follows it",
    },
    Fence {
        dependency: "schemars",
        packages: &["artifacts"],
        holds_in_tests: false,
        because: "published schemas come from `artifacts`",
    },
    Fence {
        dependency: "rmp-serde",
        packages: &["artifacts", "registry"],
        holds_in_tests: false,
        because: "payloads are encoded in `artifacts`, and scans in `registry`",
    },
    Fence {
        dependency: "clap",
        packages: &["ossature"],
        holds_in_tests: true,
        because: "only the program has a command line",
    },
    Fence {
        dependency: "miette",
        packages: &["ossature"],
        holds_in_tests: true,
        because: "libraries return typed errors; the program renders them",
    },
    Fence {
        dependency: "indicatif",
        packages: &["ossature"],
        holds_in_tests: true,
        because: "only the program shows progress",
    },
    Fence {
        dependency: "comfy-table",
        packages: &["ossature"],
        holds_in_tests: true,
        because: "only the program draws tables",
    },
    Fence {
        dependency: "reqwest",
        packages: &["ossature"],
        holds_in_tests: true,
        because: "storage is reached through its own clients, and nothing but the program speaks to anybody else",
    },
    Fence {
        dependency: "tracing-subscriber",
        packages: &["ossature"],
        holds_in_tests: true,
        because: "only the program decides where events go",
    },
    Fence {
        dependency: "tempfile",
        packages: &["ossature", "tests", "benches"],
        holds_in_tests: false,
        because: "no result may depend on a temporary folder; only the program makes one, for what it compares and removes",
    },
];

/// No manifest names a dependency from outside its fence.
pub(crate) fn check(repo: &Repo) -> Vec<Problem> {
    let mut problems = Vec::new();
    for manifest in Manifest::all(repo).0 {
        for dependency in &manifest.dependencies {
            for fence in FENCES {
                if fence.refuses(&manifest.folder, &dependency.name, dependency.section) {
                    problems.push(Problem::at(
                        &manifest.path,
                        dependency.line,
                        format!("`{}` must not name `{}`", manifest.folder, dependency.name),
                        format!(
                            "{}; allowed in {}",
                            fence.because,
                            fence.packages.join(", ")
                        ),
                    ));
                }
            }
        }
    }
    problems
}

impl Fence {
    fn refuses(&self, package: &str, dependency: &str, section: Section) -> bool {
        self.covers(dependency)
            && (self.holds_in_tests || section == Section::Normal)
            && !self.packages.contains(&package)
    }

    fn covers(&self, dependency: &str) -> bool {
        match self.dependency.strip_suffix('*') {
            Some(beginning) => dependency.starts_with(beginning),
            None => dependency == self.dependency,
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::check as check_fences;
    use crate::problem::render;
    use crate::repo::Repo;

    #[track_caller]
    fn check(folder: &str, table: &str, dependency: &str, want: &Expect) {
        let path = format!("crates/{folder}/Cargo.toml");
        let text = format!(
            "[package]\nname = \"ossature-{folder}\"\n[{table}]\n{dependency}.workspace = true\n"
        );
        let repo = Repo::of([(path.as_str(), text.as_str())]);
        want.assert_eq(&render(&check_fences(&repo)));
    }

    #[test]
    fn inside_the_fence_is_silent() {
        check("registry", "dependencies", "deltalake-core", &expect![""]);
        check("delta-policy", "dependencies", "serde", &expect![""]);
    }

    #[test]
    fn outside_the_fence_is_refused() {
        check(
            "artifacts",
            "dependencies",
            "deltalake-core",
            &expect![[r"
                crates/artifacts/Cargo.toml:4: `artifacts` must not name `deltalake-core` - tables are opened in `registry` and written in `write-pipeline`, nowhere else; allowed in registry, write-pipeline, tests, benches
            "]],
        );
    }

    #[test]
    fn a_star_covers_every_name_with_that_beginning() {
        check(
            "delta-policy",
            "dev-dependencies",
            "datafusion-common",
            &expect![[r"
                crates/delta-policy/Cargo.toml:4: `delta-policy` must not name `datafusion-common` - declarations, policies and extraction build and run without a query engine; allowed in registry, lineage, udfs, view-graph, write-pipeline, artifacts, pipeline, cpg-views, ossature, tests, benches
            "]],
        );
    }

    #[test]
    fn some_fences_leave_tests_alone() {
        check("lineage", "dev-dependencies", "tempfile", &expect![""]);
        check(
            "lineage",
            "dependencies",
            "tempfile",
            &expect![[r"
                crates/lineage/Cargo.toml:4: `lineage` must not name `tempfile` - no result may depend on a temporary folder; only the program makes one, for what it compares and removes; allowed in ossature, tests, benches
            "]],
        );
    }
}
