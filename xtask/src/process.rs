//! Starting programs, with the command line kept for the error message.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, ExitStatus};

use crate::error::Error;

/// Runs a program at the root of the clone and lets it print.
///
/// **Errors**: [`Error::NotStarted`], and [`Error::Failed`] when it reports failure.
pub(crate) fn run(root: &Path, words: &[&str], env: &[(&str, &str)]) -> Result<(), Error> {
    let status = command(root, words, env)
        .status()
        .map_err(|source| not_started(words, env, source))?;
    succeeded(status, words, env)
}

/// Runs a program at the root of the clone and returns what it printed, invalid UTF-8 replaced.
///
/// **Errors**: as [`run`].
pub(crate) fn output(root: &Path, words: &[&str]) -> Result<String, Error> {
    let output = command(root, words, &[])
        .output()
        .map_err(|source| not_started(words, &[], source))?;
    succeeded(output.status, words, &[])?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The command as one would type it.
pub(crate) fn render(words: &[&str], env: &[(&str, &str)]) -> String {
    let env = env
        .iter()
        .map(|(name, value)| format!("{name}={}", quoted(value)));
    let words = words.iter().map(|word| quoted(word));
    env.chain(words).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    if word.contains(' ') {
        format!("'{word}'")
    } else {
        word.to_owned()
    }
}

fn command(root: &Path, words: &[&str], env: &[(&str, &str)]) -> Command {
    let (program, arguments) = words.split_first().unwrap_or((&"", &[]));
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_of_this_package(name)) {
        command.env_remove(name);
    }
    command
        .args(arguments)
        .envs(env.iter().copied())
        .current_dir(root);
    command
}

/// Whether cargo has set a variable because it runs this very package.
///
/// Build scripts that watch such a variable would run again, and the engines be compiled again, each time that somebody
/// calls cargo with and without us in between.
fn is_of_this_package(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    ["CARGO_MANIFEST_", "CARGO_PKG_"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

fn not_started(words: &[&str], env: &[(&str, &str)], source: std::io::Error) -> Error {
    Error::NotStarted {
        line: render(words, env),
        source,
    }
}

fn succeeded(status: ExitStatus, words: &[&str], env: &[(&str, &str)]) -> Result<(), Error> {
    if status.success() {
        Ok(())
    } else {
        Err(Error::Failed {
            line: render(words, env),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use expect_test::{Expect, expect};

    use super::{is_of_this_package, output, render, run};

    #[track_caller]
    fn check(words: &[&str], want: &Expect) {
        let got = match run(Path::new("."), words, &[]) {
            Ok(()) => "done".to_owned(),
            Err(error) => error.to_string(),
        };
        want.assert_eq(&got);
    }

    #[test]
    fn failure_names_the_command_line() {
        check(&["git", "--version"], &expect!["done"]);
        check(
            &["git", "no-such-verb"],
            &expect!["failed: `git no-such-verb`"],
        );
        check(
            &["no-such-program"],
            &expect!["cannot start `no-such-program`: No such file or directory (os error 2)"],
        );
        assert!(output(Path::new("."), &["git", "no-such-verb"]).is_err());
    }

    /// Cargo has set them for this test.
    #[test]
    fn what_cargo_says_of_this_package_is_not_handed_on() {
        assert!(std::env::vars_os().any(|(name, _)| is_of_this_package(&name)));
        let seen = output(Path::new("."), &["env"]).unwrap();
        let is_handed_on = |line: &&str| is_of_this_package(line.as_ref());
        assert_eq!(seen.lines().find(is_handed_on), None);
        assert!(seen.lines().any(|line| line.starts_with("PATH=")));
    }

    #[test]
    fn the_command_line_can_be_pasted() {
        expect!["RUSTDOCFLAGS='-D warnings' cargo doc"].assert_eq(&render(
            &["cargo", "doc"],
            &[("RUSTDOCFLAGS", "-D warnings")],
        ));
    }
}
