//! The layer table: which crate may use which. It cannot express a cycle.

/// One crate of `crates/`. Its number is its place in the table.
#[derive(Debug)]
pub(crate) struct Layer {
    /// The folder; the package is `ossature-<folder>`, and `ossature` for the program.
    pub(crate) folder: &'static str,
    /// What is decided here and nowhere else.
    pub(crate) owns: &'static str,
    /// The crates that it may use. Only rows above.
    pub(crate) may_use: &'static [&'static str],
    /// What must not appear in it.
    pub(crate) does_not_know: &'static str,
}

/// The folder of the program, the one crate whose package name has no suffix.
pub(crate) const PROGRAM: &str = "ossature";

/// From the ground up.
pub(crate) const LAYERS: &[Layer] = &[
    Layer {
        folder: "schema-spec",
        owns: "what a dataset is: names, columns, semantic types, keys, order, Parquet layout; schema diff; pins; canonical hashing",
        may_use: &[],
        does_not_know: "engines, files, Delta",
    },
    Layer {
        folder: "delta-policy",
        owns: "what is wanted of a Delta table: write, schema, feature, change feed and maintenance policies, resolved with the source of each value; every `delta.*` string",
        may_use: &["schema-spec"],
        does_not_know: "sessions, storage, clocks",
    },
    Layer {
        folder: "registry",
        owns: "opening datasets: locations and stores, pins, the session, the guarded scan, projections and alignment, change feeds, ordering claims, scans as bytes",
        may_use: &["schema-spec", "delta-policy"],
        does_not_know: "writing, views",
    },
    Layer {
        folder: "lineage",
        owns: "facts about a plan: inputs, columns and their roles; canonical Substrait; fingerprints; the plan bundle",
        may_use: &["schema-spec"],
        does_not_know: "opening tables, running plans, writing",
    },
    Layer {
        folder: "udfs",
        owns: "the functions of the domain, their semantic types and the snapshot of their registry",
        may_use: &["schema-spec"],
        does_not_know: "tables",
    },
    Layer {
        folder: "view-graph",
        owns: "views, their dependencies, the schedule, cache boundaries as `Step` values, checks of meaning at plan time",
        may_use: &["schema-spec", "registry", "lineage", "udfs"],
        does_not_know: "how a table is written",
    },
    Layer {
        folder: "write-pipeline",
        owns: "a plan in, a table version out: order, the deterministic writer, properties, features, one commit, verification, maintenance",
        may_use: &[
            "schema-spec",
            "delta-policy",
            "registry",
            "lineage",
            "view-graph",
        ],
        does_not_know: "artifacts, JSON payloads",
    },
    Layer {
        folder: "artifacts",
        owns: "payload types and their envelope, canonical MsgPack and JSON, JSON Schemas, the artifact tables, the run manifest",
        may_use: &[
            "schema-spec",
            "delta-policy",
            "registry",
            "lineage",
            "view-graph",
            "write-pipeline",
        ],
        does_not_know: "what a run does",
    },
    Layer {
        folder: "pipeline",
        owns: "one run: pin, plan, schedule, write, record, publish; windows and dirty keys; replay and verification",
        may_use: &[
            "schema-spec",
            "delta-policy",
            "registry",
            "lineage",
            "udfs",
            "view-graph",
            "write-pipeline",
            "artifacts",
        ],
        does_not_know: "Python, the domain of the graph",
    },
    Layer {
        folder: "python-extract",
        owns: "Python source to Arrow batches: syntax, scopes, control flow, data flow, calls, imports; one file at a time",
        may_use: &["schema-spec"],
        does_not_know: "Delta, sessions, other files",
    },
    Layer {
        folder: "cpg-views",
        owns: "the code property graph as declarations: datasets, policies, views, accelerators, integrity rules",
        may_use: &[
            "schema-spec",
            "delta-policy",
            "udfs",
            "view-graph",
            "python-extract",
        ],
        does_not_know: "execution",
    },
    Layer {
        folder: PROGRAM,
        owns: "the program: command line, configuration, progress, rendering, exit codes",
        may_use: &[
            "schema-spec",
            "delta-policy",
            "registry",
            "lineage",
            "udfs",
            "view-graph",
            "write-pipeline",
            "artifacts",
            "pipeline",
            "python-extract",
            "cpg-views",
        ],
        does_not_know: "nothing; nothing may know it",
    },
];

// A cycle needs a row that names itself or a row below: such a table does not compile.
const _: () = assert!(
    names_only_rows_above(LAYERS),
    "a row of LAYERS may only name rows above it"
);

const fn names_only_rows_above(layers: &[Layer]) -> bool {
    let mut row = 0;
    while row < layers.len() {
        let mut used = 0;
        while used < layers[row].may_use.len() {
            if !is_above(layers, row, layers[row].may_use[used]) {
                return false;
            }
            used += 1;
        }
        row += 1;
    }
    true
}

/// Whether a folder has a row above this one.
pub(crate) const fn is_above(layers: &[Layer], row: usize, folder: &str) -> bool {
    let mut above = 0;
    while above < row {
        if is_same(layers[above].folder, folder) {
            return true;
        }
        above += 1;
    }
    false
}

const fn is_same(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    if left.len() != right.len() {
        return false;
    }
    let mut at = 0;
    while at < left.len() {
        if left[at] != right[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// The folder of a package of the workspace: `ossature-registry` lies in `registry`.
pub(crate) fn folder_of(package: &str) -> Option<&str> {
    if package == PROGRAM {
        return Some(PROGRAM);
    }
    package.strip_prefix("ossature-")
}

/// The table as Markdown.
pub(crate) fn render() -> String {
    let mut lines = vec![
        "| # | crate | owns | may use | does not know |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    for (row, layer) in LAYERS.iter().enumerate() {
        lines.push(format!(
            "| {row} | `{}` | {} | {} | {} |",
            layer.folder,
            layer.owns,
            render_may_use(row, layer),
            layer.does_not_know,
        ));
    }
    lines.join("\n")
}

fn render_may_use(row: usize, layer: &Layer) -> String {
    match layer.may_use {
        [] => "nothing".to_owned(),
        used if used.len() == row && row > 2 => "all above".to_owned(),
        used => used.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::{Layer, names_only_rows_above};

    const fn layer(folder: &'static str, may_use: &'static [&'static str]) -> Layer {
        Layer {
            folder,
            owns: "",
            may_use,
            does_not_know: "",
        }
    }

    #[test]
    fn a_row_names_only_rows_above() {
        assert!(names_only_rows_above(&[
            layer("a", &[]),
            layer("b", &["a"])
        ]));
        assert!(!names_only_rows_above(&[layer("a", &["a"])]));
        assert!(!names_only_rows_above(&[
            layer("a", &["b"]),
            layer("b", &["a"])
        ]));
    }
}
