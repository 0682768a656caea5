//! Private names: `__x` inside a class `C` is `_C__x`.

use std::borrow::Cow;

/// The name as the class stores it.
///
/// Only names that begin with two underscores, do not end with two and hold no dot are private; a class whose name is
/// all underscores mangles nothing.
pub(crate) fn mangle<'a>(class: Option<&str>, name: &'a str) -> Cow<'a, str> {
    let is_private = name.starts_with("__") && !name.ends_with("__") && !name.contains('.');
    let class = class.map_or("", |class| class.trim_start_matches('_'));
    if is_private && !class.is_empty() {
        Cow::Owned(format!("_{class}{name}"))
    } else {
        Cow::Borrowed(name)
    }
}

#[cfg(test)]
mod tests {
    use super::mangle;

    #[test]
    fn only_private_names_in_a_class_are_mangled() {
        for (class, name, want) in [
            (Some("C"), "__x", "_C__x"),
            (Some("__C"), "__x", "_C__x"),
            (Some("___"), "__x", "__x"),
            (Some("C"), "__x__", "__x__"),
            (Some("C"), "_x", "_x"),
            (None, "__x", "__x"),
        ] {
            assert_eq!(mangle(class, name), want);
        }
    }
}
