//! What is wrong with something that claims to be an artifact: every fault, with its place.

use std::fmt;

use serde::Serialize;

use crate::Error;

/// The kind of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ViolationCode {
    /// The text is no JSON.
    NotJson,
    /// The bytes are no `MsgPack` of a JSON value.
    NotMsgPack,
    /// The bytes mean a value and are not the ones that it is encoded to.
    NotCanonical,
    /// A required field is absent.
    MissingField,
    /// A field that the contract does not have.
    UnknownField,
    /// A value of another type.
    WrongType,
    /// A number that does not fit its type.
    OutOfRange,
    /// A value that is none of those allowed.
    WrongValue,
    /// The value meets the schema and cannot be read all the same.
    Unreadable,
}

impl ViolationCode {
    /// A stable identifier, for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotJson => "not_json",
            Self::NotMsgPack => "not_msg_pack",
            Self::NotCanonical => "not_canonical",
            Self::MissingField => "missing_field",
            Self::UnknownField => "unknown_field",
            Self::WrongType => "wrong_type",
            Self::OutOfRange => "out_of_range",
            Self::WrongValue => "wrong_value",
            Self::Unreadable => "unreadable",
        }
    }
}

impl fmt::Display for ViolationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct Violation {
    /// Its kind.
    pub code: ViolationCode,
    /// Where it is, as a JSON Pointer from the envelope; empty for the envelope itself.
    pub path: String,
    /// The fault in words.
    pub message: String,
    /// What the contract asks for.
    pub expected: String,
    /// What was found.
    pub actual: String,
}

impl Violation {
    pub(crate) fn new(
        code: ViolationCode,
        path: &str,
        expected: impl Into<String>,
        actual: impl Into<String>,
    ) -> Self {
        let (expected, actual) = (expected.into(), actual.into());
        let place = if path.is_empty() {
            "the artifact"
        } else {
            path
        };
        Self {
            code,
            path: path.to_owned(),
            message: format!("{place}: expected {expected}, found {actual}"),
            expected,
            actual,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

/// Why something is not the artifact that it should be: one fault at least.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an artifact of ours:{}", lines(violations))]
pub struct Rejection {
    violations: Vec<Violation>,
}

impl Rejection {
    pub(crate) fn one(violation: Violation) -> Self {
        Self {
            violations: vec![violation],
        }
    }

    /// A payload that was decoded and cannot be encoded again.
    pub(crate) fn unreadable(error: &Error) -> Self {
        let code = ViolationCode::Unreadable;
        Self::one(Violation::new(
            code,
            "/payload",
            "a payload",
            error.to_string(),
        ))
    }

    /// What was found to be wrong, or else what the decoder said.
    pub(crate) fn of(violations: Vec<Violation>, otherwise: impl FnOnce() -> Violation) -> Self {
        if violations.is_empty() {
            Self::one(otherwise())
        } else {
            Self { violations }
        }
    }

    /// Every fault, ordered by place as the contract names the fields.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }
}

fn lines(violations: &[Violation]) -> String {
    violations.iter().fold(String::new(), |text, violation| {
        format!("{text}\n  {violation}")
    })
}
