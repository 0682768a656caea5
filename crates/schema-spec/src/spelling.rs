//! Names and choices as text, in configuration and artifacts alike.

use std::borrow::Cow;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Codec, ColumnName, DatasetName, Encoding, PageStatistics};

/// Spells a type by its text, and checks the text on the way back.
macro_rules! spelled_as_text {
    ($name:ty, $to:expr, $from:expr) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&$to(self))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                $from(&text).map_err(D::Error::custom)
            }
        }
    };
}

fn known<T>(found: Option<T>, text: &str) -> Result<T, String> {
    found.ok_or_else(|| format!("`{text}` is none of the known names"))
}

spelled_as_text!(
    DatasetName,
    |it: &DatasetName| it.to_string(),
    |text: &str| { DatasetName::try_new(text) }
);
spelled_as_text!(
    ColumnName,
    |it: &ColumnName| it.to_string(),
    |text: &str| { ColumnName::try_new(text) }
);
spelled_as_text!(Codec, |it: &Codec| it.to_string(), |text: &str| known(
    Codec::from_name(text),
    text
));
spelled_as_text!(Encoding, |it: &Encoding| it.as_str(), |text: &str| known(
    Encoding::from_name(text),
    text
));
spelled_as_text!(
    PageStatistics,
    |it: &PageStatistics| it.as_str(),
    |text: &str| known(PageStatistics::from_name(text), text)
);

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check<T: Serialize + for<'de> Deserialize<'de> + PartialEq + Debug>(value: &T, text: &str) {
        let json = serde_json::to_string(value).unwrap();
        assert_eq!(json, format!("{text:?}"));
        assert_eq!(serde_json::from_str::<T>(&json).unwrap(), *value);
    }

    #[track_caller]
    fn check_refused<T: for<'de> Deserialize<'de> + Debug>(json: &str, want: &Expect) {
        let error = serde_json::from_str::<T>(json).unwrap_err().to_string();
        want.assert_eq(error.split(" at line").next().unwrap_or_default());
    }

    #[test]
    fn every_choice_is_spelled_as_its_name() {
        check(
            &DatasetName::try_new("cpg.cpg_nodes").unwrap(),
            "cpg.cpg_nodes",
        );
        check(&ColumnName::try_new("node_id").unwrap(), "node_id");
        for codec in [Codec::Uncompressed, Codec::Snappy, Codec::Zstd(3)] {
            check(&codec, &codec.to_string());
        }
        for encoding in Encoding::ALL {
            check(&encoding, encoding.as_str());
        }
        for statistics in PageStatistics::ALL {
            check(&statistics, statistics.as_str());
        }
    }

    #[test]
    fn other_texts_are_refused() {
        check_refused::<DatasetName>(
            "\"nodes\"",
            &expect![
                "dataset name `nodes` is not of the form `stage.table` (lower-case letters, digits and `_`)"
            ],
        );
        check_refused::<ColumnName>(
            "\"a,b\"",
            &expect![
                "column name `a,b` is refused: only letters, digits and `_` are read by every engine"
            ],
        );
        check_refused::<Codec>(
            "\"zstd(+3)\"",
            &expect!["`zstd(+3)` is none of the known names"],
        );
        check_refused::<Codec>(
            "\"zstd(03)\"",
            &expect!["`zstd(03)` is none of the known names"],
        );
        check_refused::<Codec>(
            "\"zstd(300)\"",
            &expect!["`zstd(300)` is none of the known names"],
        );
        check_refused::<Encoding>("\"rle\"", &expect!["`rle` is none of the known names"]);
        check_refused::<PageStatistics>(
            "3",
            &expect!["invalid type: integer `3`, expected a string"],
        );
    }
}
