//! Who answers for a query that failed: its words, what it was computed from, or the engine and the storage below.

use std::error::Error;
use std::io;

use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use datafusion::object_store;
use datafusion::parquet::errors::ParquetError;

/// Whether a query failed by what it asks for: it cannot be planned, or one of its expressions fails for a row, as a
/// cast or a division by zero does. For every other failure the engine and the storage answer.
pub fn is_fault_of_query(error: &DataFusionError) -> bool {
    match error.find_root() {
        DataFusionError::SQL(..)
        | DataFusionError::Plan(_)
        | DataFusionError::SchemaError(..)
        | DataFusionError::NotImplemented(_)
        // What functions say of their arguments.
        | DataFusionError::Execution(_) => true,
        DataFusionError::ArrowError(error, _) => is_of_expression(error),
        // What libraries below functions say, of a regular expression for instance, unless it is storage that speaks.
        DataFusionError::External(error) => match error.downcast_ref() {
            Some(error) => is_of_expression(error),
            None => !is_of_storage(error.as_ref()),
        },
        _ => false,
    }
}

/// What a function of ours says of the rows that it was given, if that is why a computation failed.
pub(crate) fn refusal_of_rows(error: &DataFusionError) -> Option<&ossature_udfs::Error> {
    match error.find_root() {
        DataFusionError::External(error) => error.downcast_ref(),
        _ => None,
    }
}

/// What kernels say of the values that they are given.
fn is_of_expression(error: &ArrowError) -> bool {
    matches!(
        error,
        ArrowError::CastError(_)
            | ArrowError::ParseError(_)
            | ArrowError::ComputeError(_)
            | ArrowError::DivideByZero
            | ArrowError::ArithmeticOverflow(_)
            | ArrowError::InvalidArgumentError(_)
            | ArrowError::NotYetImplemented(_)
    )
}

fn is_of_storage(error: &(dyn Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |&error| error.source());
    causes.any(|cause| {
        cause.is::<io::Error>() || cause.is::<object_store::Error>() || cause.is::<ParquetError>()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[track_caller]
    fn check(error: DataFusionError, want: bool) {
        assert_eq!(is_fault_of_query(&error), want, "{error}");
        // Engines wrap errors on their way up.
        let shared = Arc::new(error.context("while computing"));
        let wrapped = DataFusionError::Shared(shared);
        assert_eq!(is_fault_of_query(&wrapped), want, "{wrapped}");
    }

    #[test]
    fn a_query_answers_for_its_words_and_expressions() {
        let text = || "x".to_owned();
        check(DataFusionError::Plan(text()), true);
        check(DataFusionError::NotImplemented(text()), true);
        check(DataFusionError::Execution(text()), true);
        check(ArrowError::DivideByZero.into(), true);
        check(ArrowError::CastError(text()).into(), true);
        let refused = ossature_udfs::Error::DuplicateKey { key: text() };
        check(refused.into(), true);
        let malformed = Box::new(std::fmt::Error);
        check(DataFusionError::External(malformed), true);
    }

    #[test]
    fn engine_and_storage_answer_for_the_rest() {
        let text = || "x".to_owned();
        let lost = || io::Error::other("the disk is gone");
        check(DataFusionError::Internal(text()), false);
        check(DataFusionError::ResourcesExhausted(text()), false);
        check(DataFusionError::IoError(lost()), false);
        check(DataFusionError::External(Box::new(lost())), false);
        let unreadable = ParquetError::External(Box::new(lost()));
        check(DataFusionError::External(Box::new(unreadable)), false);
        let unreadable = ArrowError::ParquetError(text());
        check(DataFusionError::External(Box::new(unreadable)), false);
        check(ArrowError::from(lost()).into(), false);
        check(ArrowError::ParquetError(text()).into(), false);
        // Found below Arrow, where the engine has put it.
        let inner = Box::new(DataFusionError::IoError(lost()));
        check(ArrowError::ExternalError(inner).into(), false);
    }
}
