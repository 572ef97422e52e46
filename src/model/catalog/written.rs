//! What the macro `catalog!` writes: `__catalog_enum!` one enum, `__catalog_data!` its entries as constants, and
//! `__catalog_shared!` the check and the one catalog.
//!
//! It calls public items only; those that are no public API are in `catalog::__private`. The attributes `allow` are for
//! the application's lints. Read next: `definition.rs`, whose values it makes, then `check.rs`, which it calls in a
//! constant.

/// One enum: its variants in order, and what is said of each.
#[doc(hidden)]
#[macro_export]
macro_rules! __catalog_enum {
    (
        $noun:ident $Trait:ident
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
                #[doc = concat!("The ", stringify!($noun), " `", $slug, "`.")]
                $Entry,
            )+
        }

        #[allow(dead_code, deprecated)]
        impl $Name {
            /// All of them, in the order of the catalog.
            $vis const ALL: &'static [Self] = &[$(Self::$Entry),+];

            /// What programs call it now.
            #[must_use]
            $vis const fn slug(self) -> &'static str {
                match self { $(Self::$Entry => $slug),+ }
            }

            /// The one that is called so now.
            #[must_use]
            $vis fn from_slug(slug: &str) -> ::core::option::Option<Self> {
                let at = $crate::catalog::__private::$noun(Self::catalog(), slug)?;
                Self::ALL.get(at as usize).copied()
            }

            /// The catalog that lists them.
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

/// The entries of one kind, as the constant data of a definition.
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

/// The value of one field.
#[doc(hidden)]
#[macro_export]
macro_rules! __catalog_field {
    (name $name:literal $($enums:ident)+) => { ::core::option::Option::Some($name) };
    (description $description:literal $($enums:ident)+) => { $description };
    (category $category:literal $($enums:ident)+) => { ::core::option::Option::Some($category) };
    (renamed_from [$($slug:literal),* $(,)?] $($enums:ident)+) => { &[$($slug),*] };
    // The variable is either a variant or a pattern; an item that is neither is the nothing after a last comma.
    (grants [$($($variant:ident)? $($pattern:literal)?),*] $Permission:ident $Role:ident) => {
        &[$($($Permission::$variant.slug())? $($pattern)?),*]
    };
    (includes [$($variant:ident),* $(,)?] $Permission:ident $Role:ident) => { &[$($Role::$variant.slug()),*] };
    ($field:ident $value:tt $($enums:ident)+) => {
        ::core::compile_error!(concat!(
            "`", stringify!($field), ": ", stringify!($value), "` is none of: name, description, category: \"…\"; ",
            "was: [\"…\"]; grants: [Variant, \"…*\"]; includes: [Variant]",
        ))
    };
}

/// The one catalog, checked, and the traits that lead to it.
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
