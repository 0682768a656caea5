//! States facts about a plan: what it reads, how it uses each column, and what identifies it.
//!
//! | question | answer |
//! |---|---|
//! | which datasets does a plan read, and which columns in which role? | [`PlanFacts::of`], [`Role`] |
//! | which columns of the inputs does each column of the result come from? | [`PlanFacts::outputs`], [`Derivation`] |
//! | has a query an identity, or does it ask for the time? | [`optimize`] |
//! | what bytes stand for a plan, whatever process made it? | [`CanonicalPlan::encode`] |
//! | which plan do bytes stand for? | [`CanonicalPlan::decode`] |
//! | what does an encoding of the engine lose? | [`Loss`] |
//! | what identifies a computation: plan, inputs and functions? | [`PlanBundle`] |
//! | what identifies the engine that plans it? | [`Environment`] |
//! | how is it carried out, which identifies nothing? | [`ExecutionProfile`] |
//!
//! Knows: logical plans, Substrait. Does not know: tables on disk, execution, writing. Pins come in as arguments.
//!
//! ```
//! use datafusion::prelude::SessionContext;
//! use ossature_lineage::{PlanFacts, Role};
//!
//! # let runtime = tokio::runtime::Runtime::new()?;
//! # runtime.block_on(async {
//! let session = SessionContext::new();
//! session.sql("CREATE TABLE calls (id BIGINT, name VARCHAR)").await?.collect().await?;
//! let plan = session.sql("SELECT name FROM calls WHERE id = 7").await?.into_optimized_plan()?;
//! let facts = PlanFacts::of(&plan)?;
//! assert!(facts.uses("public.calls", "id").contains(&Role::FilterEq));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bundle;
mod calls;
mod canonical;
mod deep;
mod environment;
mod error;
mod facts;
mod faithful;
mod names;
mod origins;
mod predicate;
mod role;
mod trace;

pub use bundle::{InputFacts, PlanBundle, PlanContext, schema_hash};
pub use calls::optimize;
pub use canonical::{CanonicalPlan, PlanEncoding};
pub use environment::{Environment, ExecutionProfile};
pub use error::Error;
pub use facts::{ColumnOrigin, OutputColumn, PlanFacts};
pub use faithful::Loss;
pub use role::{Derivation, Role};
