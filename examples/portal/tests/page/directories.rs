//! The page that hands a user or group to a directory, and releases it.

use axum::http::StatusCode;
use rolecall_portal::catalog::SystemRole;

use crate::support::{BASE, Portal, hidden};

#[tokio::test]
async fn a_user_and_a_group_are_handed_over_and_released_after_a_preview() {
    let portal = Portal::new().await;
    let admin = portal.administrator().await;
    for own in [portal.group("finance"), format!("{BASE}/users/{}", portal.user("bob@acme.com"))] {
        let (page, settings) = (format!("{own}/directory"), format!("{own}/settings"));
        assert!(admin.page(&settings).await.contains("Hand over to a directory"));
        // The form keeps its fields beside the mistake.
        let wrong = admin.change(&page, &page, &[("do", "hand-over"), ("directory", ""), ("external-id", "7")]).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(wrong.body.contains("id=\"directory-error\"") && wrong.body.contains("value=\"7\""), "{}", wrong.body);

        let form = [("do", "hand-over"), ("directory", "okta"), ("external-id", "00x7"), ("step", "preview")];
        let preview = admin.change(&page, &page, &form).await;
        assert_eq!(preview.status, StatusCode::OK, "{}", preview.body);
        assert!(preview.body.contains("okta") && preview.body.contains("Nobody gains or loses"), "{}", preview.body);
        assert!(!admin.page(&settings).await.contains("managed by"), "not yet");
        let saved = admin.confirm(&page, &preview.body).await;
        assert_eq!((saved.status, saved.location), (StatusCode::SEE_OTHER, format!("{settings}?done=saved")));
        assert!(admin.page(&settings).await.contains("managed by okta"));

        // A page that is out of date releases nothing.
        let old = [("do", "release"), ("version", "old"), ("step", "save")];
        assert_eq!(admin.post(&page, &old).await.status, StatusCode::CONFLICT);
        let shown = admin.page(&page).await;
        assert!(shown.contains("Release from okta") && shown.contains("00x7"), "{shown}");
        let preview = admin.change(&page, &page, &[("do", "release"), ("step", "preview")]).await;
        let saved = admin.confirm(&page, &preview.body).await;
        assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.body);
        assert!(!admin.page(&settings).await.contains("managed by"));
    }
}

#[tokio::test]
async fn the_page_needs_its_permission_and_the_own_site() {
    let portal = Portal::new().await;
    let bob = portal.acme.now().user("bob@acme.com").unwrap().id;
    let browser = portal.sign_in(bob).await;
    portal.acme.update(|tx| tx.user(bob)?.assign(SystemRole::Auditor)?.done()).await.unwrap();
    let own = portal.group("finance");
    let page = format!("{own}/directory");
    assert!(!browser.page(&format!("{own}/settings")).await.contains("/directory"));
    assert_eq!(browser.get(&page).await.status, StatusCode::FORBIDDEN);
    let form = [("do", "hand-over"), ("directory", "okta"), ("version", "any"), ("step", "save")];
    assert_eq!(browser.post(&page, &form).await.status, StatusCode::FORBIDDEN);
    let admin = portal.administrator().await;
    let version = hidden(&admin.page(&page).await, "version");
    let form = [("do", "hand-over"), ("directory", "okta"), ("version", &*version), ("step", "save")];
    let answer = portal.ask(admin.form(&page, "cross-site", &form)).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(portal.acme.now().group("finance").unwrap().managed_by().is_none());
}
