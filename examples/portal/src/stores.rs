//! The stores that the command can use. A new kind of store is a variant here and an argument in `main.rs`.

use std::path::PathBuf;
use std::time::Duration;

use rolecall::store::{History, MemoryStore, RedbStore};
use rolecall::{Authorizer, AuthorizerBuilder};
use rolecall_postgres::PostgresStore;
use rolecall_postgres::deadpool_postgres::{Manager, Pool};
use rolecall_postgres::tokio_postgres::{Config, NoTls};

use crate::catalog::Permission;
use crate::history::Commits;

/// So many connections to PostgreSQL at most. Only commits and the first request for a tenant use one.
const MOST_CONNECTIONS: usize = 16;

/// So old an answer can be at most if PostgreSQL cannot be reached. Then every check is denied.
const MOST_STALENESS: Duration = Duration::from_secs(30);

/// So long a step of a call to PostgreSQL takes at most: a connection that no longer answers must not use up the bound.
const STEP: Duration = Duration::from_secs(5);

/// Where the tenants are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StoreChoice {
    /// In memory, until the command ends.
    #[default]
    Memory,
    /// In one durable file.
    Redb(PathBuf),
    /// In PostgreSQL, without TLS, also together with other processes. `Debug` does not show the password.
    Postgres(Box<Config>),
}

/// An authorizer, and the history of its store.
#[derive(Clone, Debug)]
pub struct OpenStore {
    /// The authorizer.
    pub authorizer: Authorizer,
    /// The history of changes.
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
            Self::Memory => over(MemoryStore::default(), builder(runtime)),
            Self::Redb(path) => over(RedbStore::open(path)?, builder(runtime)),
            Self::Postgres(config) => {
                let manager = Manager::new(Config::clone(config), NoTls);
                let pool = Pool::builder(manager).max_size(MOST_CONNECTIONS).build()?;
                let store =
                    PostgresStore::builder(pool).listen(Config::clone(config), NoTls).step_timeout(STEP).build();
                store.migrate().await?;
                let open = over(store.clone(), builder(runtime.clone()).max_staleness(MOST_STALENESS));
                // Other processes commit, too. The task ends with the authorizer.
                let follower = open.authorizer.follow(store.clone()).watch(store);
                runtime.spawn(follower.on_error(|error| tracing::warn!(%error, "following the store")).run());
                open
            }
        })
    }
}

fn builder(runtime: tokio::runtime::Handle) -> AuthorizerBuilder {
    Authorizer::builder().catalog(Permission::catalog()).runtime(runtime)
}

fn over(store: impl History + Clone, builder: AuthorizerBuilder) -> OpenStore {
    let history = Commits::of(store.clone());
    OpenStore { authorizer: builder.store(store).build(), history }
}
