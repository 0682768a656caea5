//! The bytes that stand for a plan, and the plan that bytes stand for.

use std::fmt;
use std::fmt::Write as _;
use std::panic::AssertUnwindSafe;

use datafusion::common::plan_err;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion_proto::bytes::{
    logical_plan_from_bytes_with_extension_codec, logical_plan_to_bytes_with_extension_codec,
};
use datafusion_substrait::logical_plan::consumer::from_substrait_plan;
use datafusion_substrait::logical_plan::producer::to_substrait_plan;
use datafusion_substrait::substrait::proto::Plan;
use datafusion_substrait::substrait::proto::extensions::SimpleExtensionDeclaration;
use datafusion_substrait::substrait::proto::extensions::simple_extension_declaration::MappingType;
use futures::FutureExt;
use prost::Message;

use crate::faithful::Losses;
use crate::names::{NameCodec, lift_filters, only_named_tables, without_metadata};
use crate::{Error, deep};

/// How a plan was written down. The fixed order of preference is the order of the variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PlanEncoding {
    /// Substrait, made canonical.
    Substrait,
    /// The engine's own encoding, with tables by name. It keeps what Substrait loses, and no other engine reads it.
    Proto,
    /// The text of the plan with its schemas and every expression, for what neither keeps. It identifies and cannot be executed.
    Text,
}

impl PlanEncoding {
    /// Every encoding, the preferred ones first.
    pub const ALL: [Self; 3] = [Self::Substrait, Self::Proto, Self::Text];

    /// The name in artifacts and in hash domains.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Substrait => "substrait",
            Self::Proto => "datafusion_proto",
            Self::Text => "text",
        }
    }

    /// The encoding of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }
}

impl fmt::Display for PlanEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A plan, written down so that equal plans have equal bytes in every process.
///
/// ```
/// use datafusion::prelude::SessionContext;
/// use ossature_lineage::{CanonicalPlan, PlanEncoding};
///
/// # let runtime = tokio::runtime::Runtime::new()?;
/// # runtime.block_on(async {
/// let session = SessionContext::new();
/// session.sql("CREATE TABLE t (id BIGINT) AS VALUES (1), (2), (3)").await?.collect().await?;
/// let plan = |sql: &'static str| {
///     let session = session.clone();
///     async move { session.sql(sql).await?.into_optimized_plan() }
/// };
/// let above = CanonicalPlan::encode(&plan("SELECT id FROM t WHERE id > 1").await?, &session.state())?;
/// assert_eq!(above.encoding(), PlanEncoding::Substrait);
/// let again = above.decode(&session.state()).await?;
/// assert_eq!(session.execute_logical_plan(again).await?.count().await?, 2);
///
/// // Substrait has no word for what `NOT IN` does with nulls.
/// let sql = "SELECT id FROM t WHERE id NOT IN (SELECT id FROM t WHERE id > 2)";
/// let not_in = CanonicalPlan::encode(&plan(sql).await?, &session.state())?;
/// assert_eq!(not_in.encoding(), PlanEncoding::Proto);
/// assert_eq!(not_in.fallback_reason(), Some("substrait loses null_aware_join"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonicalPlan {
    encoding: PlanEncoding,
    bytes: Vec<u8>,
    fallback_reason: Option<String>,
}

impl CanonicalPlan {
    /// Writes a plan down that [`optimize`](crate::optimize) gave, in the first encoding that loses nothing of it.
    ///
    /// **Determinism**: `DataFusion` lists the functions of a plan in the order of a hash map, so that the same plan has
    /// other bytes every time; here they are sorted by kind and anchor (anchors are given in the order of first use).
    /// The producer's version is left out, as is the metadata of tables.
    /// **Errors**: [`Error::Engine`], which no plan causes.
    pub fn encode(plan: &LogicalPlan, state: &SessionState) -> Result<Self, Error> {
        Self::encode_from(PlanEncoding::Substrait, None, plan, state)
    }

    /// Writes a plan down in the first encoding after this one that loses nothing of it, for `reason`. `None` for the last.
    ///
    /// **Errors**: those of [`CanonicalPlan::encode`].
    pub(crate) fn next(
        &self,
        reason: &str,
        plan: &LogicalPlan,
        state: &SessionState,
    ) -> Result<Option<Self>, Error> {
        let next = PlanEncoding::ALL.into_iter().find(|it| *it > self.encoding);
        let reasons = self.fallback_reason.iter().map(String::as_str);
        let reason = reasons.chain([reason]).collect::<Vec<_>>().join("; ");
        next.map(|next| Self::encode_from(next, Some(reason), plan, state))
            .transpose()
    }

    fn encode_from(
        first: PlanEncoding,
        reason: Option<String>,
        plan: &LogicalPlan,
        state: &SessionState,
    ) -> Result<Self, Error> {
        let losses = Losses::of(plan, state)?;
        let mut reasons: Vec<String> = reason.into_iter().collect();
        for encoding in PlanEncoding::ALL.into_iter().filter(|it| *it >= first) {
            let encoded = match encoding {
                PlanEncoding::Substrait => losses
                    .of_substrait()
                    .map_or_else(|| substrait(plan, state), Err),
                PlanEncoding::Proto => losses.of_proto().map_or_else(|| proto(plan), Err),
                PlanEncoding::Text => break,
            };
            match encoded {
                Ok(bytes) => {
                    return Ok(Self {
                        encoding,
                        bytes,
                        fallback_reason: (!reasons.is_empty()).then(|| reasons.join("; ")),
                    });
                }
                Err(reason) => reasons.push(reason),
            }
        }
        // Text takes every plan.
        Ok(Self {
            encoding: PlanEncoding::Text,
            bytes: text(plan)?,
            fallback_reason: Some(reasons.join("; ")),
        })
    }

    /// Takes bytes that were recorded.
    pub fn recorded(encoding: PlanEncoding, bytes: Vec<u8>) -> Self {
        Self {
            encoding,
            bytes,
            fallback_reason: None,
        }
    }

    /// The optimized plan that the bytes stand for, over the tables that the session has under the names in it.
    ///
    /// **Errors**: [`Error::NotDecodable`]: text cannot be, and bytes may name what the session does not have, or nest deeper
    /// than a decoder goes.
    pub async fn decode(&self, state: &SessionState) -> Result<LogicalPlan, Error> {
        let refuse = |reason: String| Error::NotDecodable {
            encoding: self.encoding,
            reason,
        };
        let plan = match self.encoding {
            PlanEncoding::Substrait => {
                let plan = deep::call(|| Plan::decode(self.bytes.as_slice()));
                let plan = plan.map_err(|error| refuse(error.to_string()))?;
                caught(deep::wait(from_substrait_plan(state, &plan))).await
            }
            PlanEncoding::Proto => {
                let codec = NameCodec::of(state);
                deep::call(|| {
                    logical_plan_from_bytes_with_extension_codec(
                        &self.bytes,
                        &state.task_ctx(),
                        &codec,
                    )
                })
            }
            PlanEncoding::Text => return Err(refuse("text is for reading".to_owned())),
        };
        let plan = plan.and_then(|plan| {
            deep::call(|| {
                only_named_tables(&plan, state)?;
                state.optimize(&lift_filters(plan)?)
            })
        });
        plan.map_err(|error| refuse(refused("", &error).trim_start_matches(": ").to_owned()))
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

/// The outcome of a decoder, or its panic as an error: it indexes by what it reads.
async fn caught(
    decoding: impl Future<Output = Result<LogicalPlan, DataFusionError>>,
) -> Result<LogicalPlan, DataFusionError> {
    let caught = AssertUnwindSafe(decoding).catch_unwind().await;
    caught.unwrap_or_else(|_| plan_err!("the decoder broke down over it"))
}

fn substrait(plan: &LogicalPlan, state: &SessionState) -> Result<Vec<u8>, String> {
    match deep::call(|| to_substrait_plan(plan, state)) {
        Ok(plan) => Ok(canonicalize(*plan).encode_to_vec()),
        Err(error) => Err(refused("substrait", &error)),
    }
}

/// Letters of an engine's reason that are kept: some reasons print whole plans.
const REASON_LETTERS_MAX: usize = 160;

fn refused(encoding: &str, error: &DataFusionError) -> String {
    let reason = error.strip_backtrace();
    let kept: String = reason.chars().take(REASON_LETTERS_MAX).collect();
    let dots = if kept.len() < reason.len() { "..." } else { "" };
    format!("{encoding}: {kept}{dots}")
}

fn proto(plan: &LogicalPlan) -> Result<Vec<u8>, String> {
    let bytes = deep::call(|| {
        let plan = without_metadata(plan)?;
        logical_plan_to_bytes_with_extension_codec(&plan, &NameCodec::default())
    });
    match bytes {
        Ok(bytes) => Ok(bytes.to_vec()),
        Err(error) => Err(refused("datafusion_proto", &error)),
    }
}

/// Every node as the engine prints it, and behind it every expression with its parts told apart: what is printed for people leaves
/// parentheses, rows and metadata out.
fn text(plan: &LogicalPlan) -> Result<Vec<u8>, Error> {
    let mut text = plan.display_indent_schema().to_string();
    // Writing to a string cannot fail.
    plan.apply_with_subqueries(|node| {
        let _ = write!(text, "\n{} inputs: {}", node.inputs().len(), node.display());
        if let LogicalPlan::Join(join) = node {
            let _ = write!(text, "\n{:?} {}", join.null_equality, join.null_aware);
        }
        node.apply_expressions(|expr| {
            let _ = write!(text, "\n{expr:?}");
            Ok(TreeNodeRecursion::Continue)
        })
    })
    .map_err(Error::engine("writing a plan down as text"))?;
    Ok(text.into_bytes())
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
