//! A variant of an enum of permissions. A real one of 2,000 variants is unwieldy to write down, so this is what the macro
//! `catalog!` would make of it: a number, and a catalog behind a lock that is set once.

use std::sync::OnceLock;

use rolecall::catalog::{Catalog, CatalogPermission, Definition, PermissionDef};

use super::organisation::slug;

/// Permission number so-and-so of the catalog whose permissions take `N` words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Variant<const N: usize>(pub(crate) u32);

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

/// The catalog with so many permissions.
pub(crate) fn catalog<const N: usize>(permissions: u32) -> &'static Catalog {
    cell::<N>().get_or_init(|| {
        let slugs: Vec<String> = (0..permissions).map(slug).collect();
        let permissions: Vec<PermissionDef<'_>> = slugs.iter().map(|slug| PermissionDef::new(slug)).collect();
        Catalog::new(&Definition { permissions: &permissions, ..Definition::default() }).unwrap()
    })
}

impl<const N: usize> CatalogPermission for Variant<N> {
    #[inline]
    fn catalog() -> &'static Catalog {
        cell::<N>().get_or_init(Catalog::empty)
    }

    #[inline]
    fn index(self) -> u32 {
        self.0
    }
}
