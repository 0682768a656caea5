//! Aggregate functions as declarations. Each collects the rows of a group, sorts them by their fields, and makes the
//! result from all of them at once, so that it cannot depend on the order in which rows arrive.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, ListArray, StructArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, Documentation, EmitTo, GroupsAccumulator, Signature, Volatility,
};

use crate::Error;
use crate::argument::{Argument, Reads, coerce};
use crate::catalogue::documentation;
use crate::rows::{GroupedRows, SortedGroups, element_field};

/// Everything about one aggregate function.
#[derive(Debug)]
pub(crate) struct AggregateSpec {
    pub(crate) name: &'static str,
    /// Grows whenever the function returns something else for the same rows.
    pub(crate) version: u32,
    pub(crate) doc: &'static str,
    pub(crate) example: &'static str,
    pub(crate) arguments: &'static [Argument],
    pub(crate) returns: fn(&Fields) -> DataType,
    /// One value for every group.
    pub(crate) finish: fn(&SortedGroups) -> std::result::Result<ArrayRef, Error>,
}

impl AggregateSpec {
    /// The fields of a collected row: those of the one struct that is given, or one for each argument.
    fn row_fields(&self, found: &[DataType]) -> Fields {
        match (self.arguments, found) {
            ([only], [DataType::Struct(fields)]) if only.reads == Reads::Struct => fields.clone(),
            (arguments, found) => arguments
                .iter()
                .zip(found)
                .map(|(argument, found)| argument.field().with_data_type(found.clone()))
                .collect(),
        }
    }
}

/// An aggregate function for the engine.
#[derive(Debug)]
pub(crate) struct AggregateFunction {
    spec: &'static AggregateSpec,
    signature: Signature,
    documentation: Documentation,
}

impl AggregateFunction {
    pub(crate) fn new(spec: &'static AggregateSpec) -> Self {
        Self {
            spec,
            signature: Signature::user_defined(Volatility::Immutable),
            documentation: documentation(spec.name, spec.doc, spec.example, spec.arguments),
        }
    }

    fn collected(&self, args: &AccumulatorArgs<'_>) -> CollectedGroups {
        let found: Vec<_> = args
            .expr_fields
            .iter()
            .map(|field| field.data_type().clone())
            .collect();
        let fields = self.spec.row_fields(&found);
        CollectedGroups {
            spec: self.spec,
            rows: GroupedRows::new(fields.clone()),
            fields,
        }
    }
}

impl PartialEq for AggregateFunction {
    fn eq(&self, other: &Self) -> bool {
        self.spec.name == other.spec.name && self.spec.version == other.spec.version
    }
}

impl Eq for AggregateFunction {}

impl Hash for AggregateFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.spec.name.hash(state);
        self.spec.version.hash(state);
    }
}

impl AggregateUDFImpl for AggregateFunction {
    fn name(&self) -> &str {
        self.spec.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, found: &[DataType]) -> Result<Vec<DataType>> {
        Ok(coerce(self.spec.name, self.spec.arguments, found)?)
    }

    fn return_type(&self, found: &[DataType]) -> Result<DataType> {
        Ok((self.spec.returns)(&self.spec.row_fields(found)))
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        ScalarValue::try_from(data_type)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let found: Vec<_> = args
            .input_fields
            .iter()
            .map(|field| field.data_type().clone())
            .collect();
        let element = element_field(self.spec.row_fields(&found));
        let name = format_state_name(args.name, "rows");
        Ok(vec![Arc::new(Field::new_list(name, element, false))])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(self.collected(&args)))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(self.collected(&args)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

/// The groups of a running aggregation, or the one group of an aggregation without grouping.
#[derive(Debug)]
struct CollectedGroups {
    spec: &'static AggregateSpec,
    fields: Fields,
    rows: GroupedRows,
}

impl CollectedGroups {
    /// The arguments as one struct.
    fn row_batch(&self, values: &[ArrayRef]) -> Result<StructArray, Error> {
        let arguments = self.spec.arguments;
        for (argument, value) in arguments.iter().zip(values) {
            if !argument.accepts_null && value.null_count() > 0 {
                return Err(Error::MissingValue {
                    function: self.spec.name,
                    argument: argument.name,
                });
            }
        }
        Ok(match (arguments, values) {
            ([only], [value]) if only.reads == Reads::Struct => value.as_struct().clone(),
            _ => StructArray::new(self.fields.clone(), values.to_vec(), None),
        })
    }

    fn lists(&mut self, emit_to: EmitTo) -> Result<SortedGroups, Error> {
        match emit_to {
            EmitTo::All => self.rows.finish_all(),
            EmitTo::First(groups) => self.rows.finish(groups),
        }
    }
}

impl GroupsAccumulator for CollectedGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        let rows = self.row_batch(values)?;
        let groups = group_indices.iter().enumerate().map(|(row, group)| {
            let passes = opt_filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            passes.then_some(*group)
        });
        self.rows.push(rows, groups, total_num_groups);
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        Ok((self.spec.finish)(&self.lists(emit_to)?)?)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![Arc::new(self.lists(emit_to)?.to_list())])
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        let groups = group_indices.iter().copied();
        self.rows
            .push_lists(values[0].as_list(), groups, total_num_groups);
        Ok(())
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let rows = self.row_batch(values)?;
        let count = rows.len();
        let mut groups = Self {
            spec: self.spec,
            fields: self.fields.clone(),
            rows: GroupedRows::new(self.fields.clone()),
        };
        let each: Vec<usize> = (0..count).collect();
        GroupsAccumulator::update_batch(&mut groups, values, &each, opt_filter, count)?;
        GroupsAccumulator::state(&mut groups, EmitTo::All)
    }

    fn size(&self) -> usize {
        self.rows.size()
    }
}

impl Accumulator for CollectedGroups {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let rows = self.row_batch(values)?;
        let all = std::iter::repeat_n(Some(0), rows.len());
        self.rows.push(rows, all, 1);
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let value = (self.spec.finish)(&self.one_group()?)?;
        ScalarValue::try_from_array(&value, 0)
    }

    fn size(&self) -> usize {
        self.rows.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let list: ListArray = self.one_group()?.to_list();
        Ok(vec![ScalarValue::List(Arc::new(list))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists = states[0].as_list();
        let all = std::iter::repeat_n(0, lists.len());
        self.rows.push_lists(lists, all, 1);
        Ok(())
    }
}

impl CollectedGroups {
    /// The only group, which exists even when no row came.
    fn one_group(&mut self) -> Result<SortedGroups, Error> {
        let none = StructArray::new_null(self.fields.clone(), 0);
        self.rows.push(none, std::iter::empty(), 1);
        self.rows.finish_all()
    }
}
