//! Where events go, as the command line and the variables of `OpenLineage`'s clients say.

use std::fmt;
use std::path::PathBuf;

use reqwest::header::HeaderValue;
use url::Url;

/// Where clients send events to below a URL that has no path.
const ENDPOINT: &str = "api/v1/lineage";

/// The namespace of jobs where nobody names one.
const NAMESPACE: &str = "ossature";

/// Where events go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// A file, which lines are appended to.
    File(PathBuf),
    /// An endpoint; its URL holds no secret.
    Endpoint(Url),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "`{}`", path.display()),
            Self::Endpoint(url) => write!(f, "{url}"),
        }
    }
}

/// Where events go, and in whose name.
#[derive(Debug, Clone)]
pub(super) struct Destination {
    pub(super) target: Target,
    /// The namespace of the jobs.
    pub(super) namespace: String,
    /// What opens the endpoint; it is never shown.
    pub(super) authorization: Option<HeaderValue>,
}

/// The variables that the clients of `OpenLineage` heed.
#[derive(Default)]
pub(super) struct Variables {
    url: Option<String>,
    endpoint: Option<String>,
    api_key: Option<String>,
    namespace: Option<String>,
    disabled: Option<String>,
}

impl Variables {
    pub(super) fn of_environment() -> Self {
        Self {
            url: variable("OPENLINEAGE_URL"),
            endpoint: variable("OPENLINEAGE_ENDPOINT"),
            api_key: variable("OPENLINEAGE_API_KEY"),
            namespace: variable("OPENLINEAGE_NAMESPACE"),
            disabled: variable("OPENLINEAGE_DISABLED"),
        }
    }
}

/// A variable that is set and not empty.
#[expect(
    clippy::disallowed_methods,
    reason = "the program is where the environment is read"
)]
fn variable(name: &str) -> Option<String> {
    let value = std::env::var(name).ok()?.trim().to_owned();
    (!value.is_empty()).then_some(value)
}

impl Destination {
    /// What the command line says, or else the environment; nothing where neither says anything, or events are disabled.
    /// What is wrong is told without what was typed, which may hold a secret.
    pub(super) fn of(
        argument: Option<&str>,
        variables: &Variables,
    ) -> Result<Option<Self>, &'static str> {
        let disabled = variables.disabled.as_deref().unwrap_or_default();
        let target = match (argument, variables.url.as_deref()) {
            (Some(typed), _) => Target::of(typed, variables)?,
            (None, Some(url)) => Target::Endpoint(endpoint(url, variables)?),
            (None, None) => return Ok(None),
        };
        if disabled.eq_ignore_ascii_case("true") {
            return Ok(None);
        }
        let is_endpoint = matches!(target, Target::Endpoint(_));
        let key = variables.api_key.as_deref().filter(|_| is_endpoint);
        Ok(Some(Self {
            target,
            namespace: variables
                .namespace
                .as_deref()
                .unwrap_or(NAMESPACE)
                .to_owned(),
            authorization: key.map(authorization).transpose()?,
        }))
    }
}

impl Target {
    fn of(typed: &str, variables: &Variables) -> Result<Self, &'static str> {
        if typed.is_empty() {
            return Err("it is empty");
        }
        if typed.contains("://") || typed.starts_with("http:") || typed.starts_with("https:") {
            return endpoint(typed, variables).map(Self::Endpoint);
        }
        // A path may have a port's form further down.
        let host = typed
            .split_once(':')
            .filter(|(host, _)| !host.contains('/'));
        let port = host.map(|(_, behind)| behind);
        let port = port.map(|behind| behind.split('/').next().unwrap_or_default());
        let is_port = |port: &str| !port.is_empty() && port.bytes().all(|it| it.is_ascii_digit());
        if port.is_some_and(is_port) {
            return Err(
                "it looks like a host and a port: a URL begins with `http://`, and a file of that name is `./NAME`",
            );
        }
        Ok(Self::File(PathBuf::from(typed)))
    }
}

/// The URL that events are posted to: the one that was named, where it has a path.
fn endpoint(text: &str, variables: &Variables) -> Result<Url, &'static str> {
    let mut url = Url::parse(text).map_err(|_| "the URL cannot be read")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("a URL has to begin with `http://` or `https://`");
    }
    let is_bare = url.username().is_empty() && url.password().is_none();
    if !is_bare || url.query().is_some() || url.fragment().is_some() {
        return Err("the URL holds a user, a query or a fragment, which may be secrets");
    }
    if url.path() == "/" {
        url.set_path(variables.endpoint.as_deref().unwrap_or(ENDPOINT));
    }
    Ok(url)
}

fn authorization(key: &str) -> Result<HeaderValue, &'static str> {
    let mut value = HeaderValue::from_str(&format!("Bearer {key}"))
        .map_err(|_| "OPENLINEAGE_API_KEY holds what no header can hold")?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn url(url: &str) -> Variables {
        Variables {
            url: Some(url.to_owned()),
            ..Variables::default()
        }
    }

    #[track_caller]
    fn check(argument: Option<&str>, variables: &Variables, want: &Expect) {
        let told = match Destination::of(argument, variables) {
            Ok(None) => "nowhere".to_owned(),
            Ok(Some(destination)) => {
                let Destination {
                    target,
                    namespace,
                    authorization,
                } = destination;
                format!("{target} as {namespace}, {authorization:?}")
            }
            Err(reason) => format!("refused: {reason}"),
        };
        want.assert_eq(&told);
    }

    #[test]
    fn a_path_is_a_file() {
        let none = Variables::default();
        check(
            Some("run/events.jsonl"),
            &none,
            &expect!["`run/events.jsonl` as ossature, None"],
        );
        check(Some(""), &none, &expect!["refused: it is empty"]);
        check(
            Some("./at:5000"),
            &none,
            &expect!["`./at:5000` as ossature, None"],
        );
        check(
            Some("at:5000/lineage"),
            &none,
            &expect![
                "refused: it looks like a host and a port: a URL begins with `http://`, and a file of that name is `./NAME`"
            ],
        );
        check(None, &none, &expect!["nowhere"]);
    }

    #[test]
    fn a_url_without_a_path_gets_the_one_that_clients_use() {
        let none = Variables::default();
        check(
            Some("http://localhost:5000"),
            &none,
            &expect!["http://localhost:5000/api/v1/lineage as ossature, None"],
        );
        check(
            Some("https://example.org/openapi/lineage"),
            &none,
            &expect!["https://example.org/openapi/lineage as ossature, None"],
        );
        let named = Variables {
            endpoint: Some("api/v2/events".to_owned()),
            ..Variables::default()
        };
        check(
            Some("http://localhost:5000/"),
            &named,
            &expect!["http://localhost:5000/api/v2/events as ossature, None"],
        );
        check(
            Some("http://localhost:5000/own"),
            &named,
            &expect!["http://localhost:5000/own as ossature, None"],
        );
    }

    #[test]
    fn the_environment_names_an_endpoint_where_the_command_line_names_nothing() {
        check(
            None,
            &url("http://localhost:5000"),
            &expect!["http://localhost:5000/api/v1/lineage as ossature, None"],
        );
        check(
            Some("here"),
            &url("http://localhost:5000"),
            &expect!["`here` as ossature, None"],
        );
        check(
            None,
            &url("localhost:5000"),
            &expect!["refused: a URL has to begin with `http://` or `https://`"],
        );
    }

    #[test]
    fn events_may_be_disabled_and_jobs_have_a_namespace() {
        let mut variables = url("http://localhost:5000");
        variables.namespace = Some("team".to_owned());
        check(
            None,
            &variables,
            &expect!["http://localhost:5000/api/v1/lineage as team, None"],
        );
        for disabled in ["true", "TRUE"] {
            variables.disabled = Some(disabled.to_owned());
            check(None, &variables, &expect!["nowhere"]);
            check(Some("file"), &variables, &expect!["nowhere"]);
        }
        variables.disabled = Some("false".to_owned());
        check(Some("file"), &variables, &expect!["`file` as team, None"]);
    }

    #[test]
    fn a_key_is_not_shown() {
        let mut variables = url("http://localhost:5000");
        variables.api_key = Some("canary".to_owned());
        check(
            None,
            &variables,
            &expect!["http://localhost:5000/api/v1/lineage as ossature, Some(Sensitive)"],
        );
        variables.api_key = Some("two\nlines".to_owned());
        check(
            None,
            &variables,
            &expect!["refused: OPENLINEAGE_API_KEY holds what no header can hold"],
        );
    }

    #[test]
    fn urls_that_may_hold_secrets_are_refused() {
        let none = Variables::default();
        for typed in [
            "http://me:canary@localhost",
            "http://canary@localhost",
            "http://localhost/?token=canary",
            "http://localhost/#canary",
            "ftp://localhost",
            "http:",
        ] {
            let reason = Destination::of(Some(typed), &none).map(|_| ()).unwrap_err();
            assert!(!reason.contains("canary"), "{reason}");
        }
    }
}
