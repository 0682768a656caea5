//! A table as it is stored: every column that its log declares, under no contract, whoever wrote it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{At, Error, ForeignScan, GuardedScan, OpenTable, ScanMode, TableLocation, open_table};
use datafusion::catalog::TableProvider;
use deltalake_core::kernel::transaction::PROTOCOL;

/// The scan of an opened table.
pub(crate) enum StoredScan {
    Direct(Arc<GuardedScan>),
    Delegated(Arc<ForeignScan>),
}

impl StoredScan {
    /// Our own scan where our writer made the files, else that of delta-rs.
    ///
    /// **Errors**: [`Error::Unsupported`] when the runtime cannot read the table's protocol, whoever made the files.
    pub(crate) async fn try_new(open: &OpenTable) -> Result<Self, Error> {
        check_readable(open)?;
        Ok(if open.commit().ours && open.holds_own_files()? {
            Self::Direct(Arc::new(GuardedScan::try_new(open)?))
        } else {
            Self::Delegated(Arc::new(ForeignScan::try_new(open).await?))
        })
    }

    pub(crate) fn mode(&self) -> ScanMode {
        match self {
            Self::Direct(_) => ScanMode::Direct,
            Self::Delegated(_) => ScanMode::Delegated,
        }
    }

    /// How files are read.
    pub(crate) fn settings(&self) -> BTreeMap<&'static str, &'static str> {
        let (bounds, footers) = match self {
            Self::Direct(scan) => (
                if scan.has_exact_bounds() {
                    "exact"
                } else {
                    "inexact"
                },
                "cached",
            ),
            Self::Delegated(_) => ("inexact", "read anew"),
        };
        BTreeMap::from([
            ("bounds", bounds),
            ("footers", footers),
            ("int96", "microseconds of UTC"),
            ("partition_values", "plain"),
            ("text", "utf8"),
        ])
    }

    pub(crate) fn provider(&self) -> Arc<dyn TableProvider> {
        match self {
            Self::Direct(scan) => Arc::clone(scan) as _,
            Self::Delegated(scan) => Arc::clone(scan) as _,
        }
    }
}

/// Refuses a table whose protocol the runtime does not read, whoever made the files.
pub(crate) fn check_readable(open: &OpenTable) -> Result<(), Error> {
    let protocol = open.snapshot()?.protocol();
    let readable = PROTOCOL.can_read_from_protocol(protocol);
    readable.map_err(|error| Error::Unsupported {
        location: open.location().to_string(),
        reason: error.to_string(),
    })
}

/// A table that is read as it is stored, without a contract.
#[derive(Debug, Clone)]
pub struct StoredTable {
    open: OpenTable,
    mode: ScanMode,
    provider: Arc<dyn TableProvider>,
}

impl StoredTable {
    /// The loaded table.
    pub fn open(&self) -> &OpenTable {
        &self.open
    }

    /// Who reads the files.
    pub fn mode(&self) -> ScanMode {
        self.mode
    }

    /// The relation of its rows. In [`ScanMode::Direct`] partition columns come last.
    pub fn provider(&self) -> Arc<dyn TableProvider> {
        Arc::clone(&self.provider)
    }
}

/// Opens a table at a version, or at the newest one, to be read as it is stored.
///
/// For tables that no dataset declares: register [`StoredTable::provider`] in a session under any name.
///
/// **Errors**: those of [`open_table`], and [`Error::Unsupported`].
pub async fn open_stored(
    location: &TableLocation,
    at: impl Into<At>,
) -> Result<StoredTable, Error> {
    let at = at.into();
    let open = open_table(location, at).await?;
    if at != At::Newest {
        open.check_files().await?;
    }
    let scan = StoredScan::try_new(&open).await?;
    Ok(StoredTable {
        open,
        mode: scan.mode(),
        provider: scan.provider(),
    })
}
