//! The stores that the command can use. A new kind of store is a variant here and an argument in `main.rs`.

use std::path::PathBuf;

use rolecall::Authorizer;
use rolecall::store::{MemoryStore, RedbStore};

use crate::catalog::Permission;

/// Where the tenants are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StoreChoice {
    /// In memory, until the command ends.
    #[default]
    Memory,
    /// In one durable file.
    Redb(PathBuf),
}

impl StoreChoice {
    /// Opens the store, and makes an authorizer over it. Writes go on in tasks of this runtime when a client hangs up.
    ///
    /// # Errors
    /// The store cannot be opened.
    pub fn open(&self, runtime: tokio::runtime::Handle) -> Result<Authorizer, Box<dyn std::error::Error>> {
        let builder = Authorizer::builder().catalog(Permission::catalog()).runtime(runtime);
        Ok(match self {
            Self::Memory => builder.store(MemoryStore::default()).build(),
            Self::Redb(path) => builder.store(RedbStore::open(path)?).build(),
        })
    }
}
