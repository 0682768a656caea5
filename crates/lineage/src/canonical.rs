//! The bytes that stand for a plan.

use std::fmt;

use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion_substrait::logical_plan::producer::to_substrait_plan;
use datafusion_substrait::substrait::proto::Plan;
use datafusion_substrait::substrait::proto::extensions::SimpleExtensionDeclaration;
use datafusion_substrait::substrait::proto::extensions::simple_extension_declaration::MappingType;
use prost::Message;

/// How a plan was written down. The fixed order of preference is the order of the variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PlanEncoding {
    /// Substrait, made canonical.
    Substrait,
    /// The indented text of the plan with its schemas, for what Substrait cannot express (unnest, recursion).
    Text,
}

impl PlanEncoding {
    /// The name in artifacts and in hash domains.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Substrait => "substrait",
            Self::Text => "text",
        }
    }
}

impl fmt::Display for PlanEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A plan, written down so that equal plans have equal bytes in every process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonicalPlan {
    encoding: PlanEncoding,
    bytes: Vec<u8>,
    fallback_reason: Option<String>,
}

impl CanonicalPlan {
    /// Writes an optimized plan down. Some plans can be encoded only after optimization.
    ///
    /// **Determinism**: `DataFusion` lists the functions of a plan in the order of a hash map, so that the same plan has
    /// other bytes every time; here they are sorted by kind and anchor (anchors are given in the order of first use).
    /// The producer's version is left out.
    pub fn encode(plan: &LogicalPlan, state: &SessionState) -> Self {
        match to_substrait_plan(plan, state) {
            Ok(substrait) => Self {
                encoding: PlanEncoding::Substrait,
                bytes: canonicalize(*substrait).encode_to_vec(),
                fallback_reason: None,
            },
            Err(error) => Self {
                encoding: PlanEncoding::Text,
                bytes: plan.display_indent_schema().to_string().into_bytes(),
                fallback_reason: Some(error.strip_backtrace()),
            },
        }
    }

    /// How the plan is written down.
    pub fn encoding(&self) -> PlanEncoding {
        self.encoding
    }

    /// The encoded plan.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Why the preferred encoding was not used.
    pub fn fallback_reason(&self) -> Option<&str> {
        self.fallback_reason.as_deref()
    }
}

fn canonicalize(mut plan: Plan) -> Plan {
    plan.version = None;
    plan.extensions.sort_by_key(declaration_key);
    plan
}

fn declaration_key(declaration: &SimpleExtensionDeclaration) -> (u8, u32, String) {
    match &declaration.mapping_type {
        None => (0, 0, String::new()),
        Some(MappingType::ExtensionType(one)) => (1, one.type_anchor, one.name.clone()),
        Some(MappingType::ExtensionTypeVariation(one)) => {
            (2, one.type_variation_anchor, one.name.clone())
        }
        Some(MappingType::ExtensionFunction(one)) => (3, one.function_anchor, one.name.clone()),
    }
}
