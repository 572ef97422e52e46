//! The basics on one page: groups, roles, a subgroup, a temporary member, and explanations.

use rolecall::blocking::Authorizer;
use rolecall::{Timestamp, Window};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let authorizer = Authorizer::in_memory();
    let acme = authorizer.create_tenant("acme-corp", "Acme Corp")?;
    let friday = Timestamp::from_secs(4_000_000_000)?;

    acme.update(|tx| {
        for permission in ["posts:read", "posts:write", "audit-logs:read"] {
            tx.create_permission(permission)?;
        }
        tx.create_role("editor")?.grant("posts:*")?;
        tx.create_role("auditor")?.grant("audit-logs:read")?;
        tx.create_group_with_name("Engineering")?.set_description("Engineering team members")?.assign("editor")?;
        tx.create_group("backend")?.add_parent("engineering")?;
        tx.create_user("alice@acme.com")?.join("engineering")?.assign("auditor")?;
        tx.create_user("bob@acme.com")?.join("backend")?;
        tx.create_user("temp@acme.com")?.join_during("engineering", Window::until(friday))?;
        Ok(())
    })?;

    let before_friday = Timestamp::from_secs(1_799_999_999)?;
    let moment = acme.snapshot().at(before_friday);
    for user in ["alice@acme.com", "bob@acme.com", "temp@acme.com"] {
        println!("{user} may:");
        for permission in moment.effective(user).slugs() {
            println!("  {permission}\n    {}", moment.explain(user, &permission));
        }
    }
    assert_eq!(moment.effective("alice@acme.com").slugs(), ["audit-logs:read", "posts:read", "posts:write"]);
    assert_eq!(moment.effective("bob@acme.com").slugs(), ["posts:read", "posts:write"]);
    assert!(moment.check("temp@acme.com", "posts:write"));

    // The membership ends on Friday by itself. No job has to remove it.
    let friday = acme.snapshot().at(friday);
    println!("on Friday: {}", friday.explain("temp@acme.com", "posts:write"));
    assert!(!friday.check("temp@acme.com", "posts:write"));

    // A user who is removed from a group loses the permissions that only the group gave.
    acme.update(|tx| tx.group("engineering")?.remove_member("alice@acme.com")?.done())?;
    println!("after leaving: {}", acme.explain("alice@acme.com", "posts:write"));
    assert!(!acme.check("alice@acme.com", "posts:write"));
    assert!(acme.check("alice@acme.com", "audit-logs:read"));
    Ok(())
}
