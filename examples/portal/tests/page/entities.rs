//! Users, roles and permissions are created, changed and deleted with forms.

use axum::http::StatusCode;

use crate::support::{BASE, Portal};

#[tokio::test]
async fn a_user_is_created_renamed_suspended_and_deleted() {
    let portal = Portal::new().await;
    let admin = portal.administrator().await;
    assert!(admin.page(&format!("{BASE}/users")).await.contains("Create User"));
    let form = admin.page(&format!("{BASE}/users/new")).await;
    assert!(form.contains("name=\"key\"") && form.contains("name=\"name\""));
    let list = format!("{BASE}/users");
    let created = admin.post(&list, &[("key", "frank@acme.com"), ("name", "Frank")]).await;
    let user = format!("{list}/{}", portal.user("frank@acme.com"));
    assert_eq!((created.status, created.location), (StatusCode::SEE_OTHER, format!("{user}?done=user-created")));
    // The same key again is a mistake of that field, and what was entered stays.
    let again = admin.post(&list, &[("key", "frank@acme.com"), ("name", "Francis")]).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert!(again.body.contains("href=\"#key\"") && again.body.contains("value=\"Francis\""), "{}", again.body);
    assert_eq!(admin.post(&list, &[("key", "")]).await.status, StatusCode::UNPROCESSABLE_ENTITY);

    let settings = format!("{user}/settings");
    let edit = [("do", "edit"), ("key", "frank.novak@acme.com"), ("name", "")];
    assert_eq!(admin.change(&user, &settings, &edit).await.status, StatusCode::SEE_OTHER);
    assert_eq!(portal.acme.now().user("frank.novak@acme.com").unwrap().name(), "frank.novak@acme.com");
    let stale = admin.post(&user, &[("do", "delete"), ("version", "old")]).await;
    assert_eq!(stale.status, StatusCode::CONFLICT);

    let preview = admin.change(&user, &settings, &[("do", "suspend"), ("step", "preview")]).await;
    assert_eq!(admin.confirm(&user, &preview.body).await.location, format!("{settings}?done=saved"));
    assert!(admin.page(&settings).await.contains("Reactivate user"));
    assert_eq!(admin.change(&user, &settings, &[("do", "activate")]).await.status, StatusCode::SEE_OTHER);
    let preview = admin.change(&user, &settings, &[("do", "delete"), ("step", "preview")]).await;
    assert_eq!(admin.confirm(&user, &preview.body).await.location, format!("{list}?done=user-deleted"));
    assert!(portal.acme.now().user("frank.novak@acme.com").is_none());
}

#[tokio::test]
async fn a_role_is_created_granted_included_and_deleted() {
    let portal = Portal::new().await;
    let admin = portal.administrator().await;
    let list = format!("{BASE}/roles");
    let created = admin.post(&list, &[("name", "Sales Lead"), ("slug", "")]).await;
    let role = format!("{list}/{}", portal.role("sales-lead"));
    let settings = format!("{role}/settings");
    assert_eq!((created.status, created.location), (StatusCode::SEE_OTHER, format!("{settings}?done=role-created")));
    for (fields, status) in [
        ([("do", "grant"), ("grant", "posts:*")], StatusCode::SEE_OTHER),
        ([("do", "grant"), ("grant", "invoices:read")], StatusCode::SEE_OTHER),
        ([("do", "grant"), ("grant", "invoices:raed")], StatusCode::UNPROCESSABLE_ENTITY),
        ([("do", "include"), ("include", "developer")], StatusCode::SEE_OTHER),
        ([("do", "include"), ("include", "sales-lead")], StatusCode::UNPROCESSABLE_ENTITY),
        ([("do", "include"), ("include", "nobody")], StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let answer = admin.change(&role, &settings, &fields).await;
        assert_eq!(answer.status, status, "{fields:?}: {}", answer.body);
    }
    let now = portal.acme.now();
    assert!(now.effective_of_role("sales-lead").slugs().iter().any(|slug| slug == "code:push"));
    assert_eq!(now.grants_of("sales-lead").len(), 2);
    drop(now);
    let page = admin.page(&settings).await;
    for part in ["value=\"posts:*\"", "value=\"invoices:read\"", "Developer"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let revoke = [("do", "revoke"), ("grant", "posts:*"), ("step", "preview")];
    let preview = admin.change(&role, &settings, &revoke).await;
    assert_eq!(admin.confirm(&role, &preview.body).await.status, StatusCode::SEE_OTHER);
    let exclude = [("do", "exclude"), ("role", &*portal.role("developer"))];
    assert_eq!(admin.change(&role, &settings, &exclude).await.status, StatusCode::SEE_OTHER);
    let edit = [("do", "edit"), ("name", "Sales"), ("slug", "sales"), ("description", "Sells")];
    assert_eq!(admin.change(&role, &settings, &edit).await.status, StatusCode::SEE_OTHER);
    assert_eq!(portal.acme.now().effective_of_role("sales").slugs(), ["invoices:read"]);
    let preview = admin.change(&role, &settings, &[("do", "delete"), ("step", "preview")]).await;
    assert_eq!(admin.confirm(&role, &preview.body).await.location, format!("{list}?done=role-deleted"));
    // The application's own role is locked.
    let administrator = format!("{list}/{}", portal.role("administrator"));
    let locked = admin.page(&format!("{administrator}/settings")).await;
    assert!(locked.contains("The application defines this role") && !locked.contains("Delete role"));
}

#[tokio::test]
async fn a_permission_is_created_renamed_and_deleted() {
    let portal = Portal::new().await;
    let admin = portal.administrator().await;
    let list = format!("{BASE}/permissions");
    let fields = [("slug", "reports:read"), ("name", "Read reports"), ("category", "Reports")];
    let created = admin.post(&list, &fields).await;
    let permission = format!("{list}/{}", portal.acme.now().permission("reports:read").unwrap().id());
    assert_eq!(created.location, format!("{permission}?done=permission-created"), "{}", created.body);
    assert_eq!(admin.post(&list, &fields).await.status, StatusCode::CONFLICT);
    let settings = format!("{permission}/settings");
    let edit = [("do", "edit"), ("slug", "reports:view"), ("name", "View reports"), ("category", "")];
    assert_eq!(admin.change(&permission, &settings, &edit).await.status, StatusCode::SEE_OTHER);
    assert!(portal.acme.now().permission("reports:view").unwrap().record.category.is_none());
    let preview = admin.change(&permission, &settings, &[("do", "delete"), ("step", "preview")]).await;
    let deleted = admin.confirm(&permission, &preview.body).await;
    assert_eq!(deleted.location, format!("{list}?done=permission-deleted"));
    let own = portal.acme.now().permission("groups:read").unwrap().id();
    assert!(admin.page(&format!("{list}/{own}/settings")).await.contains("The application defines this permission"));
}

#[tokio::test]
async fn the_new_forms_need_their_permissions_and_the_own_site() {
    let portal = Portal::new().await;
    portal.acme.update(|tx| tx.user("erin@acme.com")?.assign("auditor")?.done()).await.unwrap();
    let erin = portal.sign_in(portal.acme.now().user("erin@acme.com").unwrap().id).await;
    let before = portal.acme.revision();
    for kind in ["users", "roles", "permissions"] {
        let path = format!("{BASE}/{kind}");
        assert!(!erin.page(&path).await.contains("Create "), "{kind}");
        assert_eq!(erin.get(&format!("{path}/new")).await.status, StatusCode::FORBIDDEN);
        let fields = [("key", "x"), ("slug", "x"), ("name", "x")];
        assert_eq!(erin.post(&path, &fields).await.status, StatusCode::FORBIDDEN);
        let other = portal.ask(erin.form(&path, "cross-site", &fields)).await;
        assert_eq!(other.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(portal.acme.revision(), before);
}
