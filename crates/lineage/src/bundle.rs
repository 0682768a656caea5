//! The bundle: a plan with everything that identifies it.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use ossature_schema_spec::{CanonicalHasher, DatasetName, Fingerprint, PinIdentity, TablePin};

use crate::{CanonicalPlan, Environment, Error, ExecutionProfile, PlanFacts};

/// One input of a plan, as it enters the fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFacts {
    /// The version that is read.
    pub pin: TablePin,
    /// A digest of the names, types and meanings of the input's columns.
    pub schema: Fingerprint,
}

/// What the plans of one session have in common. It is made once, because reading all settings of an engine takes longer than to
/// encode a plan.
#[derive(Debug, Clone)]
pub struct PlanContext {
    environment: Environment,
    environment_hash: Fingerprint,
    execution: ExecutionProfile,
    execution_hash: Fingerprint,
    functions: BTreeMap<String, String>,
}

impl PlanContext {
    /// The context of a session. `versions` go into its [`Environment`]; `functions` are those whose implementation is ours,
    /// each with the version of it.
    pub fn of(
        state: &SessionState,
        versions: &BTreeMap<String, String>,
        functions: BTreeMap<String, String>,
    ) -> Self {
        let environment = Environment::of(state, versions);
        let execution = ExecutionProfile::of(state);
        Self {
            environment_hash: environment.hash(),
            environment,
            execution_hash: execution.hash(),
            execution,
            functions,
        }
    }

    /// What plans.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// How plans are carried out.
    pub fn execution(&self) -> &ExecutionProfile {
        &self.execution
    }

    /// The functions of ours, with their versions.
    pub fn functions(&self) -> &BTreeMap<String, String> {
        &self.functions
    }
}

/// An optimized plan, its facts and its identity.
#[derive(Debug, Clone)]
pub struct PlanBundle {
    facts: PlanFacts,
    canonical: CanonicalPlan,
    inputs: Vec<InputFacts>,
    functions: BTreeMap<String, String>,
    fingerprint: Fingerprint,
    environment: Fingerprint,
    execution: Fingerprint,
    schema: SchemaRef,
    text: String,
}

impl PlanBundle {
    /// Bundles a plan that [`optimize`](crate::optimize) gave.
    ///
    /// `pins` say at which versions the session reads its datasets. Only the inputs and functions that the plan names enter.
    ///
    /// **Determinism**: the fingerprint depends on the canonical plan, on name, schema and identity of each input, and
    /// on the versions of the functions. No clock, path, thread count or unrelated table enters.
    ///
    /// **Errors**: [`Error::UnpinnedInput`], [`Error::VolatileFunction`].
    pub fn try_new(
        plan: &LogicalPlan,
        state: &SessionState,
        pins: &BTreeMap<DatasetName, TablePin>,
        context: &PlanContext,
    ) -> Result<Self, Error> {
        let stage = &state.config_options().catalog.default_schema;
        let facts = PlanFacts::with_default_stage(plan, stage)?;
        let inputs = facts
            .schemas()
            .map(|(name, schema)| {
                let unpinned = || Error::UnpinnedInput {
                    input: name.to_owned(),
                };
                let dataset = DatasetName::try_new(name).map_err(|_| unpinned())?;
                let pin = pins.get(&dataset).cloned().ok_or_else(unpinned)?;
                Ok(InputFacts {
                    pin,
                    schema: schema_hash(schema),
                })
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let functions = context
            .functions
            .iter()
            .filter(|(name, _)| facts.functions().contains(*name))
            .map(|(name, version)| (name.clone(), version.clone()))
            .collect();
        let canonical = CanonicalPlan::encode(plan, state)?;
        let fingerprint = fingerprint(&canonical, &inputs, &functions);
        Ok(Self {
            facts,
            canonical,
            inputs,
            functions,
            fingerprint,
            environment: context.environment_hash,
            execution: context.execution_hash,
            schema: Arc::clone(plan.schema().inner()),
            text: plan.display_indent().to_string(),
        })
    }

    /// The plan that the bytes stand for, which is what a run executes. It has the columns of the plan that was bundled.
    ///
    /// **Errors**: [`Error::NotDecodable`], also when it has other columns.
    pub async fn decode(&self, state: &SessionState) -> Result<LogicalPlan, Error> {
        let plan = self.canonical.decode(state).await?;
        let columns = |schema: &Schema| -> Vec<(String, DataType)> {
            let fields = schema.fields().iter();
            fields
                .map(|it| (it.name().clone(), it.data_type().clone()))
                .collect()
        };
        let (wanted, found) = (columns(&self.schema), columns(plan.schema().as_arrow()));
        if wanted == found {
            return Ok(plan);
        }
        Err(Error::NotDecodable {
            encoding: self.canonical.encoding(),
            reason: format!("it has the columns {found:?} instead of {wanted:?}"),
        })
    }

    /// The bundle in the first encoding that can be read back, and the plan that is executed: what is recorded, decoded, or the
    /// plan itself where it is only recorded as text.
    ///
    /// Rows that are computed are thereby those that a replay computes. What could not be read back is in the reason of
    /// [`CanonicalPlan::fallback_reason`].
    ///
    /// **Errors**: [`Error::Engine`], which no plan causes.
    pub async fn settle(
        mut self,
        plan: &LogicalPlan,
        state: &SessionState,
    ) -> Result<(Self, LogicalPlan), Error> {
        loop {
            let reason = match self.decode(state).await {
                Ok(decoded) => return Ok((self, decoded)),
                Err(Error::NotDecodable { reason, .. }) => reason,
                Err(error) => return Err(error),
            };
            let reason = format!("{}: {reason}", self.canonical.encoding());
            match self.fall_back(&reason, plan, state)? {
                Some(next) => self = next,
                None => return Ok((self, plan.clone())),
            }
        }
    }

    /// The bundle of the same plan in the next encoding. `None` when there is no other.
    fn fall_back(
        &self,
        reason: &str,
        plan: &LogicalPlan,
        state: &SessionState,
    ) -> Result<Option<Self>, Error> {
        let next = self.canonical.next(reason, plan, state)?;
        Ok(next.map(|canonical| Self {
            fingerprint: fingerprint(&canonical, &self.inputs, &self.functions),
            canonical,
            ..self.clone()
        }))
    }

    /// What the plan reads and calls.
    pub fn facts(&self) -> &PlanFacts {
        &self.facts
    }

    /// The bytes that stand for the plan.
    pub fn canonical(&self) -> &CanonicalPlan {
        &self.canonical
    }

    /// The inputs, ordered by name.
    pub fn inputs(&self) -> &[InputFacts] {
        &self.inputs
    }

    /// The functions of ours that the plan calls, with their versions.
    pub fn functions(&self) -> &BTreeMap<String, String> {
        &self.functions
    }

    /// What is computed, over which rows.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// What planned it; not part of the fingerprint.
    pub fn environment(&self) -> Fingerprint {
        self.environment
    }

    /// How it is carried out; part of neither.
    pub fn execution(&self) -> Fingerprint {
        self.execution
    }

    /// The optimized plan, for people.
    pub fn text(&self) -> &str {
        &self.text
    }
}

fn fingerprint(
    canonical: &CanonicalPlan,
    inputs: &[InputFacts],
    functions: &BTreeMap<String, String>,
) -> Fingerprint {
    // The encoding is part of the domain: bytes of one encoding never stand for a plan in another.
    let encoding = canonical.encoding();
    let mut hasher = CanonicalHasher::new(&format!("ossature.plan.{encoding}.v1"));
    hasher.bytes(canonical.bytes());
    hasher.list(inputs.len());
    for InputFacts { pin, schema } in inputs {
        hasher.text(pin.dataset.as_str());
        hasher.fingerprint(*schema);
        if let PinIdentity::Content(content) = &pin.identity {
            hasher.fingerprint(*content);
        } else {
            // Rows that nobody digested are identified by where they come from.
            hasher.text(&pin.table_id);
            hasher.text(&pin.version.to_string());
        }
    }
    hasher.list(functions.len());
    for (name, version) in functions {
        hasher.text(name);
        hasher.text(version);
    }
    hasher.finish()
}

/// A digest of the names, types and meanings of columns, as it enters fingerprints.
pub fn schema_hash(schema: &SchemaRef) -> Fingerprint {
    let mut hasher = CanonicalHasher::new("ossature.arrow_schema.v1");
    hasher.list(schema.fields().len());
    for field in schema.fields() {
        hasher.text(field.name());
        hasher.text(&field.data_type().to_string());
        hasher.flag(field.is_nullable());
        match field.extension_type_name() {
            Some(name) => hasher.text(name),
            None => hasher.absent(),
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap};

    use datafusion::arrow::datatypes::Field;
    use ossature_schema_spec::Version;

    use super::*;
    use crate::PlanEncoding;

    /// Everything that a fingerprint is made of.
    #[derive(Clone)]
    struct Parts {
        encoding: PlanEncoding,
        bytes: Vec<u8>,
        input: InputFacts,
        functions: BTreeMap<String, String>,
    }

    fn digest(byte: u8) -> Fingerprint {
        Fingerprint::from_bytes([byte; 32])
    }

    fn parts(identity: PinIdentity) -> Parts {
        Parts {
            encoding: PlanEncoding::Substrait,
            bytes: vec![1, 2, 3],
            input: InputFacts {
                pin: TablePin {
                    dataset: DatasetName::try_new("extract.nodes").unwrap(),
                    table_id: "one".to_owned(),
                    version: Version::new(3),
                    snapshot: digest(9),
                    identity,
                },
                schema: digest(1),
            },
            functions: BTreeMap::from([("file_of".to_owned(), "1".to_owned())]),
        }
    }

    fn of(parts: &Parts) -> Fingerprint {
        let canonical = CanonicalPlan::recorded(parts.encoding, parts.bytes.clone());
        fingerprint(
            &canonical,
            std::slice::from_ref(&parts.input),
            &parts.functions,
        )
    }

    fn changed(identity: &PinIdentity, change: impl Fn(&mut Parts)) -> Fingerprint {
        let mut parts = parts(identity.clone());
        change(&mut parts);
        of(&parts)
    }

    /// Each part alone makes another fingerprint: leaving one out makes two of these equal.
    #[test]
    fn every_part_of_a_fingerprint_tells_plans_apart() {
        let content = PinIdentity::Content(digest(2));
        let digests = [
            changed(&content, |_| {}),
            changed(&content, |it| it.encoding = PlanEncoding::Proto),
            changed(&content, |it| it.bytes.push(4)),
            changed(&content, |it| {
                it.input.pin.dataset = DatasetName::try_new("extract.files").unwrap();
            }),
            changed(&content, |it| it.input.schema = digest(7)),
            changed(&content, |it| {
                it.input.pin.identity = PinIdentity::Content(digest(7));
            }),
            changed(&content, |it| {
                it.functions = BTreeMap::from([("file_of".to_owned(), "2".to_owned())]);
            }),
            changed(&content, |it| {
                it.functions = BTreeMap::from([("mro".to_owned(), "1".to_owned())]);
            }),
            changed(&content, |it| it.functions.clear()),
            changed(&PinIdentity::TableVersion, |_| {}),
            changed(&PinIdentity::TableVersion, |it| {
                it.input.pin.table_id = "two".to_owned();
            }),
            changed(&PinIdentity::TableVersion, |it| {
                it.input.pin.version = Version::new(4);
            }),
        ];
        let different: BTreeSet<Fingerprint> = digests.into_iter().collect();
        assert_eq!(different.len(), digests.len());
    }

    /// Equal rows are equal wherever they lie, and whatever the log says of their files.
    #[test]
    fn where_digested_rows_lie_is_no_part_of_a_fingerprint() {
        let content = PinIdentity::Content(digest(2));
        let base = changed(&content, |_| {});
        assert_eq!(
            base,
            changed(&content, |it| it.input.pin.table_id = "two".to_owned())
        );
        assert_eq!(
            base,
            changed(&content, |it| it.input.pin.version = Version::new(4))
        );
        assert_eq!(
            base,
            changed(&content, |it| it.input.pin.snapshot = digest(8))
        );
    }

    #[test]
    fn every_part_of_a_schema_tells_schemas_apart() {
        let hash = |field: Field| schema_hash(&Arc::new(Schema::new(vec![field])));
        let plain = || Field::new("id", DataType::Int64, true);
        let named = |key: &str, value: &str| {
            plain().with_metadata(HashMap::from([(key.to_owned(), value.to_owned())]))
        };
        let digests = [
            hash(plain()),
            hash(Field::new("name", DataType::Int64, true)),
            hash(Field::new("id", DataType::Int32, true)),
            hash(Field::new("id", DataType::Int64, false)),
            hash(named("ARROW:extension:name", "ossature.site")),
            hash(named("ARROW:extension:name", "ossature.symbol")),
            schema_hash(&Arc::new(Schema::new(vec![plain(), plain()]))),
        ];
        let different: BTreeSet<Fingerprint> = digests.into_iter().collect();
        assert_eq!(different.len(), digests.len());
        assert_eq!(hash(plain()), hash(named("comment", "of no meaning")));
    }
}
