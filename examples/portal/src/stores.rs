//! The stores that the command can use. A new kind of store is a variant here and an argument in `main.rs`.

use std::path::PathBuf;

use rolecall::Authorizer;
use rolecall::store::{History, MemoryStore, RedbStore};
use rolecall_postgres::PostgresStore;
use rolecall_postgres::deadpool_postgres::{Manager, Pool};
use rolecall_postgres::tokio_postgres::{Config, NoTls};

use crate::catalog::Permission;
use crate::history::Commits;

/// So many connections to PostgreSQL at most. Only commits and the first request for a tenant use one.
const MOST_CONNECTIONS: usize = 16;

/// Where the tenants are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StoreChoice {
    /// In memory, until the command ends.
    #[default]
    Memory,
    /// In one durable file.
    Redb(PathBuf),
    /// In PostgreSQL, without TLS. `Debug` does not show the password.
    Postgres(Box<Config>),
}

/// An authorizer, and the history of its store.
#[derive(Clone, Debug)]
pub struct OpenStore {
    /// The authorizer.
    pub authorizer: Authorizer,
    /// Who changed what, and when.
    pub history: Commits,
}

impl StoreChoice {
    /// Opens the store, and makes an authorizer over it. Writes go on in tasks of this runtime when a client hangs up.
    ///
    /// PostgreSQL gets the tables of this release, if it does not have them. An application whose role must not create
    /// tables applies [`migration_sql`](rolecall_postgres::migration_sql) with another role instead.
    ///
    /// # Errors
    /// The store cannot be opened.
    pub async fn open(&self, runtime: tokio::runtime::Handle) -> Result<OpenStore, Box<dyn std::error::Error>> {
        Ok(match self {
            Self::Memory => over(MemoryStore::default(), runtime),
            Self::Redb(path) => over(RedbStore::open(path)?, runtime),
            Self::Postgres(config) => {
                let manager = Manager::new(Config::clone(config), NoTls);
                let store = PostgresStore::new(Pool::builder(manager).max_size(MOST_CONNECTIONS).build()?);
                store.migrate().await?;
                over(store, runtime)
            }
        })
    }
}

fn over(store: impl History + Clone, runtime: tokio::runtime::Handle) -> OpenStore {
    let history = Commits::of(store.clone());
    let authorizer = Authorizer::builder().store(store).catalog(Permission::catalog()).runtime(runtime).build();
    OpenStore { authorizer, history }
}
