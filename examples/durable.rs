//! A tenant that survives a restart. Run it twice: the second run finds the tenant of the first.
//!
//! ```text
//! cargo run --features redb --example durable            # a file in the folder for temporary files
//! cargo run --features redb --example durable -- PATH    # another file
//! ```

use std::path::PathBuf;

use rolecall::ErrorKind;
use rolecall::authorizer::runtime::Threads;
use rolecall::blocking::{Authorizer, Tenant};
use rolecall::store::RedbStore;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let named = std::env::args_os().nth(1).map(PathBuf::from);
    let path = named.unwrap_or_else(|| std::env::temp_dir().join("rolecall-durable.redb"));
    // If a commit comes into doubt, a thread finds out what became of it, even if nobody calls the tenant.
    let authorizer = Authorizer::builder().store(RedbStore::open(&path)?).runtime(Threads).build();
    println!("opened {}", path.display());

    let acme = match authorizer.tenant("acme-corp") {
        Ok(acme) => {
            println!("acme-corp is still there, at revision {}", acme.snapshot().revision());
            acme
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            println!("acme-corp does not exist yet: created it; run this example again to find it");
            create(&authorizer)?
        }
        Err(error) => return Err(error.into()),
    };
    println!("{}", acme.explain("alice@acme.com", "posts:write"));
    assert!(acme.check("alice@acme.com", "posts:write") && !acme.check("mallory@acme.com", "posts:write"));
    Ok(())
}

fn create(authorizer: &Authorizer) -> rolecall::Result<Tenant> {
    let acme = authorizer.create_tenant("acme-corp", "Acme Corp")?;
    // When this call returns, the commit is on the disk. It survives a killed process and a loss of power.
    acme.update(|tx| {
        tx.create_permission("posts:write")?;
        tx.create_role("editor")?.grant("posts:*")?;
        tx.create_group("engineering")?.assign("editor")?;
        tx.create_user("alice@acme.com")?.join("engineering")?;
        Ok(())
    })?;
    Ok(acme)
}
