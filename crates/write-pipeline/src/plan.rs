//! Writing what a plan computes: in the declared order, or clustered.

use std::sync::Arc;

use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, ScalarUDF, SortExpr};
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::ident;
use futures::StreamExt;
use ossature_registry::{SessionSpec, open_dataset};
use ossature_schema_spec::{ColumnName, DatasetSpec, Version};

use crate::cluster::{ClusterKey, PlaceFunction, Spread};
use crate::writer::{ReadAll, write_rows};
use crate::{EncodePool, Error, WriteFailure, WriteMode, WriteOutcome, WriteRequest};

/// Writes what a plan computes, sorted as the dataset declares it.
///
/// Rows are sorted in the session, which spills what does not fit its memory; a plan whose rows are known to come in the
/// order already is not sorted again. Where the order leaves rows in doubt, the other columns decide. A dataset that is
/// clustered instead has its plan computed twice: once to find out how the values are spread, and once for the rows.
///
/// **Determinism**: equal rows give equal files, whatever the session's partitions and batches. Only rows that the order leaves
/// in doubt, and that differ in nothing but nested columns, come as the engine has them.
///
/// **Errors**: a [`WriteFailure`] with those of [`write_stream`](crate::write_stream).
pub async fn write_plan(
    request: WriteRequest,
    pool: EncodePool,
    state: &SessionState,
    plan: LogicalPlan,
) -> Result<WriteOutcome, Box<WriteFailure>> {
    let dataset = request.contract.name().clone();
    let location = request.location.to_string();
    let failed = |dataset, error| Box::new(WriteFailure::before(dataset, location, error));
    if request.mode == WriteMode::Compact {
        let error = Error::RowsForCompaction {
            dataset: dataset.clone(),
        };
        return Err(failed(dataset, error));
    }
    let (rows, key) = match Box::pin(ordered(&request, state, plan)).await {
        Ok(ordered) => ordered,
        Err(error) => return Err(failed(dataset, error)),
    };
    Box::pin(write_rows(request, pool, key, rows, None)).await
}

/// Clusters the rows of a table anew, as they are spread at that version. No row is another than before.
///
/// **Errors**: those of [`write_plan`], and [`Error::Conflict`] when that is not the newest version any more.
pub(crate) async fn cluster_anew(
    request: WriteRequest,
    version: Version,
    pool: EncodePool,
) -> Result<WriteOutcome, Box<WriteFailure>> {
    let name = request.contract.name().clone();
    let location = request.location.to_string();
    let failed = |error| Box::new(WriteFailure::at(name, location, version, error));
    let rows = async {
        let dataset = open_dataset(&request.contract, &request.location, Some(version)).await?;
        let session = SessionSpec::default().build()?;
        let (state, plan) = session.read_table(dataset.provider())?.into_parts();
        let rows = dataset.facts().rows;
        let (stream, key) = ordered(&request, &state, plan).await?;
        Ok((stream, key, ReadAll { version, rows }))
    };
    match Box::pin(rows).await {
        Ok((rows, key, read)) => Box::pin(write_rows(request, pool, key, rows, Some(read))).await,
        Err(error) => Err(failed(error)),
    }
}

async fn ordered(
    request: &WriteRequest,
    state: &SessionState,
    plan: LogicalPlan,
) -> Result<(SendableRecordBatchStream, Option<Arc<ClusterKey>>), Error> {
    let contract = &request.contract;
    let clustered = &request.policy.cluster_by.value;
    // Rows that are put in places are in no other sequence.
    let plan = match plan {
        LogicalPlan::Sort(sort) if sort.fetch.is_none() && !clustered.is_empty() => {
            Arc::unwrap_or_clone(sort.input)
        }
        other => other,
    };
    let mut keys: Vec<SortExpr> = Vec::new();
    let mut cluster = None;
    if !clustered.is_empty() {
        let columns: Vec<Expr> = clustered.iter().map(|name| ident(name.as_str())).collect();
        let key = Arc::new(spread(contract, clustered, state, &plan, &columns).await?);
        let place = ScalarUDF::from(PlaceFunction::new(Arc::clone(&key)));
        // Files of a partition follow each other.
        let partition = contract.partition().iter();
        keys.extend(partition.map(|name| ident(name.as_str()).sort(true, true)));
        keys.push(place.call(columns).sort(true, true));
        cluster = Some(key);
    }
    let order = contract.write_order().into_iter();
    keys.extend(order.map(|key| ident(key.column.as_str()).sort(!key.descending, true)));
    let mut sorted = LogicalPlanBuilder::from(plan);
    if !keys.is_empty() {
        sorted = sorted.sort(keys)?;
    }
    Ok((execute(state, &sorted.build()?).await?, cluster))
}

/// How the values of columns are spread.
async fn spread(
    contract: &DatasetSpec,
    columns: &[ColumnName],
    state: &SessionState,
    plan: &LogicalPlan,
    expressions: &[Expr],
) -> Result<ClusterKey, Error> {
    let declared = columns.iter().filter_map(|name| contract.column(name));
    let types: Vec<_> = declared.map(|it| it.column_type().to_arrow()).collect();
    let mut spread = Spread::try_new(&types)?;
    let values = LogicalPlanBuilder::from(plan.clone())
        .project(expressions.to_vec())?
        .build()?;
    let mut rows = execute(state, &values).await?;
    while let Some(batch) = rows.next().await {
        let columns = batch?;
        let columns = columns.columns().iter().zip(&types);
        let columns = columns.map(|(array, wanted)| arrow_cast::cast(array, wanted));
        spread.look(&columns.collect::<Result<Vec<_>, _>>()?)?;
    }
    Ok(spread.ranks())
}

async fn execute(
    state: &SessionState,
    plan: &LogicalPlan,
) -> Result<SendableRecordBatchStream, Error> {
    let physical = state.create_physical_plan(plan).await?;
    Ok(execute_stream(physical, state.task_ctx())?)
}
