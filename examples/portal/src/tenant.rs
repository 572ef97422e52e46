//! The tenant that the command begins with: sample data or a document, and an administrator.

use rolecall::records::{Status, UserId};
use rolecall::{Authorizer, Document, ErrorKind, PageRequest, Result, Tenant, Tx};

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

/// Returns an active administrator of the tenant: a user with the role `administrator`. Creates one if there is none.
///
/// # Errors
/// As those of [`Tenant::update`].
pub async fn ensure_administrator(tenant: &Tenant) -> Result<UserId> {
    let first = tenant.now().all_holders(SystemRole::Administrator).page(&PageRequest::of(50)).items;
    if let Some(administrator) = first.iter().find(|user| user.status == Status::Active) {
        return Ok(administrator.id);
    }
    let created =
        tenant.update(|tx| tx.ensure_user("admin")?.activate()?.assign(SystemRole::Administrator)?.id()).await?;
    Ok(created.value)
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
