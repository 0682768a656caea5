//! Declares enums whose variants are stored as text.

/// An enum with one label for each variant; a variant without a label is stored under its own name.
macro_rules! labels {
    ($(#[$doc:meta])* $vis:vis enum $name:ident { $($(#[$variant_doc:meta])* $variant:ident $(= $label:literal)?),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $name { $($(#[$variant_doc])* $variant),* }

        impl $name {
            /// The label as it is stored.
            $vis const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => labels!(@label $variant $($label)?)),* }
            }
        }
    };
    (@label $variant:ident $label:literal) => { $label };
    (@label $variant:ident) => { stringify!($variant) };
}

pub(crate) use labels;
