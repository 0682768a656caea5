//! A digest of what other files can see of a file.

use ossature_schema_spec::CanonicalHasher;

use super::Rows;

impl Rows<'_> {
    /// The digest: it changes when a file that imports this one may resolve a name differently, and not when a body,
    /// a comment or a line number changes.
    pub(crate) fn interface_hash(&self) -> String {
        let mut hasher = CanonicalHasher::new("ossature.interface.v1");
        for row in &self.definitions {
            let is_local = row.qualified_name.contains("<locals>")
                || matches!(row.definition_kind, "lambda" | "comprehension");
            if is_local {
                continue;
            }
            hasher.text(row.definition_kind);
            hasher.text(&row.qualified_name);
            optional(&mut hasher, row.signature.as_deref());
            optional(&mut hasher, row.bases.as_deref());
            for flag in [
                row.is_static,
                row.is_classmethod,
                row.is_property,
                row.is_abstract,
                row.is_overload,
                row.is_generator,
                row.decorator_count > 0,
            ] {
                hasher.flag(flag);
            }
        }
        for row in &self.bindings {
            let name = row
                .qualified_name
                .as_deref()
                .filter(|name| !name.contains("<locals>"));
            if let (false, Some(name)) = (row.is_parameter, name) {
                hasher.text(row.binding_kind);
                hasher.text(name);
            }
        }
        for row in &self.exports {
            hasher.text(&row.name);
            hasher.text(row.export_kind);
            hasher.flag(row.is_in_all);
        }
        for row in &self.imports {
            hasher.text(row.bound_name.unwrap_or("*"));
            optional(&mut hasher, row.target_module.as_deref());
            optional(&mut hasher, row.imported_name);
        }
        hasher.finish().to_hex()
    }
}

fn optional(hasher: &mut CanonicalHasher, text: Option<&str>) {
    match text {
        Some(text) => hasher.text(text),
        None => hasher.absent(),
    }
}
