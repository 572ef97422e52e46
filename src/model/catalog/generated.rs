//! The code that the macro `catalog!` generates: `__catalog_enum!` an enum, `__catalog_data!` its entries as constants,
//! `__catalog_shared!` the check and the catalog itself.
//!
//! The generated code calls public items only; those outside the public API are in `catalog::__private`. The `allow`
//! attributes silence the application's lints. Read next: `definition.rs`, then `check.rs`.

/// Generates an enum.
#[doc(hidden)]
#[macro_export]
macro_rules! __catalog_enum {
    (
        $kind:ident $Trait:ident
        $(#[$meta:meta])* $vis:vis enum $Name:ident {
            $($(#[$entry_meta:meta])* $Entry:ident = $slug:literal $({ $($body:tt)* })?),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[allow(clippy::enum_variant_names)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $Name {
            $(
                $(#[$entry_meta])*
                #[doc = ""]
                #[doc = concat!("The ", stringify!($kind), " `", $slug, "`.")]
                $Entry,
            )+
        }

        #[allow(dead_code, deprecated)]
        impl $Name {
            /// All variants, in the order of the catalog.
            $vis const ALL: &'static [Self] = &[$(Self::$Entry),+];

            /// Returns the current slug.
            #[must_use]
            $vis const fn slug(self) -> &'static str {
                match self { $(Self::$Entry => $slug),+ }
            }

            /// Returns the variant with this current slug.
            #[must_use]
            $vis fn from_slug(slug: &str) -> ::core::option::Option<Self> {
                let at = $crate::catalog::__private::$kind(Self::catalog(), slug)?;
                Self::ALL.get(at as usize).copied()
            }

            /// Returns the catalog.
            #[must_use]
            $vis fn catalog() -> &'static $crate::catalog::Catalog {
                <Self as $crate::catalog::$Trait>::catalog()
            }
        }

        #[automatically_derived]
        impl ::core::fmt::Display for $Name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.pad(self.slug())
            }
        }
    };
}

/// Generates the entries of one kind as constants.
#[doc(hidden)]
#[macro_export]
macro_rules! __catalog_data {
    (@ $NAME:ident $Def:ident $Permission:ident $Role:ident {
        $($(#[$meta:meta])* $Entry:ident = $slug:literal $({ $($field:ident: $value:tt),* $(,)? })?),+ $(,)?
    }) => {
        #[allow(clippy::needless_update, deprecated)]
        const $NAME: &[$crate::catalog::$Def<'static>] = &[$(
            $crate::catalog::$Def {
                $($($field: $crate::__catalog_field!($field $value $Permission $Role),)*)?
                ..$crate::catalog::$Def::new($slug)
            }
        ),+];
    };
    (permissions $($rest:tt)+) => { $crate::__catalog_data! { @ PERMISSIONS PermissionDef $($rest)+ } };
    (roles $($rest:tt)+) => { $crate::__catalog_data! { @ ROLES RoleDef $($rest)+ } };
}

/// Generates the value of a field.
#[doc(hidden)]
#[macro_export]
macro_rules! __catalog_field {
    (name $name:literal $($enums:ident)+) => { ::core::option::Option::Some($name) };
    (description $description:literal $($enums:ident)+) => { $description };
    (category $category:literal $($enums:ident)+) => { ::core::option::Option::Some($category) };
    (renamed_from [$($slug:literal),* $(,)?] $($enums:ident)+) => { &[$($slug),*] };
    // An item is a variant or a pattern. An item that is neither is the empty one after a trailing comma.
    (grants [$($($variant:ident)? $($pattern:literal)?),*] $Permission:ident $Role:ident) => {
        &[$($($Permission::$variant.slug())? $($pattern)?),*]
    };
    (includes [$($variant:ident),* $(,)?] $Permission:ident $Role:ident) => { &[$($Role::$variant.slug()),*] };
    ($field:ident $value:tt $($enums:ident)+) => {
        ::core::compile_error!(concat!(
            "`", stringify!($field), ": ", stringify!($value), "` is not one of: name, description, category: \"…\"; ",
            "renamed_from: [\"…\"]; grants: [Variant, \"…*\"]; includes: [Variant]",
        ))
    };
}

/// Generates the checked catalog and the implementations of the traits.
#[doc(hidden)]
#[macro_export]
macro_rules! __catalog_shared {
    ($($Trait:ident for $Name:ident),+) => {
        #[allow(long_running_const_eval)]
        const _: () = $crate::catalog::__private::assert_sound::<
            { $crate::catalog::__private::slots(&DEFINITION) }
        >(&DEFINITION);

        static CATALOG: ::std::sync::OnceLock<$crate::catalog::Catalog> = ::std::sync::OnceLock::new();

        $(
            #[automatically_derived]
            impl $crate::catalog::$Trait for $Name {
                fn catalog() -> &'static $crate::catalog::Catalog {
                    CATALOG.get_or_init(|| $crate::catalog::__private::catalog(&DEFINITION))
                }

                fn index(self) -> u32 {
                    self as u32
                }
            }
        )+
    };
}
