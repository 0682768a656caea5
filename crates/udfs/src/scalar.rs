//! Scalar functions as declarations: one value says everything about a function, one type runs them all.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow_schema::extension::EXTENSION_TYPE_NAME_KEY;
use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature,
    Volatility,
};
use ossature_schema_spec::SemanticType;

use crate::Error;
use crate::argument::{Argument, coerce};
use crate::catalogue::documentation;

/// Everything about one scalar function. All are immutable: the value depends on the arguments only.
#[derive(Debug)]
pub(crate) struct ScalarSpec {
    pub(crate) name: &'static str,
    /// Grows whenever the function returns something else for the same arguments.
    pub(crate) version: u32,
    pub(crate) doc: &'static str,
    pub(crate) example: &'static str,
    pub(crate) arguments: &'static [Argument],
    pub(crate) returns: fn(&[DataType]) -> std::result::Result<DataType, Error>,
    pub(crate) semantic: Option<SemanticType>,
    /// Whether it has no value for some arguments that are not null.
    pub(crate) is_partial: bool,
    /// Whether a larger first argument never gives a smaller result.
    pub(crate) is_monotone: bool,
    pub(crate) body: fn(&[ArrayRef]) -> std::result::Result<ArrayRef, Error>,
}

/// A scalar function for the engine.
#[derive(Debug)]
pub(crate) struct ScalarFunction {
    spec: &'static ScalarSpec,
    signature: Signature,
    documentation: Documentation,
}

impl ScalarFunction {
    pub(crate) fn new(spec: &'static ScalarSpec) -> Self {
        Self {
            spec,
            signature: Signature::user_defined(Volatility::Immutable),
            documentation: documentation(spec.name, spec.doc, spec.example, spec.arguments),
        }
    }
}

impl PartialEq for ScalarFunction {
    fn eq(&self, other: &Self) -> bool {
        self.spec.name == other.spec.name && self.spec.version == other.spec.version
    }
}

impl Eq for ScalarFunction {}

impl Hash for ScalarFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.spec.name.hash(state);
        self.spec.version.hash(state);
    }
}

impl ScalarUDFImpl for ScalarFunction {
    fn name(&self) -> &str {
        self.spec.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, found: &[DataType]) -> Result<Vec<DataType>> {
        Ok(coerce(self.spec.name, self.spec.arguments, found)?)
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok((self.spec.returns)(arguments)?)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<_> = args
            .arg_fields
            .iter()
            .map(|field| field.data_type().clone())
            .collect();
        let strict = self.spec.arguments.iter().zip(args.arg_fields);
        let nullable = self.spec.is_partial
            || strict
                .into_iter()
                .any(|(argument, field)| !argument.accepts_null && field.is_nullable());
        let field = Field::new(self.spec.name, self.return_type(&types)?, nullable);
        Ok(Arc::new(match self.spec.semantic {
            None => field,
            Some(semantic) => field.with_metadata(
                [(
                    EXTENSION_TYPE_NAME_KEY.to_owned(),
                    semantic.extension_name().to_owned(),
                )]
                .into(),
            ),
        }))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let all_scalar = args
            .args
            .iter()
            .all(|value| matches!(value, ColumnarValue::Scalar(_)));
        let rows = if all_scalar { 1 } else { args.number_rows };
        let arrays = args
            .args
            .iter()
            .map(|value| value.to_array(rows))
            .collect::<Result<Vec<_>>>()?;
        let result = (self.spec.body)(&arrays)?;
        Ok(if all_scalar {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?)
        } else {
            ColumnarValue::Array(result)
        })
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        Ok(match inputs {
            [only] if self.spec.is_monotone => only.sort_properties,
            _ => SortProperties::Unordered,
        })
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}
