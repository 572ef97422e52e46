//! A tenant that survives a restart: run it twice, and the second run finds what the first one wrote.
//!
//! ```text
//! cargo run --features redb --example durable            # a file in the folder for temporary files
//! cargo run --features redb --example durable -- PATH    # a file of your own
//! ```

use std::path::PathBuf;

use rolecall::ErrorKind;
use rolecall::blocking::{Authorizer, Tenant};
use rolecall::store::RedbStore;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let named = std::env::args_os().nth(1).map(PathBuf::from);
    let path = named.unwrap_or_else(|| std::env::temp_dir().join("rolecall-durable.redb"));
    let authorizer = Authorizer::builder().store(RedbStore::open(&path)?).build();
    println!("opened {}", path.display());

    let acme = match authorizer.tenant("acme-corp") {
        Ok(acme) => {
            println!("acme-corp is still there, at revision {}", acme.snapshot().revision());
            acme
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            println!("there is no acme-corp yet: creating it, run this again to find it");
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
    // When this returns, the commit is on the disk: killing the process or pulling the plug does not take it away.
    acme.update(|tx| {
        tx.create_permission("posts:write")?;
        tx.create_role("editor")?.grant("posts:*")?;
        tx.create_group("engineering")?.assign("editor")?;
        tx.create_user("alice@acme.com")?.join("engineering")?;
        Ok(())
    })?;
    Ok(acme)
}
