//! Keeps secrets out of text that becomes part of a commit or of an artifact.

use serde_json::Value;

/// Words in the name of a setting whose value is nobody's business.
const SECRET_WORDS: [&str; 6] = [
    "secret",
    "password",
    "token",
    "credential",
    "signature",
    "access_key",
];

/// What stands in the place of a value.
const REMOVED: &str = "<removed>";

/// Removes from every word of a text what may be a secret: user, query and fragment of a URL, and the value of a setting
/// whose name speaks of secrets.
///
/// **Determinism**: a function of its argument; what was redacted once is not changed again.
///
/// ```
/// use ossature_write_pipeline::redact;
/// assert_eq!(redact("s3://key:secret@bucket/lake?token=1 failed"), "s3://bucket/lake failed");
/// ```
pub fn redact(text: &str) -> String {
    text.split_inclusive(char::is_whitespace)
        .map(|word| {
            let end = word.trim_end_matches(char::is_whitespace).len();
            let (word, space) = word.split_at(end);
            setting(word).unwrap_or_else(|| url(word)) + space
        })
        .collect()
}

/// Redacts every text inside of a value, and all that stands under a name that speaks of secrets.
pub(crate) fn redact_value(value: &mut Value) {
    match value {
        Value::String(text) => *text = redact(text),
        Value::Array(values) => values.iter_mut().for_each(redact_value),
        Value::Object(fields) => {
            for (name, value) in fields {
                redact_field(name, value);
            }
        }
        _ => {}
    }
}

/// Redacts a value that stands under a name.
pub(crate) fn redact_field(name: &str, value: &mut Value) {
    if speaks_of_secrets(name) {
        *value = Value::String(REMOVED.to_owned());
    } else {
        redact_value(value);
    }
}

fn speaks_of_secrets(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|secret| lower.contains(secret))
}

/// `name=value`, where the name speaks of secrets.
fn setting(word: &str) -> Option<String> {
    let (name, value) = word.split_once(['=', ':'])?;
    (speaks_of_secrets(name) && !value.is_empty()).then(|| format!("{name}={REMOVED}"))
}

fn url(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else {
        return word.to_owned();
    };
    let end = rest
        .find(['"', '\'', '`', '<', '>', ')', ']', '}'])
        .unwrap_or(rest.len());
    let (address, behind) = rest.split_at(end);
    let address = address.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = match address.find('/') {
        Some(slash) => address.split_at(slash),
        None => (address, ""),
    };
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}{behind}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, want: &Expect) {
        want.assert_eq(&redact(text));
    }

    #[test]
    fn addresses_lose_user_query_and_fragment() {
        check(
            "cannot open `s3://key:secret@bucket/lake?X-Amz-Signature=abc`: denied",
            &expect!["cannot open `s3://bucket/lake`: denied"],
        );
        check(
            "git+https://me@host/repo.git#main",
            &expect!["git+https://host/repo.git"],
        );
    }

    #[test]
    fn settings_that_speak_of_secrets_lose_their_values() {
        check(
            "region=eu AWS_SECRET_ACCESS_KEY=abc\n  session_token=xyz",
            &expect![[r#"
                region=eu AWS_SECRET_ACCESS_KEY=<removed>
                  session_token=<removed>"#]],
        );
    }

    #[test]
    fn other_text_stays_as_it_is() {
        check("src/a b.py: 3 files", &expect!["src/a b.py: 3 files"]);
        check("file:///data/my", &expect!["file:///data/my"]);
    }

    proptest! {
        #[test]
        fn redacting_again_changes_nothing(text in "([a-z:/@?#=<> ]|token|secret|\\PC){0,40}") {
            let once = redact(&text);
            prop_assert_eq!(redact(&once), once);
        }
    }
}
