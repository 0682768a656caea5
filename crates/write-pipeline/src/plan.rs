//! Writing what a plan computes: in the declared order, or clustered.

use std::sync::Arc;

use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, ScalarUDF, SortExpr};
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::ident;
use futures::StreamExt;
use ossature_schema_spec::{ColumnName, ColumnSpec, DatasetSpec};

use crate::cluster::{ClusterKey, PlaceFunction, Spread};
use crate::writer::write_rows;
use crate::{EncodePool, Error, WriteFailure, WriteOutcome, WriteRequest};

/// Writes what a plan computes, sorted as the dataset declares it.
///
/// Rows are sorted in the session, which spills what does not fit its memory; a plan whose rows are known to come in the
/// order already is not sorted again. Where the order leaves rows in doubt, the other columns decide. A dataset that is
/// clustered instead has its plan computed twice: once to find out how the values are spread, and once for the rows.
///
/// **Determinism**: equal rows give equal files, whatever the session's partitions and batches.
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
    let failed = |error| Box::new(WriteFailure::before(dataset, location, error));
    let (rows, key) = match Box::pin(ordered(&request, state, plan)).await {
        Ok(ordered) => ordered,
        Err(error) => return Err(failed(error)),
    };
    Box::pin(write_rows(request, pool, key, rows)).await
}

async fn ordered(
    request: &WriteRequest,
    state: &SessionState,
    plan: LogicalPlan,
) -> Result<(SendableRecordBatchStream, Option<Arc<ClusterKey>>), Error> {
    let contract = &request.contract;
    let clustered = &request.policy.cluster_by.value;
    let mut keys: Vec<SortExpr> = contract
        .order()
        .iter()
        .map(|key| ident(key.column.as_str()).sort(!key.descending, true))
        .collect();
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
    if !is_total(contract) {
        let others = contract
            .columns()
            .iter()
            .filter(|column| is_comparable(column));
        keys.extend(others.map(|column| ident(column.name().as_str()).sort(true, true)));
    }
    let mut sorted = LogicalPlanBuilder::from(plan);
    if !keys.is_empty() {
        sorted = sorted.sort(keys)?;
    }
    Ok((execute(state, &sorted.build()?).await?, cluster))
}

/// Whether the order leaves no two rows in doubt, because it contains the key.
pub(crate) fn is_total(contract: &DatasetSpec) -> bool {
    let has = |column: &ColumnName| contract.order().iter().any(|key| key.column == *column);
    !contract.key().is_empty() && contract.key().iter().all(has)
}

pub(crate) fn is_comparable(column: &ColumnSpec) -> bool {
    !column.column_type().to_arrow().is_nested()
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
