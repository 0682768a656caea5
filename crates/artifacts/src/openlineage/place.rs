//! How other tools name a dataset: by where it lies.

use percent_encoding::percent_decode_str;
use serde::Serialize;
use url::Url;

/// The namespace and the name of a dataset, without what may be a secret.
///
/// **Source**: the naming conventions of `OpenLineage`. For a local file they want the namespace `file` and the path, for a
/// store the namespace `scheme://bucket` and the key. A container of Azure that is named without its account
/// (`az://container`) has a namespace without it, because the account is not in the URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Place {
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Place {
    /// The place of the folder at a URL.
    pub(super) fn of(folder: &Url) -> Self {
        let (namespace, path) = if let Ok(path) = folder.to_file_path() {
            ("file".to_owned(), path.to_string_lossy().into_owned())
        } else {
            let key = percent_decode_str(folder.path()).decode_utf8_lossy();
            (store(folder), key.trim_start_matches('/').to_owned())
        };
        Self {
            namespace,
            name: without_slash(&path),
        }
    }

    /// The place of a source tree, which is recorded as a path, or as a URL without secrets.
    pub(super) fn of_source(source: &str) -> Self {
        match Url::parse(source) {
            Ok(url) if source.contains("://") => Self::of(&url),
            _ => Self {
                namespace: "file".to_owned(),
                name: without_slash(source),
            },
        }
    }
}

/// The URL of a lake, for what has to be a URI.
pub(super) fn root(lake: &Url) -> String {
    format!("{}{}", store(lake), without_slash(lake.path()))
}

/// The part of a URL before the path.
fn store(url: &Url) -> String {
    let scheme = match url.scheme() {
        "s3a" => "s3",
        scheme => scheme,
    };
    let host = url.host_str().unwrap_or_default();
    // There a container stands where others have a user.
    let container = if scheme.starts_with("abfs") && !url.username().is_empty() {
        format!("{}@", url.username())
    } else {
        String::new()
    };
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    format!("{scheme}://{container}{host}{port}")
}

/// A folder's path without the slash at its end; a root has nothing but that.
fn without_slash(path: &str) -> String {
    match path.trim_end_matches('/') {
        "" => path.to_owned(),
        path => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(url: &str, want: &Expect) {
        let url = Url::parse(url).unwrap();
        let Place { namespace, name } = Place::of(&url);
        want.assert_eq(&format!("{namespace} | {name} | {}", root(&url)));
    }

    #[test]
    fn a_local_folder_is_a_path() {
        check(
            "file:///data/my%20lake/cpg/cpg_nodes/",
            &expect!["file | /data/my lake/cpg/cpg_nodes | file:///data/my%20lake/cpg/cpg_nodes"],
        );
        check("file:///", &expect!["file | / | file:///"]);
    }

    #[test]
    fn a_bucket_is_the_namespace_and_the_key_the_name() {
        check(
            "s3://bucket/my%20lake/cpg/cpg_nodes/",
            &expect!["s3://bucket | my lake/cpg/cpg_nodes | s3://bucket/my%20lake/cpg/cpg_nodes"],
        );
        check(
            "s3a://bucket/lake",
            &expect!["s3://bucket | lake | s3://bucket/lake"],
        );
    }

    #[test]
    fn a_container_of_azure_keeps_its_account_where_it_is_told() {
        check(
            "abfss://container@account.dfs.core.windows.net/lake/",
            &expect![
                "abfss://container@account.dfs.core.windows.net | lake | abfss://container@account.dfs.core.windows.net/lake"
            ],
        );
        check(
            "az://container/lake/",
            &expect!["az://container | lake | az://container/lake"],
        );
    }

    #[test]
    fn users_queries_and_fragments_are_left_out() {
        check(
            "s3://key:secret@bucket/lake?token=secret#secret",
            &expect!["s3://bucket | lake | s3://bucket/lake"],
        );
        let source = "https://me:secret@example.org:8443/tree?token=secret";
        let Place { namespace, name } = Place::of_source(source);
        assert_eq!(
            (namespace.as_str(), name.as_str()),
            ("https://example.org:8443", "tree")
        );
    }

    #[test]
    fn a_source_tree_is_a_path_or_a_url() {
        let place = |source| {
            let Place { namespace, name } = Place::of_source(source);
            format!("{namespace} | {name}")
        };
        assert_eq!(place("/src/project/"), "file | /src/project");
        assert_eq!(place("/"), "file | /");
        assert_eq!(place("file:///src/project"), "file | /src/project");
    }
}
