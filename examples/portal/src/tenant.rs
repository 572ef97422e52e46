//! The tenant that the command begins with: sample data or a document, and an administrator.

use rolecall::records::UserId;
use rolecall::{Authorizer, Document, Error, ErrorKind, PageRequest, Result, Tenant, Tx};

use crate::catalog::SystemRole;

/// Opens the tenant with this slug. If there is none, creates it with sample data.
///
/// # Errors
/// As those of [`Authorizer::create_tenant`].
pub async fn open_or_create_sample(authorizer: &Authorizer, slug: &str) -> Result<Tenant> {
    match authorizer.tenant(slug).await {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        answer => return answer,
    }
    let tenant = authorizer.create_tenant(slug, "Acme Corp").await?;
    tenant.update(sample).await?;
    Ok(tenant)
}

/// Opens the tenant of a document. If the store has none with its slug, imports it.
///
/// # Errors
/// As those of [`Authorizer::import`].
pub async fn open_or_import(authorizer: &Authorizer, document: &Document) -> Result<Tenant> {
    match authorizer.tenant(document.slug()).await {
        Err(error) if error.kind() == ErrorKind::NotFound => authorizer.import(document).await,
        answer => answer,
    }
}

/// Returns an administrator of the tenant who is not suspended. Creates one if there is none, under a key that nobody has.
///
/// # Errors
/// As those of [`Tenant::update`].
pub async fn ensure_administrator(tenant: &Tenant) -> Result<UserId> {
    let created = tenant.update(|tx| {
        let now = tx.base().at(tx.instant());
        let holders = now.all_holders(SystemRole::Administrator);
        let active = holders.difference(&holders.suspended());
        if let Some(administrator) = active.page(&PageRequest::of(1)).items.first() {
            return Ok(administrator.id);
        }
        // Somebody who has the key `admin` already does not become an administrator by it.
        let mut keys = std::iter::once("admin".to_owned()).chain((2_u32..).map(|n| format!("admin-{n}")));
        let free = keys.find(|key| now.user(key.as_str()).is_none());
        let free = free.ok_or_else(|| Error::rejected("no key is free"))?;
        tx.create_user(&free)?.assign(SystemRole::Administrator)?.id()
    });
    Ok(created.await?.value)
}

/// Some users, groups, roles and permissions, to look at.
fn sample(tx: &Tx) -> Result<()> {
    for (slug, name) in [
        ("posts:read", "Read posts"),
        ("posts:write", "Write posts"),
        ("code:push", "Push code"),
        ("deploy:production", "Deploy to production"),
        ("campaigns:edit", "Edit campaigns"),
        ("invoices:read", "Read invoices"),
        ("invoices:approve", "Approve invoices"),
    ] {
        tx.create_permission(slug)?.set_name(name)?;
    }
    tx.create_role("reader")?.set_name("Reader")?.grant("posts:read")?;
    tx.create_role("editor")?.set_name("Editor")?.include("reader")?.grant("posts:*")?;
    tx.create_role("developer")?.set_name("Developer")?.grant("code:*")?.grant("deploy:production")?;
    tx.create_role("marketer")?.set_name("Marketer")?.include("editor")?.grant("campaigns:*")?;
    tx.create_role("accountant")?.set_name("Accountant")?.grant("invoices:*")?;
    tx.create_group("staff")?.set_name("Staff")?.set_description("Everybody who works here")?.assign("reader")?;
    tx.create_group("product")?.set_name("Product")?.set_description("All who build the product")?;
    tx.group("product")?.add_parent("staff")?.assign("developer")?;
    tx.create_group("platform")?.set_name("Platform")?.add_parent("product")?;
    tx.create_group("marketing")?.set_name("Marketing")?.add_parent("staff")?.assign("marketer")?;
    tx.create_group("finance")?.set_name("Finance")?.add_parent("staff")?.assign("accountant")?;
    for (key, name, group) in [
        ("alice@acme.com", "Alice Ngô", "product"),
        ("bob@acme.com", "Bob Meyer", "marketing"),
        ("carol@acme.com", "Carol Díaz", "platform"),
        ("dave@acme.com", "Dave Okafor", "finance"),
        ("erin@acme.com", "Erin Sato", "product"),
    ] {
        tx.create_user(key)?.set_name(Some(name))?.join(group)?;
    }
    tx.create_user("admin@acme.com")?.set_name(Some("Ada Admin"))?.assign(SystemRole::Administrator)?.done()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores::StoreChoice;

    #[tokio::test]
    async fn a_user_does_not_become_an_administrator_by_its_key() -> std::result::Result<(), Box<dyn std::error::Error>>
    {
        let authorizer = StoreChoice::Memory.open(tokio::runtime::Handle::current()).await?.authorizer;
        let tenant = authorizer.create_tenant("acme", "Acme").await?;
        tenant.update(|tx| tx.create_user("admin")?.suspend()?.done()).await?;
        let administrator = ensure_administrator(&tenant).await?;
        assert_eq!(tenant.now().user(administrator).map(|user| user.key.to_string()).as_deref(), Some("admin-2"));
        assert_eq!(ensure_administrator(&tenant).await?, administrator, "one is enough");
        tenant.update(|tx| tx.user(administrator)?.suspend()?.done()).await?;
        assert_ne!(ensure_administrator(&tenant).await?, administrator, "a suspended one does not count");
        Ok(())
    }
}
