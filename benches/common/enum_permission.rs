//! A substitute for an enum of permissions, which would have 2,000 variants here. This type does by hand what the macro
//! `catalog!` generates. It has the number of a variant, and a catalog that is initialised once.

use std::sync::OnceLock;

use rolecall::catalog::{Catalog, CatalogPermission, Definition, PermissionDef};

use super::organisation::slug;

/// The permission with this number, in the catalog whose sets of permissions take `N` words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EnumPermission<const N: usize>(pub(crate) u32);

static S: OnceLock<Catalog> = OnceLock::new();
static M: OnceLock<Catalog> = OnceLock::new();
static L: OnceLock<Catalog> = OnceLock::new();

const fn cell<const N: usize>() -> &'static OnceLock<Catalog> {
    match N {
        4 => &S,
        16 => &M,
        _ => &L,
    }
}

/// Returns the catalog with this many permissions.
pub(crate) fn catalog<const N: usize>(permissions: u32) -> &'static Catalog {
    cell::<N>().get_or_init(|| {
        let slugs: Vec<String> = (0..permissions).map(slug).collect();
        let permissions: Vec<PermissionDef<'_>> = slugs.iter().map(|slug| PermissionDef::new(slug)).collect();
        Catalog::new(&Definition { permissions: &permissions, ..Definition::default() }).unwrap()
    })
}

impl<const N: usize> CatalogPermission for EnumPermission<N> {
    #[inline]
    fn catalog() -> &'static Catalog {
        cell::<N>().get_or_init(Catalog::empty)
    }

    #[inline]
    fn index(self) -> u32 {
        self.0
    }
}
