//! A page shows no more than the API answers to the same user.

use axum::http::StatusCode;
use rolecall_portal::catalog::{Permission, SystemRole};

use crate::support::{BASE, Browser, Portal, hidden};

/// The routes of the pages below [`BASE`], from the code that has them: their paths, and whether they take forms.
fn routes() -> Vec<(&'static str, bool)> {
    let code = include_str!("../../src/pages.rs");
    let (_, code) = code.split_once("pub fn router()").unwrap();
    let (access, _) = code.split_once(".nest(").unwrap();
    let route = |text: &'static str| {
        let (path, methods) = text.strip_prefix('"').unwrap().split_once('"').unwrap();
        assert!(methods.starts_with(", get("), "{text}");
        (path, methods.contains(".post("))
    };
    access.split(".route(").skip(1).map(route).collect()
}

/// Signs Erin in, with a role that grants these permissions.
async fn erin<'p>(portal: &'p Portal, permissions: &[Permission]) -> Browser<'p> {
    let given = portal.acme.update(|tx| {
        let role = tx.create_role("erins")?;
        for permission in permissions {
            role.grant(*permission)?;
        }
        tx.user("erin@acme.com")?.assign("erins")?.done()
    });
    given.await.unwrap();
    portal.sign_in(portal.acme.now().user("erin@acme.com").unwrap().id).await
}

async fn give(portal: &Portal, permission: Permission) {
    portal.acme.update(|tx| tx.role("erins")?.grant(permission)?.done()).await.unwrap();
}

#[tokio::test]
async fn effective_permissions_need_access_read() {
    let portal = Portal::new().await;
    let erin = erin(&portal, &[Permission::UsersRead]).await;
    let page = format!("{BASE}/users/{}", portal.user("bob@acme.com"));
    let shown = erin.page(&page).await;
    assert!(shown.contains("Marketing") && !shown.contains("Effective permissions"), "{shown}");
    assert!(!shown.contains("campaigns:edit"), "{shown}");
    give(&portal, Permission::AccessRead).await;
    assert!(erin.page(&page).await.contains("campaigns:edit"));
}

#[tokio::test]
async fn a_search_for_users_needs_users_read() {
    let portal = Portal::new().await;
    let erin = erin(&portal, &[Permission::GroupsRead, Permission::GroupsManage]).await;
    let (group, carol) = (portal.group("finance"), portal.user("carol@acme.com"));
    let add = format!("{group}/add-members");
    let members = erin.page(&group).await;
    assert!(!members.contains("Add Members"), "{members}");
    let refused = erin.get(&format!("{add}?q=carol&user={carol}")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(!refused.body.contains("Carol"), "{}", refused.body);
    // Nor does the form come back with the mistakes of another one.
    let version = hidden(&members, "version");
    let form = [("do", "add-members"), ("version", &*version), ("user", &*carol), ("until", "2001-01-31")];
    let mistaken = erin.post(&group, &form).await;
    assert_eq!(mistaken.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(mistaken.body.contains("in the past") && !mistaken.body.contains("Carol"), "{}", mistaken.body);
    give(&portal, Permission::UsersRead).await;
    assert!(erin.page(&group).await.contains("Add Members"));
    assert!(erin.page(&add).await.contains("Carol"));
}

#[tokio::test]
async fn roles_that_grant_a_permission_and_roles_to_choose_need_roles_read() {
    let portal = Portal::new().await;
    let permissions =
        [Permission::PermissionsRead, Permission::GroupsRead, Permission::GroupsManage, Permission::UsersRead];
    let erin = erin(&portal, &permissions).await;
    give(&portal, Permission::UsersManage).await;
    let permission = portal.acme.now().permission("invoices:read").unwrap().id();
    let pages = [
        format!("{BASE}/permissions/{permission}"),
        format!("{}/roles", portal.group("marketing")),
        format!("{BASE}/users/{}", portal.user("bob@acme.com")),
    ];
    for page in &pages {
        let shown = erin.page(page).await;
        assert!(!shown.contains("Accountant") && !shown.contains("Roles that grant it"), "{page}: {shown}");
    }
    give(&portal, Permission::RolesRead).await;
    for page in &pages {
        assert!(erin.page(page).await.contains("Accountant"), "{page}");
    }
}

#[tokio::test]
async fn a_preview_counts_users_for_those_who_may_not_ask_who_may_do_what() {
    let portal = Portal::new().await;
    let permissions = [Permission::GroupsRead, Permission::GroupsManage, Permission::AccessRead];
    let erin = erin(&portal, &permissions).await;
    let filled = portal.acme.update(|tx| {
        tx.create_group("club")?.assign("reader")?;
        tx.create_user("zoe@acme.com")?;
        tx.create_user("yan@acme.com")?.join("club")?.done()
    });
    filled.await.unwrap();
    let (group, zoe) = (portal.group("club"), portal.user("zoe@acme.com"));
    let form = [("do", "add-members"), ("user", &*zoe), ("step", "preview")];
    let counted = erin.change(&group, &group, &form).await;
    assert!(counted.body.contains("1 user gains a permission, and 0 users lose one."), "{}", counted.body);
    assert!(!counted.body.contains("posts:read"), "{}", counted.body);
    give(&portal, Permission::UsersRead).await;
    let listed = erin.change(&group, &group, &form).await;
    assert!(listed.body.contains("posts:read") && listed.body.contains("zoe@acme.com"), "{}", listed.body);
    // A user who may only see the count can save the change.
    portal.acme.update(|tx| tx.role("erins")?.revoke(Permission::UsersRead)?.done()).await.unwrap();
    let saved = erin.confirm(&group, &counted.body).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.body);
    assert!(portal.acme.check("zoe@acme.com", "posts:read"));
}

#[tokio::test]
async fn each_page_and_each_form_requires_its_permission() {
    let portal = Portal::new().await;
    let bob = portal.acme.now().user("bob@acme.com").unwrap().id;
    let browser = portal.sign_in(bob).await;
    let (group, user, role) = (portal.group("marketing"), portal.user("bob@acme.com"), portal.role("reader"));
    let permission = portal.acme.now().permission("posts:read").unwrap().id().to_string();
    let path_of = |route: &str| {
        let route = format!("{BASE}{route}").replace(&format!("{BASE}/groups/{{group}}"), &group);
        let route = route.replace("{user}", &user).replace("{role}", &role).replace("{permission}", &permission);
        let path = route.replace("{operation}", "7b0c4f0e-0000-4000-8000-000000000000");
        assert!(!path.contains('{'), "{path}");
        path
    };
    let routes: Vec<(String, bool)> = routes().into_iter().map(|(route, form)| (path_of(route), form)).collect();
    assert!(routes.len() > 30, "{}", routes.len());
    // An operation requires no permission: only its user finds it.
    let expected = |path: &str, status| if path.contains("/operations/") { StatusCode::NOT_FOUND } else { status };
    let fields = [("name", "X"), ("do", "delete"), ("version", "any"), ("step", "save")];
    let before = portal.acme.revision();
    for (path, takes_forms) in &routes {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, expected(path, StatusCode::FORBIDDEN), "{path}");
        assert!(
            answer.body.starts_with("<!DOCTYPE html>") && !answer.body.contains("Alice"),
            "{path}: {}",
            answer.body
        );
        if *takes_forms {
            assert_eq!(browser.post(path, &fields).await.status, StatusCode::FORBIDDEN, "{path}");
        }
    }
    assert_eq!(portal.acme.revision(), before);
    // A user who may only read sees no forms, and the requests of those forms are refused.
    portal.acme.update(|tx| tx.user("bob@acme.com")?.assign(SystemRole::Auditor)?.done()).await.unwrap();
    let before = portal.acme.revision();
    for (path, takes_forms) in &routes {
        let is_form = ["/new", "/add-members", "/directory"].iter().any(|end| path.ends_with(end));
        let status = if is_form { StatusCode::FORBIDDEN } else { StatusCode::OK };
        let answer = browser.get(path).await;
        assert_eq!(answer.status, expected(path, status), "{path}");
        assert!(!answer.body.contains("name=\"do\"") && !answer.body.contains("name=\"step\""), "{path}");
        if *takes_forms {
            assert_eq!(browser.post(path, &fields).await.status, StatusCode::FORBIDDEN, "{path}");
        }
    }
    assert_eq!(portal.acme.revision(), before);
}
