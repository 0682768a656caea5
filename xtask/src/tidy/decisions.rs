//! The form of `docs/decisions`: short, numbered without a gap, and each says what fails when it is broken.

use crate::problem::Problem;
use crate::repo::Repo;

const FOLDER: &str = "docs/decisions/";
const LINES_MAX: usize = 40;
const PARTS: &[&str] = &["Context", "Choice", "Price", "Rejected", "Check"];

/// Every decision has its number, its five parts in order, and at most [`LINES_MAX`] lines.
pub(crate) fn check(repo: &Repo) -> Vec<Problem> {
    let decisions = repo
        .files
        .iter()
        .filter(|(path, _)| path.starts_with(FOLDER));
    decisions
        .enumerate()
        .flat_map(|(index, (path, text))| check_one(path, text, index + 1))
        .collect()
}

fn check_one(path: &str, text: &str, number: usize) -> Vec<Problem> {
    let mut problems = Vec::new();
    let number = format!("{number:04}");
    if !path[FOLDER.len()..].starts_with(&format!("{number}-")) {
        let instead = format!("name it {number}-..., after the one before");
        problems.push(Problem::of(path, "the number does not follow", instead));
    }
    if !text.starts_with(&format!("# {number}: ")) {
        let instead = format!("open with `# {number}: ...`");
        problems.push(Problem::of(path, "the title lacks the number", instead));
    }
    let lines = text.lines().count();
    if lines > LINES_MAX {
        let what = format!("{lines} lines");
        let instead = format!("say it in {LINES_MAX}");
        problems.push(Problem::at(path, LINES_MAX + 1, what, instead));
    }
    let mut rest = text;
    for part in PARTS {
        if let Some((_, after)) = rest.split_once(&format!("\n**{part}.**")) {
            rest = after;
        } else {
            let instead = format!("have {} in this order", PARTS.join(", "));
            problems.push(Problem::of(path, format!("no part **{part}.**"), instead));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::check as check_repo;
    use crate::problem::render;
    use crate::repo::Repo;

    const SOUND: &str = "# 0001: One\n\n**Context.** a\n**Choice.** b\n**Price.** c\n**Rejected.** d\n**Check.** e\n";

    #[track_caller]
    fn check(path: &str, text: &str, want: &Expect) {
        let path = format!("docs/decisions/{path}");
        want.assert_eq(&render(&check_repo(&Repo::of([(path.as_str(), text)]))));
    }

    #[test]
    fn a_decision_in_form_is_silent() {
        check("0001-one.md", SOUND, &expect![""]);
    }

    #[test]
    fn each_deviation_is_a_problem() {
        check(
            "0002-one.md",
            &SOUND
                .replace("# 0001", "#")
                .replace("**Check", "**Czech")
                .replace("d\n", &"d\n".repeat(40)),
            &expect![[r"
                docs/decisions/0002-one.md:1: the number does not follow - name it 0001-..., after the one before
                docs/decisions/0002-one.md:1: the title lacks the number - open with `# 0001: ...`
                docs/decisions/0002-one.md:41: 46 lines - say it in 40
                docs/decisions/0002-one.md:1: no part **Check.** - have Context, Choice, Price, Rejected, Check in this order
            "]],
        );
    }
}
