//! Signatures: the parameters of a function in order, and their text.

use ruff_python_ast::{Expr, Parameter, ParameterWithDefault, Parameters};
use ruff_text_size::Ranged;

use super::Walk;

/// One parameter as the signature has it.
pub(super) struct Formal<'a> {
    pub parameter: &'a Parameter,
    pub default: Option<&'a Expr>,
    pub kind: &'static str,
}

impl<'a> Formal<'a> {
    fn of(parameter: &'a ParameterWithDefault, kind: &'static str) -> Self {
        Self {
            parameter: &parameter.parameter,
            default: parameter.default(),
            kind,
        }
    }

    fn variadic(parameter: &'a Parameter, kind: &'static str) -> Self {
        Self {
            parameter,
            default: None,
            kind,
        }
    }
}

/// The parameters of a function in the order of its signature.
pub(super) fn formals(parameters: &Parameters) -> impl Iterator<Item = Formal<'_>> {
    let positional_only = parameters
        .posonlyargs
        .iter()
        .map(|p| Formal::of(p, "positional_only"));
    let positional = parameters
        .args
        .iter()
        .map(|p| Formal::of(p, "positional_or_keyword"));
    let variadic = parameters
        .vararg
        .iter()
        .map(|p| Formal::variadic(p, "var_positional"));
    let keyword_only = parameters
        .kwonlyargs
        .iter()
        .map(|p| Formal::of(p, "keyword_only"));
    let keywords = parameters
        .kwarg
        .iter()
        .map(|p| Formal::variadic(p, "var_keyword"));
    positional_only
        .chain(positional)
        .chain(variadic)
        .chain(keyword_only)
        .chain(keywords)
}

impl<'a> Walk<'a> {
    /// The parameters and the result as written, on one line.
    pub(super) fn signature(
        &mut self,
        parameters: Option<&'a Parameters>,
        returns: Option<&'a Expr>,
    ) -> String {
        let mut parts: Vec<String> = Vec::new();
        let mut before = "";
        for formal in parameters.into_iter().flat_map(formals) {
            if before == "positional_only" && formal.kind != before {
                parts.push("/".to_owned());
            }
            if formal.kind == "keyword_only" && !matches!(before, "keyword_only" | "var_positional")
            {
                parts.push("*".to_owned());
            }
            before = formal.kind;
            parts.push(self.formal_text(&formal));
        }
        if before == "positional_only" {
            parts.push("/".to_owned());
        }
        let parts = parts.join(", ");
        match returns {
            Some(returns) => format!("({parts}) -> {}", self.folded(returns.range())),
            None => format!("({parts})"),
        }
    }

    fn formal_text(&mut self, formal: &Formal<'a>) -> String {
        let default = formal
            .default
            .map_or(0, |default| default.range().len().to_usize());
        if !self
            .names
            .spend(formal.parameter.range().len().to_usize() + default)
        {
            return String::new();
        }
        let stars = match formal.kind {
            "var_positional" => "*",
            "var_keyword" => "**",
            _ => "",
        };
        let mut text = format!("{stars}{}", formal.parameter.name.as_str());
        if let Some(annotation) = formal.parameter.annotation() {
            text.push_str(": ");
            text.push_str(&self.folded(annotation.range()));
        }
        if let Some(default) = formal.default {
            text.push_str(if formal.parameter.annotation().is_some() {
                " = "
            } else {
                "="
            });
            text.push_str(&self.folded(default.range()));
        }
        text
    }
}
