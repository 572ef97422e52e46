//! The history and the lint.

use axum::http::StatusCode;

use crate::support::{BASE, Browser, Portal};

#[tokio::test]
async fn the_history_says_who_changed_what() {
    let portal = Portal::new().await;
    let admin = portal.administrator().await;
    let (group, bob) = (portal.group("finance"), portal.user("bob@acme.com"));
    let add = [("do", "add-members"), ("user", &*bob)];
    assert_eq!(admin.change(&group, &format!("{group}/add-members"), &add).await.status, StatusCode::SEE_OTHER);
    let page = admin.page(&format!("{group}/history")).await;
    for part in
        ["Ada Admin", "Added membership of ", "bob@acme.com", "group.member.added", "revision 3", "group.created"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("marketing"), "only changes of this group");
    // A user who is deleted is still named.
    let user = format!("{BASE}/users/{bob}");
    assert!(admin.page(&format!("{user}/history")).await.contains("group.member.added"));
    assert_eq!(admin.change(&user, &user, &[("do", "delete")]).await.status, StatusCode::SEE_OTHER);
    let page = admin.page(&format!("{group}/history")).await;
    assert!(page.contains("group.member.removed") && page.matches("bob@acme.com").count() >= 2, "{page}");
    // The whole tenant, and what one actor did.
    let all = admin.page(&format!("{BASE}/history")).await;
    assert!(all.contains("user.deleted") && all.contains("permission.created"));
    let own = admin.page(&format!("{BASE}/history?actor=admin@acme.com")).await;
    assert!(own.contains("user.deleted") && !own.contains("permission.created"));
    assert!(admin.page(&format!("{BASE}/history?actor=nobody")).await.contains("Nothing has changed"));
    assert_eq!(admin.get(&format!("{BASE}/history?after=x")).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    for kind in ["roles", "permissions"] {
        let id = match kind {
            "roles" => portal.role("editor"),
            _ => portal.acme.now().permission("posts:read").unwrap().id().to_string(),
        };
        assert!(admin.page(&format!("{BASE}/{kind}/{id}/history")).await.contains("nobody named"), "{kind}");
    }
}

#[tokio::test]
async fn the_history_has_pages() {
    let portal = Portal::new().await;
    let admin = portal.administrator().await;
    for i in 0..45 {
        portal.acme.update(|tx| tx.group("finance")?.set_name(&format!("Finance {i}"))?.done()).await.unwrap();
    }
    let (mut path, mut seen, mut pages) = (format!("{}/history", portal.group("finance")), 0, 0);
    loop {
        let page = admin.page(&path).await;
        seen += page.matches("class=\"when\"").count();
        pages += 1;
        let Some((_, rest)) = page.split_once("<a rel=\"next\" href=\"") else { break };
        path = rest.split_once('"').unwrap().0.replace("&amp;", "&");
    }
    assert_eq!((seen, pages), (46, 3));
}

/// The page with the result about the present state, which may take a moment.
async fn lint(admin: &Browser<'_>, query: &str) -> String {
    for _ in 0..200 {
        let page = admin.page(&format!("{BASE}/lint{query}")).await;
        if !page.contains("Look again") {
            return page;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the lint does not end");
}

#[tokio::test]
async fn the_lint_says_what_to_do() {
    let portal = Portal::new().await;
    let admin = portal.administrator().await;
    portal
        .acme
        .update(|tx| {
            tx.create_group("empty")?;
            tx.create_role("typo")?.grant("psots:*")?;
            tx.user("erin@acme.com")?.assign("typo")?.done()
        })
        .await
        .unwrap();
    let page = lint(&admin, "").await;
    for part in ["pattern_matches_nothing", "empty_group", "warning", "add members or delete it", "psots:*"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(page.contains(&portal.group("empty")), "a link to where it can be changed");
    let only = lint(&admin, "?code=empty_group").await;
    assert!(only.contains("empty_group") && !only.contains("psots:*"));
    // A user who may not read groups, users and roles does not see findings about them.
    portal.acme.update(|tx| tx.create_role("asker")?.grant("access:read")?.done()).await.unwrap();
    portal.acme.update(|tx| tx.user("dave@acme.com")?.assign("asker")?.done()).await.unwrap();
    let dave = portal.sign_in(portal.acme.now().user("dave@acme.com").unwrap().id).await;
    assert_eq!(dave.get(&format!("{BASE}/lint")).await.status, StatusCode::FORBIDDEN);
    assert_eq!(dave.get(&format!("{BASE}/history")).await.status, StatusCode::FORBIDDEN);
}
